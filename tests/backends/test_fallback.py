"""A better runtime takes over between two runs; when it fails, only the log shows it."""

import logging
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.backends.choice import Candidate, fastest
from streamanon.backends.fallback import FallbackBackend, Upgrade
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.trial import best_times
from streamanon.errors import ModelError

EXACT = weights.path("face_blendshapes.onnx")
INPUTS = {"points": np.random.default_rng(0).random((1, 146, 2), np.float32) * 200}
FOREVER = float("inf")


class Gpu(OnnxRuntimeBackend):
    """The same network, on a GPU that can be lost."""

    def __init__(self) -> None:
        super().__init__(EXACT)
        self.runtime, self.lost, self.runs = "a GPU", False, 0

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        self.runs += 1
        if self.lost:
            raise ModelError("the GPU failed: unspecified launch failure")
        return super().run(inputs)


def plain() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(EXACT)


def test_a_better_runtime_takes_over_at_the_next_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamanon")
    backend, gpu = FallbackBackend(plain()), Gpu()
    backend.run(INPUTS)
    backend.offer(gpu)
    assert backend.runtime.startswith("ONNX Runtime")
    backend.run(INPUTS)
    assert (backend.runtime, gpu.runs) == ("a GPU", 1)
    assert caplog.messages == ["faces are painted by a GPU from now on"]


def test_the_first_takes_over_when_the_gpu_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    gpu = Gpu()
    backend = FallbackBackend(plain(), gpu)
    wanted = backend.run(INPUTS)
    gpu.lost = True
    for _ in range(3):
        assert np.array_equal(backend.run(INPUTS)["blendshapes"], wanted["blendshapes"])
    assert gpu.runs == 2, "what failed once is not asked again"
    (message,) = caplog.messages
    assert message.startswith("a GPU failed (the GPU failed: unspecified launch failure): ONNX Run")


def test_input_that_no_runtime_can_run_is_an_error() -> None:
    with pytest.raises(ModelError, match="could not be run"):
        FallbackBackend(plain(), Gpu()).run({})


def test_the_fastest_on_a_gpu_has_a_fallback() -> None:
    class Slow(OnnxRuntimeBackend):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            time.sleep(0.02)
            return super().run(inputs)

    slow = Candidate("slow", lambda: Slow(EXACT))
    gpu = Gpu()
    found = fastest([slow, Candidate("gpu", lambda: gpu, on_gpu=True)], INPUTS, EXACT)
    assert found.name == "gpu"
    assert found.backend.runtime == "a GPU"
    assert found.best_s < 0.02
    gpu.lost = True
    assert found.backend.run(INPUTS)["blendshapes"].shape == (52,)
    gpu.lost = False
    alone = fastest([Candidate("gpu", lambda: gpu, on_gpu=True)], INPUTS, EXACT)
    gpu.lost = True
    with pytest.raises(ModelError, match="the GPU failed"):
        alone.backend.run(INPUTS)


def test_a_stream_goes_on_while_a_better_runtime_is_built(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waits = (
        f"import pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists(): time.sleep(0.01)"
    )
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", waits], Gpu, INPUTS, FOREVER)
    upgrade.start()
    try:
        for _ in range(20):
            backend.run(INPUTS)
        assert backend.runtime.startswith("ONNX Runtime")
    finally:
        gate.touch()
    upgrade.join(20)
    backend.run(INPUTS)
    assert backend.runtime == "a GPU"


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("import sys; print('warming up'); sys.exit('no space left')", "no engine: no space left"),
        ("import os; os.abort()", "no engine: its build ended: -6"),
    ],
)
def test_a_build_that_fails_is_reported_and_changes_nothing(
    caplog: pytest.LogCaptureFixture, script: str, message: str
) -> None:
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", script], Gpu, INPUTS, FOREVER)
    upgrade.start()
    upgrade.join(20)
    backend.run(INPUTS)
    assert caplog.messages == [message]
    assert backend.runtime.startswith("ONNX Runtime")


def test_a_runtime_that_is_no_better_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "streamanon")
    backend = FallbackBackend(plain())
    upgrade = Upgrade(backend, [sys.executable, "-c", ""], Gpu, INPUTS, 1e-9)
    upgrade.start()
    upgrade.join(20)
    backend.run(INPUTS)
    assert backend.runtime.startswith("ONNX Runtime")
    assert any(one.startswith("it is not used: what runs now takes") for one in caplog.messages)


def test_the_first_run_does_not_count() -> None:
    class Cold(Gpu):
        def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            if self.runs == 0:
                time.sleep(0.2)
            return super().run(inputs)

    assert best_times([Cold()], INPUTS)[0] < 0.2
