"""The shipped networks, loaded once, and photographs to show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.types import ColourSpace, Picture
from testkit.paths import PHOTOS

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.types import U8


def picture_of(image: U8) -> Picture:
    """A BGR image as a picture."""
    planes = tuple(np.ascontiguousarray(image[..., channel]) for channel in range(3))
    return Picture(planes, ColourSpace("rgb", full_range=True, chroma_shift=(0, 0)))


@pytest.fixture(scope="session")
def as_picture() -> Callable[[U8], Picture]:
    return picture_of


@pytest.fixture(scope="session")
def photo() -> Callable[[str], U8]:
    """Read one of the committed photographs as BGR."""

    def read(name: str) -> U8:
        image = cv2.imread(str(PHOTOS / f"{name}.webp"))
        assert image is not None, name
        return np.asarray(image, np.uint8)

    return read


@pytest.fixture(scope="session")
def yunet() -> YuNetDetector:
    backend = OnnxRuntimeBackend(weights.path("yunet.onnx"))
    return YuNetDetector(backend, min_face_px=32)


@pytest.fixture(scope="session")
def mesher() -> MeshFitter:
    return MeshFitter(
        OnnxRuntimeBackend(weights.path("face_mesh.onnx")),
        OnnxRuntimeBackend(weights.path("face_blendshapes.onnx")),
    )


@pytest.fixture(scope="session")
def embedder() -> MobileFaceNetEmbedder:
    return MobileFaceNetEmbedder(OnnxRuntimeBackend(weights.path("mobilefacenet.onnx")))
