"""The suite from the command line with a peer that only copies, and the peers' adapters."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import main
from benchmarks.peers import command as suite
from benchmarks.peers.deface import Deface
from benchmarks.peers.ours import Ours
from streamanon.errors import UsageError


class Copier:
    """A peer that copies; it is ready as it is."""

    def prepare(self, folder: Path) -> dict[str, str]:
        return {"version": "1", "runtime": "none", "note": "hides nobody"}

    @property
    def rows(self) -> tuple[str, ...]:
        return ("copier",)

    def command(self, row: str, clip: Path, output: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.speed.floors", "copy", str(clip), str(output)]


@pytest.mark.slow
def test_a_quick_run_measures_and_judges_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "PEERS", {"copier": Copier})
    arguments = ["peers", "--quick", "--cache", str(tmp_path)]
    called = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert called.exit_code == 0, called.output
    document = json.loads((tmp_path / "quick" / "peers.json").read_text())
    results = document["results"]
    floor, copier = results["rows"]
    assert (floor["name"], copier["name"]) == ("decode+encode", "copier")
    assert copier["fps"] > floor["fps"] > 0
    assert copier["ratio"]["decode+encode"] > 1
    assert (copier["audio_kept"], copier["frames_kept"], copier["size_kept"]) == (False, True, True)
    assert copier["leaks"]["centerface"]["leak_rate"] == 1
    assert copier["leaks"]["dlib-hog"]["leak_rate"] == 1
    assert results["peers"]["copier"]["note"] == "hides nobody"
    assert len(results["published"]) > 5
    assert [path.name for path in (tmp_path / "peers").iterdir()] == []


def test_a_peer_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Copier):
        def command(self, row: str, clip: Path, output: Path) -> list[str]:
            return [sys.executable, "-c", "raise SystemExit('out of luck')"]

    monkeypatch.setattr(suite, "PEERS", {"broken": Broken})
    called = CliRunner().invoke(main, ["peers", "--quick", "--cache", str(tmp_path)])
    assert called.exception is not None
    assert "out of luck" in str(called.exception)
    assert not (tmp_path / "quick").exists()


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    for arguments, reason in (
        (["--clip", "nobody.mp4"], "nobody.mp4 does not exist"),
        (["--frames", "0"], "frames, rounds and height must be"),
    ):
        with pytest.raises(UsageError, match=reason):
            CliRunner().invoke(
                main, ["peers", "--cache", str(tmp_path), *arguments], catch_exceptions=False
            )
    assert list(tmp_path.iterdir()) == []


def test_we_are_measured_by_our_own_command_line(tmp_path: Path) -> None:
    ours = Ours()
    assert "ONNX Runtime" in ours.prepare(tmp_path)["runtime"]
    assert {"streamanon warp", "streamanon mosaic"} <= set(ours.rows)
    asked = ours.command("streamanon warp", Path("in.mp4"), Path("out.mp4"))
    assert asked[1:5] == ["-P", "-m", "streamanon", "run"]
    assert asked[-2:] == ["--method", "warp"]


def test_deface_is_run_as_its_readme_says(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = Deface()
    monkeypatch.setattr(peer, "_python", Path("env/bin/python"), raising=False)
    assert [peer.command(row, Path("in.mp4"), Path("out.mp4")) for row in peer.rows] == [
        ["env/bin/deface", "in.mp4", "-o", "out.mp4"],
        ["env/bin/deface", "--scale", "640x360", "in.mp4", "-o", "out.mp4"],
    ]


def test_every_published_figure_has_its_hardware_and_its_source() -> None:
    systems = tomllib.loads(suite.PUBLISHED.read_text())["system"]
    assert len({system["name"] for system in systems}) == len(systems)
    for system in systems:
        assert {"name", "kind", "stopped"} <= set(system)
        for figure in system.get("figure", ()):
            assert set(figure) == {"value", "hardware", "source"}
            assert all(figure.values())
