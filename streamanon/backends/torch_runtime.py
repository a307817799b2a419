"""The generator on PyTorch, for machines that have PyTorch anyway.

The weights of the ONNX file are loaded back into the modules that they were exported from. On a GPU
a run is one upload, one CUDA graph, one download.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from streamanon.anonygan.checkpoint import architecture
from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.deployed import OUTPUTS, DeployedGenerator
from streamanon.anonygan.network import AnonyGan
from streamanon.backends.batching import BATCHES, Arrays, checked_rows, run_in_batches
from streamanon.errors import ModelError, error_line
from streamanon.weights.card import read_card

Precision = Literal["fp32", "fp16"]

Layout = dict[str, "tuple[tuple[int, ...], np.dtype[Any]]"]
"""Shape of a row and dtype, by name."""

_ALIGNMENT = 256
"""Alignment of arrays in bytes."""

_WARM_UPS = 3

_PREFIX = "generator."
"""Prefix of the names of weights in the file."""


def has_gpu() -> bool:
    """Return whether PyTorch can use a GPU."""
    return torch.cuda.is_available()


def restore(path: Path, card: Mapping[str, Any]) -> DeployedGenerator:
    """Return the network that an ONNX file was exported from.

    Raises:
        ModelError: The file is not a generator, or one of another version.
    """
    failed = f"{path.name} is not a network PyTorch can load"
    try:
        network = AnonyGan(GeneratorConfig(**card["config"]))
        if network.config.wiring != "live" or architecture(network) != card["architecture"]:
            raise ModelError(f"{failed}: another version of streamanon made it, export it again")
        generator = network.generator
        weights = _weights(onnx.load(path).graph, generator)
        generator.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{failed} ({error_line(error)}): install streamanon again") from error
    return DeployedGenerator(generator, tuple(card["inputs"])).eval()


def _weights(graph: onnx.GraphProto, generator: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Return the weights of a generator by their names in its state dict.

    Biases that are all zero may be missing, or share a name. The weights of linear layers without a
    bias have lost their names and are transposed; they are taken in the order of the layers.
    """
    held = {one.name.removesuffix(".half"): numpy_helper.to_array(one) for one in graph.initializer}
    shapes = {name: tuple(value.shape) for name, value in generator.state_dict().items()}
    found = {name: held[f"{_PREFIX}{name}"] for name in shapes if f"{_PREFIX}{name}" in held}
    nameless = []
    for node in graph.node:
        weight, bias = (*node.input, "", "", "")[1:3]
        name = weight.removeprefix(_PREFIX).removesuffix(".weight") + ".bias"
        if node.op_type == "MatMul" and weight in held:
            nameless.append(held[weight].T)
        elif node.op_type in ("Conv", "Gemm") and name in shapes:
            found[name] = held[bias] if bias else np.zeros(shapes[name], np.float32)
    lost = [name for name in shapes if name not in found]
    found |= dict(zip(lost, nameless, strict=True))
    for name, shape in shapes.items():
        if found[name].shape != shape:
            raise ModelError(f"{name} is {found[name].shape}, wanted {shape}")
    return {name: found[name].astype(np.float32) for name in shapes}


