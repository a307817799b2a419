"""The shipped networks, loaded once, and photographs to show them."""

from collections.abc import Callable

import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.imaging.picture import as_picture as to_picture
from streamanon.types import U8, Picture
from testkit.photos import read_photo


@pytest.fixture(scope="session")
def as_picture() -> Callable[[U8], Picture]:
    return to_picture


@pytest.fixture(scope="session")
def photo() -> Callable[[str], U8]:
    return read_photo


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
