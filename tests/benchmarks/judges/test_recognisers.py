"""Recognisers on the same and on different people, networks from files, and dead ones."""

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.judges.expression import observe
from benchmarks.judges.recognisers import RECOGNISERS, Recogniser, recogniser
from benchmarks.judges.self_check import KnownFace, check_recogniser
from streamanon import weights
from streamanon.errors import UsageError
from streamanon.types import F32, U8
from testkit.paths import PHOTOS

NAMES = [
    "london_001_neutral", "london_001_smiling", "london_002_neutral", "london_002_smiling",
    "portrait_man",
]  # fmt: skip


@pytest.fixture(scope="module")
def photos() -> dict[str, KnownFace]:
    """Real photographs: two people twice, one once."""
    found = {}
    for name in NAMES:
        image = np.asarray(cv2.imread(str(PHOTOS / f"{name}.webp")), np.uint8)
        seen = observe(image)
        assert seen is not None
        found[name] = KnownFace(image, seen.points)
    return found


@pytest.fixture(scope="module", params=list(RECOGNISERS))
def judge(request: pytest.FixtureRequest) -> Recogniser:
    return recogniser(request.param)


def test_a_person_is_more_like_themselves_than_like_anybody(
    judge: Recogniser, photos: dict[str, KnownFace]
) -> None:
    vectors = {name: judge.embed(face.image, face.points) for name, face in photos.items()}
    for vector in vectors.values():
        assert vector.shape == (judge.dimensions,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    scores = {
        (a, b): float(vectors[a] @ vectors[b]) for a, b in combinations(NAMES, 2)
    }  # the number in the name says who it is
    same = [score for (a, b), score in scores.items() if a[:10] == b[:10]]
    different = [score for (a, b), score in scores.items() if a[:10] != b[:10]]
    assert len(same) == 2
    assert min(same) > max(different)


def test_a_covered_face_can_still_be_embedded(
    judge: Recogniser, photos: dict[str, KnownFace]
) -> None:
    face = photos["london_001_neutral"]
    blurred = np.asarray(cv2.GaussianBlur(face.image, (101, 101), 0), np.uint8)
    vector = judge.embed(blurred, face.points)
    assert np.isfinite(vector).all()
    original = judge.embed(face.image, face.points)
    again = judge.embed(photos["london_001_smiling"].image, photos["london_001_smiling"].points)
    assert vector @ original < again @ original


def test_a_mesh_without_depth_will_do(judge: Recogniser, photos: dict[str, KnownFace]) -> None:
    face = photos["portrait_man"]
    flat = judge.embed(face.image, face.points[:, :2])
    assert np.array_equal(flat, judge.embed(face.image, face.points))


def test_only_what_no_loss_used_counts_as_a_judge() -> None:
    assert {name: recogniser(name).used_in_training for name in RECOGNISERS} == {
        "dlib-resnet": False,
        "mobilefacenet": True,
    }


def test_each_is_alive(judge: Recogniser) -> None:
    assert check_recogniser(judge).as_json() == {"alive": True, "reason": ""}


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ([1, 0, 0], "answers the same to every picture"),
        ([2, 0, 0], "gives embeddings that are not of length 1"),
        ([np.nan, 0, 0], "gives embeddings that are not finite numbers"),
    ],
)
def test_a_constant_recogniser_is_dead(vector: list[float], reason: str) -> None:
    class Constant:
        name, used_in_training, dimensions = "constant", False, 3

        def embed(self, image: U8, mesh_points: F32) -> F32:
            return np.array(vector, np.float32)

    found = check_recogniser(Constant())
    assert (found.alive, found.reason) == (False, reason)


def test_a_recogniser_that_guesses_is_dead() -> None:
    class Guess:
        name, used_in_training, dimensions = "guess", False, 8
        random = np.random.default_rng(0)

        def embed(self, image: U8, mesh_points: F32) -> F32:
            vector = self.random.normal(size=8)
            return np.asarray(vector / np.linalg.norm(vector), np.float32)

    assert "again after a slight change" in check_recogniser(Guess()).reason


def network(path: Path, shape: list[int | str]) -> Path:
    """Write an ONNX network: all values of the picture times fixed weights."""
    size = int(np.prod([int(side) for side in shape[1:]]))
    factors = np.random.default_rng(0).normal(size=(size, 16)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["picture"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
        ],
        "recogniser",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [shape[0], 16])],
        [numpy_helper.from_array(factors, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("batch", [1, "n"])
def test_any_onnx_of_the_convention_is_a_recogniser(
    tmp_path: Path, batch: int | str, photos: dict[str, KnownFace]
) -> None:
    path = network(tmp_path / "mine.onnx", [batch, 3, 112, 112])
    judge = recogniser(f"onnx:{path}")
    assert (judge.name, judge.dimensions, judge.used_in_training) == ("onnx:mine", 16, False)
    face = photos["portrait_man"]
    assert np.linalg.norm(judge.embed(face.image, face.points)) == pytest.approx(1, abs=1e-5)
    assert check_recogniser(judge).alive


def test_a_real_network_from_a_file_knows_people(photos: dict[str, KnownFace]) -> None:
    # Its own normalisation is another one, yet near enough for the two to agree on who is who.
    judge = recogniser(f"onnx:{weights.path('mobilefacenet.onnx')}")
    vectors = {name: judge.embed(face.image, face.points) for name, face in photos.items()}
    first = vectors["london_001_neutral"]
    assert first @ vectors["london_001_smiling"] > 0.4 > first @ vectors["london_002_smiling"]


@pytest.mark.parametrize("shape", [[1, 3, 160, 160], [4, 3, 112, 112], [1, 112, 112, 3]])
def test_an_onnx_of_another_convention_is_refused(tmp_path: Path, shape: list[int | str]) -> None:
    path = network(tmp_path / "other.onnx", shape)
    with pytest.raises(UsageError, match=r"wanted one input \(n, 3, 112, 112\)"):
        recogniser(f"onnx:{path}")


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(UsageError, match="is not a network ONNX Runtime can load"):
        recogniser(f"onnx:{tmp_path / 'a.onnx'}")
    with pytest.raises(UsageError, match="is not a file"):
        recogniser(f"onnx:{tmp_path / 'b.onnx'}")
    with pytest.raises(UsageError, match="no recogniser called 'arcface'"):
        recogniser("arcface")
