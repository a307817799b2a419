"""The suite from the command line, small, and what it refuses."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import record
from benchmarks.__main__ import main
from benchmarks.speed.command import Request
from benchmarks.speed.worker import Camera
from streamanon.errors import UsageError
from streamanon.sources.video import VideoSource
from testkit.paths import DEMO


def _call(*arguments: str | Path) -> str:
    called = CliRunner().invoke(main, [*map(str, arguments)], catch_exceptions=False)
    assert called.exit_code == 0, called.output
    return called.output


@pytest.mark.slow
def test_a_quick_run_measures_every_kind_of_row(tmp_path: Path) -> None:
    said = _call("speed", "--quick", "--method", "warp", "--cache", tmp_path)
    assert "8 rows, 0 of them not valid" in said
    document = json.loads((tmp_path / "quick" / "speed.json").read_text())
    assert document["settings"]["clip"] == "demo.mp4"
    rows = {(row["method"], row["faces"], row["rate"]): row for row in document["results"]["rows"]}
    assert len(rows) == 8
    file, live, idle = rows["warp", 1, None], rows["warp", 1, 30.0], rows["warp", 0, None]
    assert set(file["axes"]) == {"height", "faces", "method", "threads"}
    assert set(file["stages"]) == {"read", "see", "replace", "write"}
    assert file["stages"]["see"]["worked_ms"]["n"] == file["latency_ms"]["n"] == 106
    assert 0 < file["ratio"]["copy"] < file["ratio"]["decode+encode"] < 1
    assert idle["cpu_ms"] < file["cpu_ms"]
    assert idle["replaced"] == 0
    assert live["frames"] + live["dropped"] == 130
    assert "ONNX Runtime" in file["runtimes"]["yunet.onnx"]
    assert file["latency_ms"]["p50"] > 12 * file["stages"]["see"]["worked_ms"]["p50"] / 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--clip", "nobody.mp4"], "nobody.mp4 does not exist"),
        (["--frames", "10"], "10 frames and 3 rounds measure nothing"),
        (["--rounds", "0"], "240 frames and 0 rounds measure nothing"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    arguments: Sequence[str], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=reason):
        _call("speed", "--cache", tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_method_is_refused() -> None:
    called = CliRunner().invoke(main, ["speed", "--method", "magic"])
    assert called.exit_code == 2
    assert "'magic' is not one of" in called.output


def test_a_quick_run_replaces_no_published_result(tmp_path: Path) -> None:
    quick = Request(DEMO, ("warp",), 240, 3, quick=True, full=False, out=None, cache=tmp_path)
    assert quick.folder == tmp_path / "quick"
    assert replace(quick, quick=False).folder == record.RESULTS
    assert replace(quick, out=Path("here")).folder == Path("here")


def test_a_camera_delivers_by_the_clock(face_clip: Path) -> None:
    camera = Camera(VideoSource(face_clip), rate=100)
    assert camera.info.live
    start = time.monotonic()
    moments = [time.monotonic() - start for _ in camera]
    camera.close()
    assert len(moments) == 16
    assert all(moment >= index / 100 - 0.005 for index, moment in enumerate(moments))
