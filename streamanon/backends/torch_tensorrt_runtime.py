"""The network that paints faces, compiled ahead of time by Torch-TensorRT, for those who prefer it.

The weights go back into the modules they came from (:mod:`streamanon.backends.torch_runtime`),
PyTorch exports those as one graph, Torch-TensorRT compiles that, and what comes out is kept like
any other engine. TensorRT takes and gives no 8 bit numbers inside a graph: it begins after and ends
before them.
"""

from __future__ import annotations

import io
import tempfile
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from streamanon.anonygan.deployed import OUTPUTS, as_bytes
from streamanon.backends.batching import rows_of
from streamanon.backends.cuda import device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.backends.torch_runtime import layout, restored
from streamanon.errors import ModelError, error_line
from streamanon.extras import install_hint
from streamanon.weights.card import read_card

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

    from numpy.typing import NDArray
    from torch import Tensor
    from torch.export import ExportedProgram

    from streamanon.backends.batching import Arrays
    from streamanon.backends.torch_runtime import Layout, Precision


MAX_FACES, USUAL_FACES = 8, 4
"""Faces an engine takes at once, and how many it is tuned for."""

_TRIED = 2
"""Faces the graph is recorded with; 1 would be taken for a number that never changes."""


class _Painter(nn.Module):
    """The network between its 8 bit ends; in half precision as :mod:`torch_runtime` runs it."""

    def __init__(self, path: Path, card: Mapping[str, Any], precision: Precision) -> None:
        super().__init__()
        deployed = restored(path, card)
        self.generator, self.names = deployed.generator, deployed.names
        self.in_half = precision == "fp16"

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``OUTPUTS``, images channels first and in 0..1."""
        with torch.autocast("cpu", torch.float16, enabled=self.in_half, cache_enabled=False):
            parts = self.generator(dict(zip(self.names, inputs, strict=True)))
        return tuple(parts[name].float() for name in OUTPUTS)


def exported(path: Path, precision: Precision) -> ExportedProgram:
    """Return the network as one graph of PyTorch, for 1 to MAX_FACES faces; needs no card.

    Args:
        path: of ``anonygan.onnx``.
        precision: in which convolutions and products are calculated.

    Raises:
        ModelError: the file is no such network.
    """
    card = read_card(path)
    painter = _Painter(path, card, precision).eval()
    rows = layout(card["inputs"])
    program = torch.export.export(painter, _example(rows, "cpu"), dynamic_shapes=_shapes(rows))
    plain: ExportedProgram = program.run_decompositions({})
    return plain


def about() -> str:
    """Return which Torch-TensorRT there is.

    Raises:
        ModelError: there is none that works here.
    """
    return f"Torch-TensorRT {_compiler().__version__}, PyTorch {torch.__version__}"


def load(path: Path, precision: Precision, *, build: bool) -> TorchTensorRtBackend:
    """Return a network that runs on the card.

    Args:
        path: of ``anonygan.onnx``.
        precision: to calculate in.
        build: compile it if there is no engine yet, which takes a minute.

    Raises:
        ModelError: there is no engine, or it cannot be built or loaded.
    """
    plan, cache = Plan.of(path, precision, about(), device()), EngineCache()
    make = partial(_compiled, path, precision)
    engine = cache.get_or_build(plan, make) if build else cache.read(plan)
    return TorchTensorRtBackend(path, engine)


class TorchTensorRtBackend:
    """The network that paints faces, compiled.

    Attributes:
        runtime: what runs the network here.
    """

    def __init__(self, path: Path, engine: bytes) -> None:
        """Load an engine onto the card.

        Args:
            path: of the network it was compiled from.
            engine: from :func:`load`.

        Raises:
            ModelError: it cannot be loaded.
        """
        self._name, self._inputs = path.name, layout(read_card(path)["inputs"])
        name = about()
        with _told(f"{self._name} could not be loaded by Torch-TensorRT"):
            self._painter = torch.export.load(io.BytesIO(engine)).module()
        self.runtime = f"{name} on {torch.cuda.get_device_name()}"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: an input has the wrong name, type or shape, or the card failed.
        """
        count = rows_of(inputs, self._inputs, self._name)
        with _told(f"{self._name} could not be run"), torch.inference_mode():
            answers = [self._paint(inputs, at) for at in range(0, count, MAX_FACES)]
        return {name: np.concatenate([one[name] for one in answers]) for name in OUTPUTS}

    def _paint(self, inputs: Mapping[str, NDArray[np.generic]], first: int) -> Arrays:
        rows = slice(first, first + MAX_FACES)
        tensors = [torch.from_numpy(np.array(inputs[name][rows])).cuda() for name in self._inputs]
        return as_arrays(self._painter(*(one.float() for one in tensors)))


def as_arrays(answers: tuple[Tensor, ...]) -> Arrays:
    """Return what the graph answers as the network's outputs."""
    parts = dict(zip(OUTPUTS, answers, strict=True))
    parts["face"] = as_bytes(parts["face"].permute(0, 2, 3, 1))
    parts["attention"] = as_bytes(parts["attention"][:, 0])
    return {name: part.cpu().numpy() for name, part in parts.items()}


def _compiled(path: Path, precision: Precision, timings: bytes) -> tuple[bytes, bytes]:
    """Return an engine; nothing is kept of how long its parts took."""
    del timings
    compiler, rows = _compiler(), layout(read_card(path)["inputs"])
    program = exported(path, precision)
    sizes = (1, USUAL_FACES, MAX_FACES)
    inputs = []
    for shape, _ in rows.values():
        least, usual, most = ((size, *shape) for size in sizes)
        one = compiler.Input(min_shape=least, opt_shape=usual, max_shape=most, dtype=torch.float32)
        inputs.append(one)
    with (
        _told(f"{path.name} could not be compiled by Torch-TensorRT"),
        tempfile.TemporaryDirectory() as folder,
    ):
        made = compiler.dynamo.compile(
            program, arg_inputs=inputs, disable_tf32=True, min_block_size=1
        )
        file = Path(folder) / "engine.pt2"
        compiler.save(
            made, str(file), arg_inputs=_example(rows, "cuda"), dynamic_shapes=_shapes(rows)
        )
        return file.read_bytes(), b""


def _example(rows: Layout, where: str) -> tuple[Tensor, ...]:
    return tuple(torch.zeros(_TRIED, *shape, device=where) for shape, _ in rows.values())


def _shapes(rows: Layout) -> tuple[tuple[dict[int, Any], ...]]:
    """Return which lengths may change: the number of faces, which all inputs share."""
    faces = torch.export.Dim("faces", min=1, max=MAX_FACES)
    return (tuple({0: faces} for _ in rows),)


def _compiler() -> ModuleType:
    """Return Torch-TensorRT, which says in many ways that it cannot be used.

    Raises:
        ModelError: it cannot.
    """
    try:
        return import_module("torch_tensorrt")
    except ImportError as error:
        hint = install_hint("torch-tensorrt")
        raise ModelError(f"Torch-TensorRT is not installed ({error}): {hint}") from error
    except Exception as error:
        raise ModelError(
            f"Torch-TensorRT finds no card it can use ({error_line(error)})"
        ) from error


@contextmanager
def _told(failed: str) -> Iterator[None]:
    """Turn whatever PyTorch and Torch-TensorRT raise into what the rest of the product expects."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{failed}: {error_line(error)}") from error
