"""Networks that ship and look at faces, on the processor."""

from collections.abc import Callable
from typing import Any

import numpy as np

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.age import AgeNet
from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.tracking.second_opinion import FAINTEST_SCORE


def network(name: str) -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(weights.path(name))


def yunet() -> YuNetDetector:
    return YuNetDetector(network("yunet.onnx"), min_face_px=32)


def faint_centerface() -> CenterFaceDetector:
    return CenterFaceDetector(network("centerface.onnx"), threshold=FAINTEST_SCORE)


def mesh_fitter() -> MeshFitter:
    return MeshFitter(network("face_mesh.onnx"), network("face_blendshapes.onnx"))


def embedder() -> MobileFaceNetEmbedder:
    return MobileFaceNetEmbedder(network("mobilefacenet.onnx"))


def gender_net() -> GenderNet:
    return GenderNet(network("gender.onnx"))


def age_net() -> AgeNet:
    return AgeNet(network("age.onnx"))


class ChangedNetwork(OnnxRuntimeBackend):
    """A network whose answers are changed."""

    def __init__(self, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        super().__init__(weights.path(name))
        self._change = change

    def run(self, inputs: Any) -> Any:
        return self._change(super().run(inputs))


def without_numbers(answer: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return an answer some of whose arrays are not finite."""
    return answer | {name: np.full_like(answer[name], np.nan) for name in names}
