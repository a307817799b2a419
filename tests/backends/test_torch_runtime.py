"""PyTorch paints the faces ONNX Runtime paints, from the same file; on a GPU, in any number."""

import shutil
from collections import Counter
from typing import Any

import numpy as np
import pytest

from testkit.network_rows import Arrays, misfits, repeated, worst

pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("onnx", reason="the extra torch is not installed")

from pathlib import Path

import onnx
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from streamanon import weights
from streamanon.backends import choice, torch_runtime
from streamanon.backends.batching import BATCHES
from streamanon.backends.choice import candidates, fastest
from streamanon.backends.cuda import Device
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.torch_runtime import Precision, TorchBackend, restore
from streamanon.backends.trial import noise
from streamanon.errors import ModelError, UsageError
from streamanon.weights.card import read_card

NETWORK = weights.path("anonygan.onnx")


@pytest.fixture
def _no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_runtime, "has_gpu", lambda: False)


@pytest.mark.usefixtures("_no_card")
def test_the_weights_in_the_file_paint_what_the_file_paints(live_faces: Arrays) -> None:
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    assert all(np.ptp(array) > 0 for array in wanted.values()), "the network is alive"
    backend = TorchBackend(NETWORK)
    assert backend.runtime == f"PyTorch {torch.__version__} CPU fp32, 1 thread"
    assert max(worst(backend.run(live_faces), wanted).values()) <= 1
    other = {name: rows[::-1] for name, rows in live_faces.items()}
    assert worst(backend.run(other), wanted)["face"] > 20, "other faces are painted otherwise"


@pytest.mark.usefixtures("_no_card")
def test_what_does_not_fit_is_refused_in_one_line(live_faces: Arrays) -> None:
    backend = TorchBackend(NETWORK)
    flat: Arrays = {name: np.zeros((), array.dtype) for name, array in live_faces.items()}
    for inputs in (*misfits(live_faces), flat):
        with pytest.raises(ModelError, match=r"^anonygan.onnx could not be run: .+$"):
            backend.run(inputs)
    backend.run(live_faces)


@pytest.mark.usefixtures("_no_card")
def test_only_the_network_that_paints_faces_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"face_mesh\.onnx has no card"):
        TorchBackend(weights.path("face_mesh.onnx"))
    with pytest.raises(ModelError, match=r"anonygan_condition\.onnx is not a network PyTorch can"):
        TorchBackend(weights.path("anonygan_condition.onnx"))
    card = read_card(NETWORK)
    older = card | {"architecture": "0"}
    with pytest.raises(ModelError, match="another version of streamanon made it"):
        restore(NETWORK, older)
    unknown = card | {"config": card["config"] | {"depth": 3}}
    with pytest.raises(ModelError, match=r"is not a network PyTorch can load .*depth"):
        restore(NETWORK, unknown)
    lacking = tmp_path / "lacking.onnx"
    shutil.copy(NETWORK, lacking)
    model = onnx.load(lacking)
    del model.graph.initializer[0]
    onnx.save(model, lacking)
    with pytest.raises(ModelError, match=r"lacking\.onnx is not a network PyTorch can load"):
        restore(lacking, card)


def test_a_run_makes_nothing_that_a_recording_could_not_repeat() -> None:
    """Numbers of Python would have to be copied onto the GPU in the midst of a CUDA graph."""
    made: Counter[str] = Counter()

    class Noted(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
        ) -> Any:
            if not any(isinstance(one, torch.Tensor | list | tuple) for one in args):
                made[str(func)] += 1
            assert "lift" not in str(func)
            assert "item" not in str(func)
            assert "local_scalar" not in str(func)
            return func(*args, **(kwargs or {}))

    card = read_card(NETWORK)
    module = restore(NETWORK, card)
    tensors = [torch.from_numpy(array) for array in noise(card["inputs"]).values()]
    with torch.inference_mode(), Noted():  # type: ignore[no-untyped-call]
        module(*tensors)
    assert list(made) == ["aten.arange.default"]


def test_it_joins_the_race_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_runtime, "has_gpu", lambda: False)
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    (named,) = candidates("torch", NETWORK, None, bf16=False)
    assert "CPU fp32" in named.load().runtime
    inputs = noise(read_card(NETWORK)["inputs"])
    found = fastest(candidates("auto", NETWORK, None, bf16=False), inputs, NETWORK)
    assert "torch: PyTorch finds no GPU it can use" in found.why
    monkeypatch.setattr(choice, "has_gpu", lambda: False)
    assert not any("torch" in one.name for one in candidates("auto", NETWORK, None, bf16=False))
    monkeypatch.setattr(choice, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install .*'torch>=2\.6'"):
        candidates("torch", NETWORK, None, bf16=False)


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "levels"), [("fp32", 1), ("fp16", 2)])
def test_the_gpu_paints_what_the_processor_paints(
    precision: Precision, levels: int, live_faces: Arrays, gpu: Device
) -> None:
    if not torch_runtime.has_gpu():
        pytest.skip("this PyTorch is for the processor")
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    assert all(np.ptp(array) > 0 for array in wanted.values()), "the network is alive"
    backend = TorchBackend(NETWORK, precision=precision)
    assert gpu.name in backend.runtime
    for count in (1, 2, 4, 5, *BATCHES, BATCHES[-1] + 3):
        made = backend.run(repeated(live_faces, count))
        assert max(worst(made, repeated(wanted, count)).values()) <= levels, count


@pytest.mark.gpu
@pytest.mark.usefixtures("gpu")
def test_too_little_memory_is_an_error_that_can_be_answered(
    monkeypatch: pytest.MonkeyPatch, live_faces: Arrays
) -> None:
    if not torch_runtime.has_gpu():
        pytest.skip("this PyTorch is for the processor")
    backend = TorchBackend(NETWORK)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-6)
    try:
        with pytest.raises(ModelError, match=r"^anonygan.onnx could not be prepared on the GPU: "):
            TorchBackend(NETWORK)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert backend.run(live_faces)["face"].shape == live_faces["context"].shape
