"""The generator, compiled ahead of time by Torch-TensorRT.

The weights are loaded back into the modules that they were exported from
(:mod:`streamanon.backends.torch_runtime`), PyTorch exports these as one graph, Torch-TensorRT
compiles it, and the result is stored in the cache of engines. The graph has float inputs and
outputs, since TensorRT does not convert 8 bit images.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export import ExportedProgram

from streamanon.anonygan.deployed import OUTPUTS, as_bytes
from streamanon.backends.batching import Arrays, checked_rows
from streamanon.backends.cuda import device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.backends.torch_runtime import Layout, Precision, layout, restore
from streamanon.errors import ModelError, error_line
from streamanon.extras import install_hint
from streamanon.weights.card import read_card

MAX_FACES, TYPICAL_FACES = 8, 4
"""Maximum batch size of an engine, and the batch size it is tuned for."""

_TRACED = 2
"""Batch size that the graph is traced with; 1 would be specialised as a constant."""


class _FloatGenerator(nn.Module):
    """The generator without the conversions from and to 8 bit images."""

    def __init__(self, path: Path, card: Mapping[str, Any], precision: Precision) -> None:
        super().__init__()
        deployed = restore(path, card)
        self.generator, self.names = deployed.generator, deployed.names
        self.in_half = precision == "fp16"

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``OUTPUTS``, images channels first and in 0..1."""
        with torch.autocast("cpu", torch.float16, enabled=self.in_half, cache_enabled=False):
            parts = self.generator(dict(zip(self.names, inputs, strict=True)))
        return tuple(parts[name].float() for name in OUTPUTS)


def exported(path: Path, precision: Precision) -> ExportedProgram:
    """Return the generator as one graph of PyTorch, for 1 to MAX_FACES faces; needs no GPU.

    Raises:
        ModelError: The file is not a generator.
    """
    card = read_card(path)
    generator = _FloatGenerator(path, card, precision).eval()
    rows = layout(card["inputs"])
    program = torch.export.export(generator, _example(rows, "cpu"), dynamic_shapes=_shapes(rows))
    plain: ExportedProgram = program.run_decompositions({})
    return plain


def about() -> str:
    """Return the versions of Torch-TensorRT and PyTorch.

    Raises:
        ModelError: Torch-TensorRT is not installed, or does not work here.
    """
    return f"Torch-TensorRT {_compiler().__version__}, PyTorch {torch.__version__}"


def load(path: Path, precision: Precision, *, build: bool) -> TorchTensorRtBackend:
    """Return the generator loaded onto the GPU; building it, if the cache has none, takes a minute.

    Raises:
        ModelError: There is no engine, or it cannot be built or loaded.
    """
    plan, cache = Plan.of(path, precision, about(), device()), EngineCache()
    make = partial(_compiled, path, precision)
    engine = cache.get_or_build(plan, make) if build else cache.read(plan)
    return TorchTensorRtBackend(path, engine)


class TorchTensorRtBackend:
    """The generator, compiled."""

    def __init__(self, path: Path, engine: bytes) -> None:
        """Load an engine onto the GPU.

        Raises:
            ModelError: The engine cannot be loaded.
        """
        self._name, self._inputs = path.name, layout(read_card(path)["inputs"])
        name = about()
        with _as_model_error(f"{self._name} could not be loaded by Torch-TensorRT"):
            self._program = torch.export.load(io.BytesIO(engine)).module()
        self.runtime = f"{name} on {torch.cuda.get_device_name()}"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> Arrays:
        """Map named input arrays to named output arrays; raises ModelError."""
        count = checked_rows(inputs, self._inputs, self._name)
        with _as_model_error(f"{self._name} could not be run"), torch.inference_mode():
            answers = [self._run_rows(inputs, at) for at in range(0, count, MAX_FACES)]
        return {name: np.concatenate([one[name] for one in answers]) for name in OUTPUTS}

    def _run_rows(self, inputs: Mapping[str, NDArray[np.generic]], first: int) -> Arrays:
        rows = slice(first, first + MAX_FACES)
        tensors = [torch.from_numpy(np.array(inputs[name][rows])).cuda() for name in self._inputs]
        return as_arrays(self._program(*(one.float() for one in tensors)))


def as_arrays(answers: tuple[Tensor, ...]) -> Arrays:
    """Return the outputs of the network from those of the graph."""
    parts = dict(zip(OUTPUTS, answers, strict=True))
    parts["face"] = as_bytes(parts["face"].permute(0, 2, 3, 1))
    parts["attention"] = as_bytes(parts["attention"][:, 0])
    return {name: part.cpu().numpy() for name, part in parts.items()}


def _compiled(path: Path, precision: Precision, timings: bytes) -> tuple[bytes, bytes]:
    """Return an engine, and no timing cache."""
    del timings
    compiler, rows = _compiler(), layout(read_card(path)["inputs"])
    program = exported(path, precision)
    sizes = (1, TYPICAL_FACES, MAX_FACES)
    inputs = []
    for shape, _ in rows.values():
        least, usual, most = ((size, *shape) for size in sizes)
        one = compiler.Input(min_shape=least, opt_shape=usual, max_shape=most, dtype=torch.float32)
        inputs.append(one)
    with (
        _as_model_error(f"{path.name} could not be compiled by Torch-TensorRT"),
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
    return tuple(torch.zeros(_TRACED, *shape, device=where) for shape, _ in rows.values())


def _shapes(rows: Layout) -> tuple[tuple[dict[int, Any], ...]]:
    """Return the dynamic axes: the batch axis, which all inputs share."""
    faces = torch.export.Dim("faces", min=1, max=MAX_FACES)
    return (tuple({0: faces} for _ in rows),)


def _compiler() -> ModuleType:
    """Return Torch-TensorRT, whose import fails in many ways where it cannot be used."""
    try:
        return import_module("torch_tensorrt")
    except ImportError as error:
        hint = install_hint("torch-tensorrt")
        raise ModelError(f"Torch-TensorRT is not installed ({error}): {hint}") from error
    except Exception as error:
        raise ModelError(f"Torch-TensorRT finds no GPU it can use ({error_line(error)})") from error


@contextmanager
def _as_model_error(failed: str) -> Iterator[None]:
    """Turn errors of PyTorch and Torch-TensorRT into ModelError."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{failed}: {error_line(error)}") from error
