"""The whole suite on the demo clip, and each measurement broken once."""

import json
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the group bench is not installed")
pytest.importorskip("torch", reason="the group bench is not installed")

from pathlib import Path

from click.testing import CliRunner

from benchmarks.judges.self_check import SelfCheck
from benchmarks.video import command as module
from benchmarks.video import figures
from benchmarks.video.clips import first_frames
from benchmarks.video.comparison import Comparison, compare_frames
from benchmarks.video.face_series import FaceSeries
from benchmarks.video.panel import SAME_PERSON, Panel, load_panel
from benchmarks.video.source import Source, examine
from streamanon.errors import StreamanonError, UsageError
from streamanon.types import F32, U8
from testkit.clips import write_clip
from testkit.paths import DEMO

FRAMES = 18


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The cache and the results of a quick run of two methods."""
    cache: Path = tmp_path_factory.mktemp("bench")
    return cache, run(cache)


def run(cache: Path) -> dict[str, Any]:
    arguments = [str(DEMO), "--quick", "--method", "none", "--method", "mosaic"]
    result = CliRunner().invoke(
        module.command, [*arguments, "--cache", str(cache)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    results: dict[str, Any] = json.loads((cache / "video/quick/video.json").read_text())["results"]
    return results


def test_doing_nothing_is_a_total_leak_and_keeps_everything(
    quick: tuple[Path, dict[str, Any]],
) -> None:
    row = quick[1]["rows"]["none"]["demo"]
    assert row["leaks"]["leak_rate"] == 1
    assert row["leaks"]["unchanged"] == row["leaks"]["recognised"] == module.QUICK.frames
    assert row["to_source"]["dlib-resnet"]["mean"] > 0.98
    assert row["identity"]["dlib-resnet"]["switches"] == 0
    assert row["motion"]["correlation"] > 0.95
    assert row["motion"]["jitter"] == pytest.approx(1, abs=0.3)
    assert row["warping"]["ratio"] == pytest.approx(1, abs=0.3)
    assert row["expression"]["correlation"] > 0.8
    assert row["integrity"] == {
        "alive": True,
        "source_frames": module.QUICK.frames,
        "frames": True,
        "times": True,
        "duration": True,
        "audio": True,
    }
    assert row["product"]["replaced"] == row["product"]["covered"] == 0


def test_a_mosaic_leaks_nothing_and_has_no_face_to_measure(
    quick: tuple[Path, dict[str, Any]],
) -> None:
    row = quick[1]["rows"]["mosaic"]["demo"]
    assert row["leaks"]["leak_rate"] == 0
    assert row["to_source"]["mobilefacenet"]["max"] < 0.333
    for part in (row["identity"]["dlib-resnet"], row["motion"], row["expression"]):
        assert not part["alive"]
        assert "the output shows a face in" in part["reason"]
    assert row["product"]["replaced"] == module.QUICK.frames
    assert "expression correlation" not in quick[1]["summary"]["mosaic"]
    assert quick[1]["summary"]["mosaic"]["leaks leak_rate"]["pooled"] == 0
    assert all(judge["alive"] for judge in quick[1]["judges"].values())
    assert quick[1]["judges"]["mobilefacenet"]["used_in_training"]


@pytest.mark.slow
def test_the_same_command_gives_the_same_figures(
    quick: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, results = quick
    for made in (cache / "video").glob("*-figures-*.json"):
        made.unlink()
    again = run(cache)
    for method, rows in results["rows"].items():
        before = {key: part for key, part in rows["demo"].items() if key != "commit"}
        after = {key: part for key, part in again["rows"][method]["demo"].items() if key in before}
        assert after == before
    monkeypatch.setattr("benchmarks.video.suite.compare_frames", None)  # everything is kept by now
    assert run(cache)["rows"] == again["rows"]


def test_wrong_requests_are_one_line(tmp_path: Path) -> None:
    def refused(*arguments: str) -> str:
        result = CliRunner().invoke(module.command, [*arguments, "--cache", str(tmp_path)])
        assert isinstance(result.exception, UsageError)
        return str(result.exception)

    assert "unknown method 'paint'" in refused(str(DEMO), "--method", "paint")
    faceless = write_clip(tmp_path / "faceless.mp4")
    assert "shows no face that can be measured: leave it out" in refused(str(faceless))
    old = {"settings": {"frames": 7}, "results": {}}
    (tmp_path / "video.json").write_text(json.dumps(old))
    assert "other settings" in refused(str(DEMO), "--out", str(tmp_path))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel()


@pytest.fixture(scope="module")
def measured(panel: Panel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Source, Comparison]:
    """The demo clip beside itself."""
    clip = first_frames(DEMO, FRAMES, tmp_path_factory.mktemp("clips"))
    source = examine(clip, panel, lambda: None)
    return source, compare_frames(clip.path, clip.path, source, panel, lambda: None)


def alive() -> dict[str, SelfCheck]:
    return {name: SelfCheck(alive=True) for name in ("centerface", "mesh", *SAME_PERSON)}


def test_a_source_is_read_as_it_was_written(
    measured: tuple[Source, Comparison], tmp_path: Path
) -> None:
    source = measured[0]
    source.save(tmp_path / "source.npz")
    again = Source.load(tmp_path / "source.npz")
    assert [len(faces) for faces in again.faces] == [len(faces) for faces in source.faces]
    assert again.faces[3][0].score == source.faces[3][0].score
    np.testing.assert_array_equal(again.face.points, source.face.points)
    assert again.face.vectors.keys() == source.face.vectors.keys()


@pytest.mark.parametrize(
    ("judge", "part"), [("centerface", "leaks"), ("mesh", "motion"), ("mesh", "expression")]
)
def test_a_dead_judge_has_no_figures(
    measured: tuple[Source, Comparison], judge: str, part: str
) -> None:
    dead = {**alive(), judge: SelfCheck(alive=False, reason="finds 0 of 6 known faces")}
    found = figures.parts(*measured, dead)[part]
    assert found == {"alive": False, "reason": "the judge is dead: finds 0 of 6 known faces"}
    assert figures.parts(*measured, alive())[part]["alive"]


def test_a_dead_recogniser_has_no_figures(measured: tuple[Source, Comparison]) -> None:
    dead = {**alive(), "dlib-resnet": SelfCheck(alive=False, reason="answers the same")}
    found = figures.parts(*measured, dead)
    for part in ("to_source", "identity"):
        assert not found[part]["dlib-resnet"]["alive"]
        assert found[part]["mobilefacenet"]["alive"]


def test_a_face_that_never_moves_has_no_expression(measured: tuple[Source, Comparison]) -> None:
    source, comparison = measured
    still = np.repeat(source.face.blendshapes[:1], FRAMES, axis=0)
    frozen = FaceSeries(source.face.points, still, source.face.vectors)
    found = figures.parts(Source(source.rate, source.faces, frozen), comparison, alive())
    assert not found["expression"]["alive"]


def test_a_detector_that_finds_nothing_does_not_pass(
    panel: Panel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(panel.judge._detector, "_threshold", 1.1)
    assert not panel.self_checks()["centerface"].alive
    clip = first_frames(DEMO, 3, tmp_path)
    with pytest.raises(UsageError, match="shows no face"):
        examine(clip, panel, lambda: None)


def test_a_tally_of_nothing_is_no_leak_rate(measured: tuple[Source, Comparison]) -> None:
    source, comparison = measured
    empty = Source(source.rate, [[] for _ in source.faces], source.face)
    result = type(comparison.result)(1 / source.rate)
    result.add(0.0, [])
    with pytest.raises(StreamanonError, match="nothing was audited"):
        figures.parts(empty, Comparison(result, comparison.face, comparison.warping), alive())


def test_a_constant_recogniser_is_found_dead(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> None:
    def constant(_: U8, __: F32) -> F32:
        return np.asarray(np.eye(128)[0], np.float32)

    monkeypatch.setattr(panel.recognisers[0], "embed", constant)
    found = panel.self_checks()[panel.recognisers[0].name]
    assert found == SelfCheck(alive=False, reason="answers the same to every picture")
