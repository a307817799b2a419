"""The suite on real pictures and with real judges, and with judges that are broken."""

import json
from contextlib import closing
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the group bench is not installed")
pytest.importorskip("torch", reason="the group bench is not installed")

from collections.abc import Callable, Iterator
from pathlib import Path

from click.testing import CliRunner

from benchmarks.lfw import Lfw
from benchmarks.methods import method
from benchmarks.stills.cache import Cache
from benchmarks.stills.command import command
from benchmarks.stills.panel import LANDMARKS, Panel
from benchmarks.stills.predictor import Predictor
from benchmarks.stills.suite import Protocol, Suite
from streamanon.errors import UsageError
from streamanon.types import F32, U8
from testkit.paths import ROOT
from testkit.python import python

pytestmark = pytest.mark.timeout(300)  # the first test pays for a whole run

FEW = Protocol(of_a_kind=2)
REALISM = "Fréchet distance (EfficientNet-lite0)"


def _unwatched(_: str, __: int) -> Callable[[], None]:
    return lambda: None


def _run(*words: str) -> None:
    """Run the command; its errors reach the test."""
    command.main(list(words), standalone_mode=False)


def _without_commit(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "commit"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that the tests of this module share."""
    folder: Path = tmp_path_factory.mktemp("cache")
    return folder


@pytest.fixture(scope="module")
def quick(small_lfw: Path, kept: Path) -> dict[str, Any]:
    """The document of a quick run."""
    _run("none", "warp", "solid", "--quick", "--data", str(small_lfw), "--cache", str(kept))
    document: dict[str, Any] = json.loads((kept / "quick" / "stills.json").read_text())
    return document


@pytest.fixture
def panel(kept: Path) -> Iterator[Panel]:
    with closing(Cache(kept)) as cache:
        yield Panel(cache, judges=["dlib-hog", "mobilefacenet"])


def test_every_judge_is_alive_and_knows_the_originals(quick: dict[str, Any]) -> None:
    judges = quick["results"]["judges"]
    assert {name: judge["reason"] for name, judge in judges.items() if not judge["alive"]} == {}
    assert [name for name, judge in judges.items() if judge.get("used_in_training")] == [
        "mobilefacenet"
    ]
    assert judges["dlib-resnet"]["originals"]["accuracy"] > 0.9
    assert judges[REALISM]["floor"]["mean"] > 0


def test_doing_nothing_leaks_totally(quick: dict[str, Any]) -> None:
    row = quick["results"]["rows"]["none"]
    assert row["faces"]["untouched"] == row["faces"]["stills"] > 10
    for name, judge in quick["results"]["judges"].items():
        if judge["kind"] == "detector":
            assert row["detection"][name]["at_face"]["mean"] == 1
        if judge["kind"] == "recogniser":
            assert row["reidentification"][name]["same_picture"]["mean"] == 1
            assert row["reidentification"][name]["same_rank_1"]["mean"] == 1
            assert row["informed_attacker"][name]["before"]["same_picture"]["mean"] == 1
    assert row["landmarks"]["seen"]["mean"] == 1
    assert row["landmarks"]["pose_paper"]["mean"] < 0.02
    assert row["landmarks"]["blendshape_correlation"]["mean"] > 0.9
    assert row["landmarks_dlib"]["pose_paper"]["mean"] == 0
    assert row["realism"][REALISM]["to_originals"]["mean"] < 1e-6


def test_warp_keeps_a_face_and_not_the_person(quick: dict[str, Any]) -> None:
    row = quick["results"]["rows"]["warp"]
    assert row["faces"]["replaced"] >= row["faces"]["stills"] > row["faces"]["untouched"] == 0
    assert row["detection"]["dlib-hog"]["at_face"]["mean"] > 0.9
    assert row["reidentification"]["dlib-resnet"]["same_picture"]["mean"] < 0.5
    for landmarks in (row["landmarks"], row["landmarks_dlib"]):
        assert landmarks["seen"]["mean"] > 0.9
        assert 0.005 < landmarks["pose_paper"]["mean"] < 0.2
    assert row["realism"][REALISM]["to_originals"]["mean"] > 1


def test_solid_leaves_nothing_to_see(quick: dict[str, Any]) -> None:
    row = quick["results"]["rows"]["solid"]
    for found in row["detection"].values():
        assert found["at_face"]["mean"] == 0
    for found in row["reidentification"].values():
        assert found["same_picture"]["mean"] < 0.1
    assert row["landmarks"]["seen"]["mean"] == row["landmarks_dlib"]["seen"]["mean"] == 0
    assert row["landmarks"]["pose_paper"] == {
        "mean": None, "std": None, "n": 0, "folds": [], "interval": None
    }  # fmt: skip


def test_a_figure_says_how_many_and_how_sure(quick: dict[str, Any]) -> None:
    figure = quick["results"]["rows"]["warp"]["reidentification"]["dlib-resnet"]["same_rank_1"]
    assert figure["n"] == sum(quick["results"]["originals"]["stills"])
    assert len(figure["folds"]) == 2
    assert figure["mean"] == pytest.approx(np.mean(figure["folds"]))
    assert figure["interval"][0] <= figure["mean"] <= figure["interval"][1]
    assert quick["settings"]["pairs"].startswith("drawn")


def test_a_method_measured_again_replaces_its_row_and_no_other(
    quick: dict[str, Any], small_lfw: Path, kept: Path, tmp_path: Path
) -> None:
    marked = json.loads(json.dumps(quick))
    marked["results"]["rows"]["none"] = "as it was"
    (tmp_path / "stills.json").write_text(json.dumps(marked))
    words = ["--quick", "--data", str(small_lfw), "--cache", str(kept), "--out", str(tmp_path)]
    _run("warp", *words)
    rows = json.loads((tmp_path / "stills.json").read_text())["results"]["rows"]
    assert rows["none"] == "as it was"
    before = quick["results"]["rows"]["warp"]
    assert _without_commit(rows["warp"]) == _without_commit(before)
    with pytest.raises(UsageError, match=r"was measured with other settings.*--out"):
        _run("warp", "--folds", "7", *words)


def test_pictures_of_another_system_are_a_row(small_lfw: Path, kept: Path, tmp_path: Path) -> None:
    words = ["--quick", "--data", str(small_lfw), "--cache", str(kept), "--judges", "dlib-hog"]
    _run(f"folder:{small_lfw}", *words, "--out", str(tmp_path))
    document = json.loads((tmp_path / "stills.json").read_text())
    row = document["results"]["rows"][f"folder:{small_lfw.name}"]
    assert row["faces"]["untouched"] == row["faces"]["stills"]
    assert row["faces"]["replaced"] is None
    assert str(small_lfw) not in json.dumps(document["results"])


class _Blind:
    name = "blind"

    def __call__(self, image: U8) -> F32:
        return np.empty((0, 5), np.float32)


class _Forgetful:
    name = "forgetful"
    used_in_training = False
    dimensions = 4

    def embed(self, image: U8, mesh_points: F32) -> F32:
        return np.full(4, 0.5, np.float32)


class _Lost(Predictor):
    name = "lost"

    def __call__(self, image: U8, boxes: F32, around: F32) -> F32:
        return np.arange(136, dtype=np.float32).reshape(68, 2)


def test_a_dead_judge_is_distinguished_from_a_good_result(small_lfw: Path, panel: Panel) -> None:
    panel.detectors["blind"] = _Blind()
    panel.recognisers["forgetful"] = _Forgetful()
    panel.predictor = _Lost()
    judges = Suite(Lfw(small_lfw), panel, FEW, _unwatched).judges()
    assert [name for name, judge in judges.items() if not judge["alive"]] == [
        "blind", "forgetful", "lost"
    ]  # fmt: skip
    assert judges["lost"]["reason"] == "lies on 0 of 6 known faces"
    assert judges["blind"]["reason"] == "finds 0 of 6 known faces"
    assert "same to every picture" in judges["forgetful"]["reason"]


def test_a_judge_that_fails_only_on_these_originals_is_dead_too(
    small_lfw: Path, panel: Panel
) -> None:
    hog = panel.detectors["dlib-hog"]

    class Picky:
        name = "picky"

        def __call__(self, image: U8) -> F32:
            return hog(image) if max(image.shape) > 194 else np.empty((0, 5), np.float32)

    panel.detectors["picky"] = Picky()
    judges = Suite(Lfw(small_lfw), panel, FEW, _unwatched).judges()
    assert (judges["picky"]["alive"], judges["dlib-hog"]["alive"]) == (False, True)
    assert judges["picky"]["reason"] == "gets 0% of the originals right"
    assert judges[LANDMARKS]["alive"]


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on(small_lfw: Path, tmp_path: Path) -> None:
    looks = []

    class Counting(_Forgetful):
        name = "counting"

        def embed(self, image: U8, mesh_points: F32) -> F32:
            looks.append(1)
            if len(looks) == 5:
                raise KeyboardInterrupt
            return super().embed(image, mesh_points)

    def whole_run() -> dict[str, Any]:
        with closing(Cache(tmp_path)) as cache:
            panel = Panel(cache, judges=["dlib-hog"])
            panel.recognisers["counting"] = Counting()
            return Suite(Lfw(small_lfw), panel, FEW, _unwatched).originals()

    with pytest.raises(KeyboardInterrupt):
        whole_run()
    pictures = sum(whole_run()["pictures"])
    assert len(looks) == pictures + 1
    whole_run()
    assert len(looks) == pictures + 1


@pytest.mark.slow
def test_the_same_run_twice_gives_the_same_figures(small_lfw: Path, tmp_path: Path) -> None:
    rows = []
    for name in ("one", "two"):
        with closing(Cache(tmp_path / name)) as cache:
            panel = Panel(cache, judges=["mobilefacenet"])
            suite = Suite(Lfw(small_lfw), panel, FEW, _unwatched)
            rows.append(suite.row("warp", method("warp", seed=1)))
    assert _without_commit(rows[0]) == _without_commit(rows[1])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["magic"], "unknown method 'magic'"),
        (["none", "--folds", "7,nine"], "folds '7,nine' are no numbers"),
        (["none", "--folds", "1,7"], r"folds \[1\] are not kept for testing"),
        (["none", "--judges", "me"], "no judge called me: choose of dlib-hog"),
        (["none", "--recogniser", "no.onnx"], "no.onnx is not a file"),
        (["none", "--inception", "no.pt"], "no.pt is not a file"),
        (["none", "--data", "nowhere"], "no LFW data at nowhere"),
    ],
)
def test_bad_requests(words: list[str], message: str, small_lfw: Path, tmp_path: Path) -> None:
    given = [] if "--data" in words else ["--data", str(small_lfw)]
    with pytest.raises(UsageError, match=message):
        _run(*words, *given, "--cache", str(tmp_path / "cache"), "--out", str(tmp_path))
    assert not (tmp_path / "stills.json").exists()


def test_pictures_without_faces_are_refused(small_lfw: Path, panel: Panel) -> None:
    class Empty(Lfw):
        def image(self, _: str) -> U8:
            return np.full((194, 194, 3), 127, np.uint8)

    with pytest.raises(UsageError, match=r"no face is found in .* originals"):
        Suite(Empty(small_lfw), panel, FEW, _unwatched)


def test_an_error_is_one_line_and_an_exit_code(tmp_path: Path) -> None:
    done = python("-m", "benchmarks", "stills", "none", "--data", tmp_path, cwd=ROOT)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no LFW data at")
    assert done.stderr.count("\n") == 1


def test_help_names_the_methods() -> None:
    said = CliRunner().invoke(command, ["--help"])
    assert said.exit_code == 0
    assert "blur101" in said.output
