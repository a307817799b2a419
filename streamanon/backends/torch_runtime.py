"""The network that paints faces on PyTorch, on NVIDIA cards, for those who have PyTorch anyway.

What ships is ONNX; here its weights go back into the modules they came from. On a card a run is one
copy there, one CUDA graph, one copy back.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from streamanon.anonygan.checkpoint import architecture
from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.deployed import OUTPUTS, DeployedGenerator
from streamanon.anonygan.network import AnonyGan
from streamanon.backends.batching import BATCHES, Arrays, in_parts, rows_of
from streamanon.errors import ModelError, error_line
from streamanon.weights.card import read_card

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

Precision = Literal["fp32", "fp16"]

Layout = dict[str, "tuple[tuple[int, ...], np.dtype[Any]]"]
"""Shape of a row and type, by name."""

_ALIGNED = 256
"""Bytes at whose multiples arrays begin."""

_WARM_UPS = 3

_PREFIX = "generator."
"""Of the names of weights in the file."""


def has_gpu() -> bool:
    """Return whether PyTorch can use a card here."""
    return torch.cuda.is_available()


def restored(path: Path, card: Mapping[str, Any]) -> DeployedGenerator:
    """Return the network that an ONNX file was exported from.

    Args:
        path: of the file.
        card: inside it.

    Raises:
        ModelError: it is no such file, or one of another version.
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
    """Return the weights of a generator by the names they have there.

    Biases of nothing but zeros may be missing, or share a name. The weights of linear layers
    without a bias have lost their names, and lie transposed; they are used in the order in which
    the layers stand.

    Raises:
        ModelError: there are others than the generator has.
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
    """The network that paints faces, loaded.

    Attributes:
        runtime: what runs the network here.
    """

    def __init__(self, path: Path, *, precision: Precision = "fp32", threads: int = 1) -> None:
        """Load a network: onto the card, or where there is none for the processor, in float32.

        Args:
            path: of ``anonygan.onnx``.
            precision: in which convolutions and products are calculated on a card.
            threads: of the processor, where there is no card; they hold for the whole process.

        Raises:
            ModelError: the file is no such network, or the card has too little memory.
        """
        card = read_card(path)
        module = restored(path, card)
        self._name, self._inputs = path.name, layout(card["inputs"])
        self._module = module
        self._prepared: dict[int, _Recorded] = {}
        if not has_gpu():
            torch.set_num_threads(threads)
            self.runtime = f"PyTorch {torch.__version__} CPU fp32, {_threads(threads)}"
            return
        with self._told("could not be prepared on the card"):
            outputs = layout(card["outputs"])
            call = _on_card(module, precision)
            self._prepared = {
                size: _Recorded(call, self._inputs, outputs, size) for size in BATCHES
            }
        name = torch.cuda.get_device_name()
        self.runtime = f"PyTorch {torch.__version__} on {name}, {precision}, with CUDA graphs"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: an input has the wrong name, type or shape, or the card failed.
        """
        count = rows_of(inputs, self._inputs, self._name)
        with self._told("could not be run"):
            if not self._prepared:
                return self._eager(inputs)
            return in_parts(
                inputs, count, lambda size, part, rows: self._prepared[size].run(part, rows)
            )

    def _eager(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        tensors = [torch.from_numpy(np.array(inputs[name])) for name in self._inputs]
        with torch.inference_mode():
            answers = self._module(*tensors)
        return {name: one.numpy() for name, one in zip(OUTPUTS, answers, strict=True)}

    @contextmanager
    def _told(self, failed: str) -> Iterator[None]:
        """Turn what PyTorch raises into what the rest of the product expects."""
        try:
            yield
        except RuntimeError as error:  # out of memory among them
            raise ModelError(f"{self._name} {failed}: {error_line(error)}") from error


def layout(about: Mapping[str, Mapping[str, Any]]) -> Layout:
    """Return what a card says of a network's inputs or outputs."""
    return {name: (tuple(one["shape"][1:]), np.dtype(one["dtype"])) for name, one in about.items()}


def _on_card(module: nn.Module, precision: Precision) -> Callable[..., tuple[Tensor, ...]]:
    """Return what calls a network on the card; its weights lie there as they are calculated with.

    In half precision sums over many numbers and the last step of every pixel stay in float32.
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


class _Block:
    """Arrays that lie behind each other on the card, with a twin in memory: one copy moves all.

    Attributes:
        host: the twin's arrays.
        card: the arrays on the card.
    """

    def __init__(self, layout: Layout, rows: int) -> None:
        """Take memory."""
        places, end = {}, 0
        for name, (shape, kind) in layout.items():
            size = rows * int(np.prod(shape)) * kind.itemsize
            places[name] = (end, end + size)
            end += -(-size // _ALIGNED) * _ALIGNED
        self._card = torch.zeros(end, dtype=torch.uint8, device="cuda")
        self._host = torch.zeros(end, dtype=torch.uint8, pin_memory=True)
        self.host, self.card = {}, {}
        for name, (shape, kind) in layout.items():
            low, high = places[name]
            self.host[name] = self._host.numpy()[low:high].view(kind).reshape(rows, *shape)
            typed = self._card[low:high].view(getattr(torch, kind.name))
            self.card[name] = typed.reshape(rows, *shape)

    def upload(self) -> None:
        """Have the twin copied onto the card."""
        self._card.copy_(self._host, non_blocking=True)

    def download(self) -> None:
        """Have the arrays copied into the twin."""
        self._host.copy_(self._card, non_blocking=True)


class _Recorded:
    """A network for one number of rows, recorded as a CUDA graph."""

    def __init__(
        self, call: Callable[..., tuple[Tensor, ...]], takes: Layout, gives: Layout, rows: int
    ) -> None:
        """Take memory and record; TF32 would round what float32 is to keep."""
        self._takes, self._gives = _Block(takes, rows), _Block(gives, rows)
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
        answers: Sequence[Tensor] = call(*self._takes.card.values())
        for name, answer in zip(OUTPUTS, answers, strict=True):
            self._gives.card[name].copy_(answer)

    def run(self, inputs: Arrays, count: int) -> Arrays:
        """Run some rows; what the batch has more is whatever was there."""
        for name, array in inputs.items():
            self._takes.host[name][:count] = array
        with torch.cuda.stream(self._stream):
            self._takes.upload()
            self._graph.replay()
            self._gives.download()
        self._stream.synchronize()
        return {name: array[:count].copy() for name, array in self._gives.host.items()}


def _threads(count: int) -> str:
    return f"{count} thread{'s' if count > 1 else ''}"
