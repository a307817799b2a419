"""The fastest runtime is found by trying; one asked for by name is never replaced."""

import time
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.backends import choice, tensorrt_runtime
from streamanon.backends.choice import Candidate, candidates, detection_candidates, fastest
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.trial import noise
from streamanon.errors import ModelError, UsageError
from testkit.networks import ChangedNetwork

EXACT = weights.path("face_blendshapes.onnx")
INPUTS = {"points": np.random.default_rng(0).random((1, 146, 2), np.float32) * 200}


def load() -> OnnxRuntimeBackend:
    return OnnxRuntimeBackend(EXACT)


class Slow(OnnxRuntimeBackend):
    """The same network on a slower machine."""

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        time.sleep(0.03)
        return super().run(inputs)


SLOW = Candidate("slow", lambda: Slow(EXACT))


def test_the_fastest_is_taken_and_the_others_are_reported() -> None:
    found = fastest([SLOW, Candidate("plain", load), SLOW], INPUTS, EXACT)
    assert type(found.backend) is OnnxRuntimeBackend
    assert found.runtime.startswith("plain: ONNX Runtime")
    times_ms = [float(part.split()[-2]) for part in found.why.split("; ")]
    assert [part.split()[0] for part in found.why.split("; ")][1:] == ["slow", "slow"]
    assert times_ms[0] < 30 <= min(times_ms[1:])


def test_what_cannot_be_loaded_is_skipped_and_reported(tmp_path: Path) -> None:
    broken = Candidate("broken", partial(OnnxRuntimeBackend, tmp_path / "none.onnx"))
    found = fastest([broken, Candidate("plain", load)], INPUTS, EXACT)
    assert found.backend.run(INPUTS)["blendshapes"].shape == (52,)
    assert found.why.startswith("broken: none.onnx is not a network")
    with pytest.raises(ModelError, match=r"broken: none\.onnx"):
        fastest([broken], INPUTS, EXACT)


def names(runtime: str, *, bf16: bool = False) -> list[str]:
    exact, int8 = weights.path("face_mesh.onnx"), EXACT
    return [one.name for one in candidates(runtime, exact, int8, bf16=bf16)]


def test_a_runtime_asked_for_by_name_has_no_rivals_but_its_own_forms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert names("onnxruntime", bf16=True) == ["onnxruntime f32", "onnxruntime int8"]
    if not find_spec("openvino"):
        pytest.skip("the extra openvino is not installed")
    assert names("openvino") == ["openvino f32", "openvino int8"]
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    assert names("auto") == [*names("onnxruntime"), *names("openvino")]


def test_a_machine_with_a_gpu_has_more_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    if not find_spec("openvino"):  # whose import starts a thread, unless its telemetry is blocked
        pytest.skip("the extra openvino is not installed")
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    both = [*names("onnxruntime"), *names("openvino")]
    found = {name.split()[0] for name in names("auto") if name not in both}
    assert found == {"cuda", "tensorrt", "torch-tensorrt", "torch"}


@pytest.mark.trt
@pytest.mark.usefixtures("tensorrt")
def test_half_precision_is_for_networks_that_lose_little_by_it() -> None:
    exact = weights.path("anonygan.onnx")
    for fp16, name in ((True, "tensorrt fp16"), (False, "tensorrt fp32")):
        (only,) = candidates("tensorrt", exact, None, bf16=True, fp16=fp16)
        assert (only.name, only.on_gpu) == (name, True)


def test_what_a_gpu_lacks_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    monkeypatch.setattr(choice, "has_cuda", lambda: False)
    monkeypatch.setattr(tensorrt_runtime, "trt", None)
    exact = EXACT
    found = fastest(candidates("auto", exact, None, bf16=False), INPUTS, EXACT)
    assert "cuda: this onnxruntime has no CUDA: pip uninstall onnxruntime, pip ins" in found.why
    assert "tensorrt: not installed: pip install 'cuda-bindings<14,>=13' 'onnx>=" in found.why
    for name in ("cuda", "tensorrt"):
        with pytest.raises(UsageError, match=f"runtime {name} is not available: .+ install"):
            names(name)


@pytest.mark.parametrize(("cores", "threads"), [(2, 1), (4, 2)])
def test_a_second_thread_is_for_those_with_cores_to_spare(
    monkeypatch: pytest.MonkeyPatch, cores: int, threads: int
) -> None:
    monkeypatch.setattr(choice, "cores", lambda: cores)
    (only,) = candidates("onnxruntime", EXACT, None, bf16=False)
    assert f", {threads} thread" in only.load().runtime


def test_a_form_that_loses_too_much_is_left_out() -> None:
    exact = weights.path("face_mesh.onnx")
    found = candidates("auto", exact, None, bf16=False)
    assert not any("int8" in one.name or "bf16" in one.name for one in found)


def test_a_runtime_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    with pytest.raises(UsageError, match=r"pip install 'openvino>=2025\.0'"):
        names("openvino")
    exact = EXACT
    found = fastest(candidates("auto", exact, None, bf16=True), INPUTS, EXACT)
    assert found.why == "openvino: not installed: pip install 'openvino>=2025.0'"


@pytest.mark.parametrize("off", [1.5, float("nan")])
def test_a_gpu_that_answers_otherwise_than_the_processor_is_passed_over(off: float) -> None:
    def changed(change: Callable[[Any], Any]) -> Candidate:
        def network() -> OnnxRuntimeBackend:
            return ChangedNetwork(
                EXACT.name, lambda answer: {name: change(one) for name, one in answer.items()}
            )

        return Candidate("gpu", network, on_gpu=True)

    gpu = changed(lambda one: np.asarray(one, np.float32) * off)
    found = fastest([SLOW, gpu], INPUTS, EXACT)
    assert found.name == "slow"
    assert "gpu: answers otherwise than the processor: blendshapes is " in found.why
    with pytest.raises(ModelError, match="answers otherwise"):
        fastest([gpu], INPUTS, EXACT)
    half_precision = changed(lambda one: one.astype(np.float16))
    assert fastest([half_precision], INPUTS, EXACT).on_gpu


def test_what_finds_faces_runs_on_one_core_or_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = weights.path("face_mesh.onnx")

    def found(runtime: str) -> list[str]:
        return [one.name.split()[0] for one in detection_candidates(runtime, exact)]

    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    for runtime in ("auto", "onnxruntime", "openvino", "torch"):
        assert found(runtime) == ["onnxruntime"]
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    assert found("auto") == ["onnxruntime", "cuda", "tensorrt"]
    assert found("torch") == ["onnxruntime"]
    monkeypatch.setattr(choice, "has_cuda", lambda: False)
    with pytest.raises(UsageError, match="runtime cuda is not available"):
        found("cuda")


def test_noise_has_the_form_that_the_model_card_describes() -> None:
    made = noise({"image": {"shape": ["faces", 4, 5], "dtype": "uint8"}})
    assert made["image"].shape == (1, 4, 5)
    assert made["image"].dtype == np.uint8
    assert np.ptp(made["image"]) > 0
