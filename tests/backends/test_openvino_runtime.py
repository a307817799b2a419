"""Networks run on OpenVINO as they do on ONNX Runtime."""

import re

import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend

pytest.importorskip("openvino", reason="the extra openvino is not installed")

from streamanon.backends.openvino_runtime import OpenVinoBackend, has_bf16
from testkit.python import python

INPUT = np.random.default_rng(0).standard_normal((1, 3, 112, 112)).astype(np.float32)


@pytest.fixture(scope="module")
def recogniser() -> OpenVinoBackend:
    return OpenVinoBackend(weights.path("mobilefacenet.onnx"))


def test_it_answers_as_onnx_runtime_does(recogniser: OpenVinoBackend) -> None:
    exact = OnnxRuntimeBackend(weights.path("mobilefacenet.onnx")).run({"input0": INPUT})
    ours = recogniser.run({"input0": INPUT})
    assert set(ours) == {"output0"}
    assert exact["output0"].astype(np.float32).std() > 0.1
    assert np.allclose(ours["output0"], exact["output0"], rtol=1e-3, atol=1e-3)


def test_nothing_is_reported_to_anybody() -> None:
    script = (
        "import sys, threading, streamanon.backends.openvino_runtime\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    python("-c", script, check=True)


def test_an_answer_is_not_overwritten_by_the_next(recogniser: OpenVinoBackend) -> None:
    first = recogniser.run({"input0": INPUT})["output0"]
    kept = first.copy()
    assert not np.allclose(recogniser.run({"input0": -INPUT})["output0"], kept)
    assert np.array_equal(first, kept)


def test_it_says_what_really_runs_the_network(recogniser: OpenVinoBackend) -> None:
    assert re.fullmatch(r"OpenVINO [\d.]+ CPU f32, 1 thread", recogniser.runtime)


def test_bfloat16_is_near(recogniser: OpenVinoBackend) -> None:
    if not has_bf16():
        pytest.skip("this processor has no bfloat16")
    half = OpenVinoBackend(weights.path("mobilefacenet.onnx"), precision="bf16")
    assert "bf16" in half.runtime
    ours, exact = (
        np.asarray(one.run({"input0": INPUT})["output0"], np.float32).ravel()
        for one in (half, recogniser)
    )
    assert not np.array_equal(ours, exact)
    assert float(ours @ exact) / np.linalg.norm(ours) / np.linalg.norm(exact) > 0.99
