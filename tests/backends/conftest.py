"""What networks are tried on, and which of NVIDIA's things are here."""

import os
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.anonymisers.network import FaceNetwork
from streamanon.backends.cuda import Device, device
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.tensorrt_runtime import about
from streamanon.errors import ModelError
from streamanon.face.network_input import AlignedFace, ConditionWarp, network_inputs
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from testkit.staged import CALM, LAUGHING, frame, mesh_of


@pytest.fixture(scope="session")
def live_faces() -> dict[str, NDArray[Any]]:
    """What the network is shown of two real faces as two people each: four rows."""
    condition = OnnxRuntimeBackend(weights.path("anonygan_condition.onnx"))
    network = FaceNetwork(OnnxRuntimeBackend(weights.path("anonygan.onnx")), condition)
    shown = []
    for index in (CALM, LAUGHING):
        face = AlignedFace.of(as_picture(frame(index)), mesh_of(index).points)
        for identity in load_builtin()[:2]:
            known = network.prepare(identity)
            arrays = network_inputs(face, known.aligned, ConditionWarp.of(face, known.aligned))
            shown.append(arrays | known.arrays)
    return {name: np.stack([one[name] for one in shown]) for name in shown[0]}


@pytest.fixture(scope="session")
def tensorrt() -> str:
    """Which TensorRT there is."""
    try:
        return about()
    except ModelError as error:
        if os.environ.get("STREAMANON_REQUIRE_TENSORRT"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def gpu() -> Device:
    """The GPU there is."""
    try:
        return device()
    except ModelError as error:
        if os.environ.get("STREAMANON_REQUIRE_GPU"):
            pytest.fail(str(error))
        pytest.skip(str(error))
