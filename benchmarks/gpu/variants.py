"""The variants of a network on a GPU: runtimes, each in one or two precisions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from benchmarks.gpu.limits import TYPES
from streamanon.anonygan.deployed import OUTPUTS
from streamanon.backends.batching import BATCHES
from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from benchmarks.gpu.network import MeasuredNetwork
    from streamanon.backends.tensorrt_graph import Precision

Arrays = dict[str, "NDArray[Any]"]


@dataclass(frozen=True)
class PreparedRun:
    """A network prepared to run on one batch.

    Attributes:
        answer: runs the network and returns its outputs.
        run: one run with everything on the GPU; None where only whole runs are possible.
        whole: one run from arrays in memory to arrays in memory.
    """

    answer: Callable[[], Arrays]
    run: Callable[[], object] | None
    whole: Callable[[], object]


def _torch(
    precision: Precision,
    network: MeasuredNetwork,
    device: str,
    batch: int,
    *,
    compiled: bool = False,
    graph: bool = False,
) -> PreparedRun:
    """Run the network with PyTorch, whose convolutions take the weights in their own precision."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if graph and device == "cpu":
        raise ModelError("no CUDA device")
    module: Any = network.module.to(device, TYPES[precision])
    module = module.to(memory_format=torch.channels_last)
    given = network.inputs(batch)
    tensors = [torch.from_numpy(array).to(device) for array in given.values()]
    call: Any = torch.compile(module, dynamic=False) if compiled else module
    half = torch.autocast(device, torch.float16, enabled=precision == "fp16", cache_enabled=False)

    def run() -> tuple[Tensor, ...]:
        with torch.inference_mode(), half:
            answers: tuple[Tensor, ...] = call(*tensors)
            return answers

    if graph:
        recording, answers = _recorded(run)

        def run() -> tuple[Tensor, ...]:
            recording.replay()
            return answers

    def answer() -> Arrays:
        for tensor, array in zip(tensors, given.values(), strict=True):
            tensor.copy_(torch.from_numpy(array))
        return {name: one.cpu().numpy() for name, one in zip(OUTPUTS, run(), strict=True)}

    return PreparedRun(answer, run, answer)


def _recorded(run: Callable[[], tuple[Tensor, ...]]) -> tuple[Any, tuple[Tensor, ...]]:
    """Return a CUDA graph of a run, and its output tensors."""
    aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.cuda.stream(aside):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    recording = torch.cuda.CUDAGraph()
    with torch.cuda.graph(recording):
        answers = run()
    return recording, answers


def _onnx_runtime(graph: Path, network: MeasuredNetwork, device: str, batch: int) -> PreparedRun:
    """Run the network with ONNX Runtime, on the GPU where the installed package supports it."""
    from streamanon.backends.onnx_runtime import CPU, CUDA, OnnxRuntimeBackend

    backend = OnnxRuntimeBackend(graph, provider=CPU if device == "cpu" else CUDA)
    run = partial(backend.run, network.inputs(batch))
    return PreparedRun(run, None, run)


def _tensorrt(
    precision: Precision,
    graph: Path,
    network: MeasuredNetwork,
    _: str,
    batch: int,
) -> PreparedRun:
    """Run the network with TensorRT: as a CUDA graph, and whole as the product does."""
    from streamanon.backends import cuda, engine_build, tensorrt_runtime

    tensorrt_runtime.about()
    gpu = cuda.device()
    saved = graph.with_suffix(f".{precision}.engine")
    if not saved.is_file():
        saved.write_bytes(engine_build.compiled(graph, precision)[0])
    product = tensorrt_runtime.TensorRtBackend(saved.read_bytes(), gpu)
    given = network.inputs(batch)
    answer = partial(product.run, given)
    step = _on_torch(saved.read_bytes(), given)
    recording = _recorded(step)[0]

    def run() -> object:
        recording.replay()
        return step  # keeps the memory that the graph uses

    return PreparedRun(answer, run, answer)


def _on_torch(engine: bytes, given: Arrays) -> Callable[[], tuple[Tensor, ...]]:
    """Return a function that runs an engine once on the GPU, in PyTorch's stream."""
    from streamanon.backends import tensorrt_runtime

    trt = tensorrt_runtime.trt
    runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
    loaded = runtime.deserialize_cuda_engine(engine)
    context = loaded.create_execution_context()
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    batch = len(next(iter(given.values())))
    profile = BATCHES.index(batch)
    context.set_optimization_profile_async(profile, stream.cuda_stream)
    tensors = {name: torch.from_numpy(array).cuda() for name, array in given.items()}
    for name, tensor in tensors.items():
        context.set_input_shape(name, tuple(tensor.shape))
    for name in OUTPUTS:
        kind = np.dtype(trt.nptype(loaded.get_tensor_dtype(name))).name
        shape = tuple(context.get_tensor_shape(name))
        tensors[name] = torch.empty(shape, dtype=getattr(torch, kind), device="cuda")
    for name, tensor in tensors.items():
        context.set_tensor_address(name, tensor.data_ptr())
    stream.wait_stream(torch.cuda.current_stream())
    answers = tuple(tensors[name] for name in OUTPUTS)

    def run() -> tuple[Tensor, ...]:
        if not context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            raise ModelError("the engine could not be run")
        return answers

    run.kept = (runtime, loaded, tensors)  # type: ignore[attr-defined]  # referenced by address only
    torch.cuda.synchronize()
    return run


def variants(
    graph: Path,
) -> dict[str, tuple[Precision, Callable[[MeasuredNetwork, str, int], PreparedRun]]]:
    """Return all variants by name: precision, and the function that prepares a network.

    Args:
        graph: ONNX file of the network.
    """
    return {
        "eager fp32": ("fp32", partial(_torch, "fp32")),
        "eager": ("fp16", partial(_torch, "fp16")),
        "eager, CUDA graph": ("fp16", partial(_torch, "fp16", graph=True)),
        "compiled": ("fp16", partial(_torch, "fp16", compiled=True)),
        "compiled, CUDA graph": ("fp16", partial(_torch, "fp16", compiled=True, graph=True)),
        "onnxruntime": ("fp32", partial(_onnx_runtime, graph)),
        "tensorrt fp32": ("fp32", partial(_tensorrt, "fp32", graph)),
        "tensorrt": ("fp16", partial(_tensorrt, "fp16", graph)),
    }
