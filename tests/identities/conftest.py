"""The product's own eyes, loaded once."""

import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.identities.portrait import PortraitReader


def network(name: str) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path(name))


@pytest.fixture(scope="session")
def reader() -> PortraitReader:
    return PortraitReader(
        YuNetDetector(network("yunet.onnx"), min_face_px=32),
        MeshFitter(network("face_mesh.onnx"), network("face_blendshapes.onnx")),
        MobileFaceNetEmbedder(network("mobilefacenet.onnx")),
        GenderNet(network("gender.onnx")),
    )