class TorchBackend:
    """The generator, loaded."""

    def __init__(self, path: Path, *, precision: Precision = "fp32", threads: int = 1) -> None:
        """Load a network onto the GPU, or without a GPU onto the CPU in float32.

        Args:
            path: ``anonygan.onnx``.
            precision: number format of convolutions and products on a GPU.
            threads: number of CPU threads without a GPU; applies to the whole process.

        Raises:
            ModelError: The file is not a generator, or the GPU has too little memory.
        """
        card = read_card(path)
        module = restore(path, card)
        self._name, self._inputs = path.name, layout(card["inputs"])
        self._module = module
        self._prepared: dict[int, _CapturedGraph] = {}
        if not has_gpu():
            torch.set_num_threads(threads)
            plural = "s" if threads > 1 else ""
            self.runtime = f"PyTorch {torch.__version__} CPU fp32, {threads} thread{plural}"
            return
        with self._as_model_error("could not be prepared on the GPU"):
            outputs = layout(card["outputs"])
            call = _on_gpu(module, precision)
            self._prepared = {
                size: _CapturedGraph(call, self._inputs, outputs, size) for size in BATCHES
            }
        name = torch.cuda.get_device_name()
        self.runtime = f"PyTorch {torch.__version__} on {name}, {precision}, with CUDA graphs"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        """Map named input arrays to named output arrays; raises ModelError."""
        count = checked_rows(inputs, self._inputs, self._name)
        with self._as_model_error("could not be run"):
            if not self._prepared:
                return self._eager(inputs)
            return run_in_batches(
                inputs, count, lambda size, part, rows: self._prepared[size].run(part, rows)
            )

    def _eager(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        tensors = [torch.from_numpy(np.array(inputs[name])) for name in self._inputs]
        with torch.inference_mode():
            answers = self._module(*tensors)
        return {name: one.numpy() for name, one in zip(OUTPUTS, answers, strict=True)}

    @contextmanager
    def _as_model_error(self, failed: str) -> Iterator[None]:
        """Turn PyTorch's errors into ModelError."""
        try:
            yield
        except RuntimeError as error:  # out of memory among them
            raise ModelError(f"{self._name} {failed}: {error_line(error)}") from error


def layout(about: Mapping[str, Mapping[str, Any]]) -> Layout:
    """Return the layout of a network's inputs or outputs, as described by its model card."""
    return {name: (tuple(one["shape"][1:]), np.dtype(one["dtype"])) for name, one in about.items()}


def _on_gpu(module: nn.Module, precision: Precision) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function that runs a network on the GPU, its weights converted to the precision.

    In half precision, autocast keeps sums over many numbers and the output layers in float32.
    """
    half = precision == "fp16"
    kind = torch.float16 if half else torch.float32
    placed: Any = module.to("cuda", kind)
    placed = placed.to(memory_format=torch.channels_last)

    def call(*tensors: Tensor) -> tuple[Tensor, ...]:
        with torch.autocast("cuda", torch.float16, enabled=half, cache_enabled=False):
            answers: tuple[Tensor, ...] = placed(*tensors)
            return answers

    return call


class _Buffer:
    """Arrays contiguous on the GPU and in pinned host memory: one copy moves all of them."""

    def __init__(self, layout: Layout, rows: int) -> None:
        """Allocate the memory."""
        places, end = {}, 0
        for name, (shape, kind) in layout.items():
            size = rows * int(np.prod(shape)) * kind.itemsize
            places[name] = (end, end + size)
            end += -(-size // _ALIGNMENT) * _ALIGNMENT
        self._device = torch.zeros(end, dtype=torch.uint8, device="cuda")
        self._host = torch.zeros(end, dtype=torch.uint8, pin_memory=True)
        self.host, self.device = {}, {}
        for name, (shape, kind) in layout.items():
            low, high = places[name]
            self.host[name] = self._host.numpy()[low:high].view(kind).reshape(rows, *shape)
            typed = self._device[low:high].view(getattr(torch, kind.name))
            self.device[name] = typed.reshape(rows, *shape)

    def upload(self) -> None:
        """Enqueue a copy from the host to the GPU."""
        self._device.copy_(self._host, non_blocking=True)

    def download(self) -> None:
        """Enqueue a copy from the GPU to the host."""
        self._host.copy_(self._device, non_blocking=True)


class _CapturedGraph:
    """A network for one batch size, captured as a CUDA graph."""

    def __init__(
        self, call: Callable[..., tuple[Tensor, ...]], inputs: Layout, outputs: Layout, rows: int
    ) -> None:
        """Allocate memory and capture, without TF32, which would reduce the precision."""
        self._inputs, self._outputs = _Buffer(inputs, rows), _Buffer(outputs, rows)
        self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream())
        with (
            torch.inference_mode(),
            torch.backends.cudnn.flags(
                enabled=True, benchmark=True, deterministic=False, allow_tf32=False
            ),
        ):
            with torch.cuda.stream(self._stream):
                for _ in range(_WARM_UPS):
                    self._step(call)
            self._stream.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(
                self._graph, stream=self._stream, capture_error_mode="thread_local"
            ):
                self._step(call)
        self._stream.synchronize()

    def _step(self, call: Callable[..., tuple[Tensor, ...]]) -> None:
        answers: Sequence[Tensor] = call(*self._inputs.device.values())
        for name, answer in zip(OUTPUTS, answers, strict=True):
            self._outputs.device[name].copy_(answer)

    def run(self, inputs: Arrays, count: int) -> Arrays:
        """Run some rows; the rest of the batch is padding."""
        for name, array in inputs.items():
            self._inputs.host[name][:count] = array
        with torch.cuda.stream(self._stream):
            self._inputs.upload()
            self._graph.replay()
            self._outputs.download()
        self._stream.synchronize()
        return {name: array[:count].copy() for name, array in self._outputs.host.items()}
