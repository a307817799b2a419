"""Networks that ship and look at faces, on the processor."""

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector


def network(name: str) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path(name))


def yunet() -> YuNetDetector:
    return YuNetDetector(network("yunet.onnx"), min_face_px=32)


def mesh_fitter() -> MeshFitter:
    return MeshFitter(network("face_mesh.onnx"), network("face_blendshapes.onnx"))


def embedder() -> MobileFaceNetEmbedder:
    return MobileFaceNetEmbedder(network("mobilefacenet.onnx"))


def gender_net() -> GenderNet:
    return GenderNet(network("gender.onnx"))
