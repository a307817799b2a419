"""Features of real pictures, the Fréchet distance against its textbook form, and dead features."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, save
from scipy import linalg

from benchmarks.judges.realism import InceptionFile, Lite0, features, frechet
from benchmarks.judges.self_check import KnownFace, check_features
from streamanon.errors import UsageError
from streamanon.identities.gallery import load_builtin
from streamanon.types import U8


def normal(seed: int, n: int, d: int, *, shift: float = 0.0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    return np.asarray(random.normal(size=(n, d)) @ random.normal(size=(d, d)) + shift, np.float64)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (61, 500)])
def test_frechet_is_the_textbook_distance(n: int, m: int) -> None:
    a, b = normal(0, n, 12), normal(1, m, 12, shift=0.5)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second)
    apart = a.mean(axis=0) - b.mean(axis=0)
    wanted = apart @ apart + np.trace(first + second - 2 * root.real)
    assert frechet(a, b) == pytest.approx(wanted, rel=1e-9)


def test_frechet_is_exact_with_fewer_pictures_than_dimensions() -> None:
    # Ten pictures on five of 40 axes: the other axes are 0 and must not count.
    a, b = normal(0, 10, 5), normal(1, 9, 5)
    wide = [np.hstack([rows, np.zeros((len(rows), 35))]) for rows in (a, b)]
    assert frechet(*wide) == pytest.approx(frechet(a, b), rel=1e-9)


def test_frechet_of_a_shift_is_its_square() -> None:
    a = normal(0, 30, 50)
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet(a, a + 0.5) == pytest.approx(50 * 0.25, rel=1e-6)


def test_frechet_refuses_what_has_no_covariance() -> None:
    a = normal(0, 5, 4)
    with pytest.raises(ValueError, match="two or more finite"):
        frechet(a, a[:1])
    with pytest.raises(ValueError, match="two or more finite"):
        frechet(a, a * np.nan)
    with pytest.raises(ValueError, match="differ in length"):
        frechet(a, a[:, :3])


def test_worse_pictures_are_further_away() -> None:
    portraits = [cv2.resize(one.portrait, (160, 160)) for one in load_builtin()[:16]]
    images = [np.asarray(image, np.uint8) for image in portraits]
    real, others = features(images[:8]), features(images[8:])
    assert real.shape == (8, 1280)
    assert real.dtype == np.float64
    softer, soft = (
        features([np.asarray(cv2.GaussianBlur(image, (0, 0), s), np.uint8) for image in images[8:]])
        for s in (8, 2)
    )
    assert frechet(real, others) < frechet(real, soft) < frechet(real, softer)


def test_features_do_not_depend_on_the_batch() -> None:
    images = [
        np.asarray(cv2.resize(one.portrait, (90, 90)), np.uint8) for one in load_builtin()[:18]
    ]
    together = features(iter(images))
    alone = features(images[-1:])
    assert np.allclose(together[-1], alone[0], atol=1e-4)
    assert features([]).shape == (0, 1280)


def test_lite0_is_alive_and_never_called_fid() -> None:
    lite0 = Lite0()
    assert check_features(lite0).as_json() == {"alive": True, "reason": ""}
    assert "FID" not in lite0.metric


def test_constant_features_are_dead() -> None:
    class Constant:
        metric, dimensions = "constant", 5

        def __call__(self, images: Iterable[U8]) -> NDArray[np.float64]:
            return np.ones((len(list(images)), 5))

    found = check_features(Constant())
    assert (found.alive, found.reason) == (False, "answers the same to every picture")


def write_torchscript(path: Path, dimensions: int = 2048) -> Path:
    """A network with the shapes of Inception: pooled pixels times fixed weights."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(192, dimensions)
    )
    traced = torch.jit.trace(network.eval(), torch.zeros(1, 3, 299, 299))  # type: ignore[no-untyped-call]
    traced.save(str(path))
    return path


def write_onnx(path: Path) -> Path:
    """A network that repeats the mean of the red plane 2048 times, as (n, 2048, 1, 1)."""
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
            helper.make_node("Slice", ["mean", "zero", "one", "one"], ["red"]),
            helper.make_node("Expand", ["red", "shape"], ["y"]),
        ],
        "inception",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 299, 299])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2048, 1, 1])],
        [
            helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("shape", TensorProto.INT64, [4], [1, 2048, 1, 1]),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_an_inception_file_gives_fid(tmp_path: Path, faces: tuple[KnownFace, ...]) -> None:
    inception = InceptionFile(write_torchscript(tmp_path / "inception.pt"))
    assert inception.metric == "FID"
    found = inception([face.image for face in faces])
    assert found.shape == (len(faces), 2048)
    assert check_features(inception).alive


def test_an_inception_file_is_given_rgb_from_minus_1_to_1(tmp_path: Path) -> None:
    inception = InceptionFile(write_onnx(tmp_path / "inception.onnx"))
    red = np.zeros((40, 60, 3), np.uint8)
    red[:, :, 2] = 255
    found = inception([red, red * 0])
    assert found.shape == (2, 2048)
    assert np.allclose(found, [[1], [-1]])


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_is_no_inception_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        InceptionFile(tmp_path / "none.pt")
    (tmp_path / "text.pt").write_text("no network")
    with pytest.raises(UsageError, match="is no TorchScript or ONNX"):
        InceptionFile(tmp_path / "text.pt")
    path = write_torchscript(tmp_path / "small.pt", dimensions=100)
    with pytest.raises(UsageError, match=r"answers shape \(2, 100\)"):
        InceptionFile(path)
