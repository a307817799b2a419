"""The graph Torch-TensorRT compiles paints the faces ONNX Runtime paints; on a GPU, compiled."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest

from testkit.network_rows import Arrays, repeated, worst

pytest.importorskip("torch", reason="the extra torch is not installed")
pytest.importorskip("onnx", reason="the extra torch is not installed")

from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from streamanon import weights
from streamanon.backends import choice, torch_tensorrt_runtime
from streamanon.backends.choice import candidates, fastest
from streamanon.backends.cuda import Device
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.backends.torch_runtime import Precision
from streamanon.backends.torch_tensorrt_runtime import MAX_FACES, as_arrays, exported
from streamanon.backends.trial import noise
from streamanon.errors import ModelError, UsageError
from streamanon.weights.card import read_card

NETWORK = weights.path("anonygan.onnx")

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


@pytest.fixture(autouse=True)
def _no_thread_of_progress_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tqdm is installed, torch.fx makes bars, whose first starts a thread for good."""
    monkeypatch.setattr("torch.hub.tqdm.monitor_interval", 0, raising=False)


def painted(program: ExportedProgram, faces: Arrays) -> Arrays:
    """Run a graph on the processor."""
    with torch.inference_mode():
        names = read_card(NETWORK)["inputs"]
        return as_arrays(program.module()(*(torch.from_numpy(faces[n]).float() for n in names)))


@pytest.fixture(scope="module")
def single() -> ExportedProgram:
    """The graph in single precision."""
    return exported(NETWORK, "fp32")


def test_the_graph_paints_what_the_file_paints_for_any_number_it_takes(
    single: ExportedProgram, live_faces: Arrays
) -> None:
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    assert all(np.ptp(array) > 0 for array in wanted.values()), "the network is alive"
    for count in (1, 2, 3, MAX_FACES):
        made = painted(single, repeated(live_faces, count))
        assert max(worst(made, repeated(wanted, count)).values()) <= 1


@pytest.mark.slow
def test_in_half_precision_convolutions_and_products_are_halves_and_pixels_hardly_change(
    live_faces: Arrays,
) -> None:
    program = exported(NETWORK, "fp16")
    kinds = {
        str(node.args[0].meta["val"].dtype)
        for node in program.graph.nodes
        if node.op == "call_function"
        and isinstance(node.args[0] if node.args else None, Node)
        and any(word in str(node.target) for word in ("aten.conv", "aten.linear", "aten.matmul"))
    }
    assert kinds == {"torch.float16"}
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    assert max(worst(painted(program, live_faces), wanted).values()) <= 3


def test_nothing_of_8_bits_is_left_in_the_graph(single: ExportedProgram) -> None:
    """TensorRT takes such numbers at the ends of a graph only."""
    values = [node.meta.get("val") for node in single.graph.nodes]
    assert not any(getattr(one, "dtype", None) == torch.uint8 for one in values)


def test_without_it_a_named_run_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def spec(name: str) -> ModuleSpec | None:
        return None if name == "torch_tensorrt" else find_spec(name)

    monkeypatch.setattr(choice, "find_spec", spec)
    with pytest.raises(UsageError, match=r"pip install .*'torch-tensorrt>=2\.13'"):
        candidates("torch-tensorrt", NETWORK, None, bf16=False)


@pytest.fixture(params=["AssertionError('no CUDA in it')", "RuntimeError('no driver')"])
def _no_gpu(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Torch-TensorRT as it answers on a machine without a GPU."""
    (tmp_path / "torch_tensorrt.py").write_text(f"raise {request.param}")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "torch_tensorrt", None)
    monkeypatch.delitem(sys.modules, "torch_tensorrt")
    yield
    sys.modules.pop("torch_tensorrt", None)


@pytest.mark.usefixtures("_no_gpu")
def test_where_it_finds_no_gpu_it_says_so_and_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(choice, "has_gpu", lambda: True)
    monkeypatch.setattr(choice, "find_spec", lambda _: True)
    ways = {one.name: one for one in candidates("auto", NETWORK, None, bf16=False)}
    with pytest.raises(ModelError, match=r"Torch-TensorRT finds no GPU it can use \(no "):
        ways["torch-tensorrt fp32"].load()
    inputs = noise(read_card(NETWORK)["inputs"])
    some = [ways["onnxruntime f32"], ways["torch-tensorrt fp32"]]
    taken = fastest(some, inputs, NETWORK)
    assert taken.name == "onnxruntime f32"
    assert "torch-tensorrt fp32: Torch-TensorRT finds no GPU" in taken.why


@pytest.mark.gpu
@pytest.mark.parametrize(("precision", "levels"), [("fp32", 1), ("fp16", 3)])
def test_the_gpu_paints_what_the_processor_paints(
    precision: Precision,
    levels: int,
    live_faces: Arrays,
    gpu: Device,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch_tensorrt", reason="Torch-TensorRT is not installed")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wanted = OnnxRuntimeBackend(NETWORK).run(live_faces)
    with pytest.raises(ModelError, match="no engine of anonygan"):
        torch_tensorrt_runtime.load(NETWORK, precision, build=False)
    for build in (True, False):
        backend = torch_tensorrt_runtime.load(NETWORK, precision, build=build)
        assert gpu.name in backend.runtime
        for count in (1, 2, MAX_FACES, MAX_FACES + 3):
            made = backend.run(repeated(live_faces, count))
            assert max(worst(made, repeated(wanted, count)).values()) <= levels, count
