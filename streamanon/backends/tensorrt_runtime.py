"""Networks on TensorRT, on NVIDIA GPUs: TensorRT 10 and 11, and TensorRT-RTX.

They share the interface of named tensors; differences are detected with ``hasattr``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from streamanon.backends.batching import BATCHES, check_inputs, checked_rows, run_in_batches
from streamanon.backends.cuda import CudaGraph, Device, Stream, Tensor
from streamanon.errors import ModelError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    Shape = tuple[int, ...]

MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""Names of TensorRT's modules, in order of preference."""

SIDES = (32, 320, 768)
"""Minimum, typical and maximum side in px, for networks that take one picture of any size."""

MAX_SHAPES = 8
"""Maximum number of picture sizes that memory is kept for, the most recent ones."""

_WHAT = "the engine"


def _library() -> Any:
    for name in MODULES:
        with suppress(ImportError, OSError):  # not installed, or without its shared libraries
            return import_module(name)
    return None


trt = _library()


def about() -> str:
    """Return name and version of the installed TensorRT.

    Raises:
        ModelError: TensorRT is not installed.
    """
    if trt is None:
        hint = f"{install_hint('tensorrt')}, or {install_hint('tensorrt-rtx')}"
        raise ModelError(f"TensorRT is not installed: {hint}")
    return f"{'TensorRT-RTX' if _is_rtx() else 'TensorRT'} {trt.__version__}"


def _is_rtx() -> bool:
    """Return whether it is TensorRT-RTX, which compiles just in time and has no timing cache."""
    return "rtx" in trt.__name__


def build(
    graph: bytes, *, timings: bytes = b"", progress: Callable[[str, int, int], None] | None = None
) -> tuple[bytes, bytes]:
    """Compile a network for this machine's GPU; TensorRT-RTX needs no GPU for that.

    Args:
        graph: ONNX graph from :func:`streamanon.backends.tensorrt_graph.prepare`.
        timings: timing cache of an earlier build.
        progress: called with the name of a phase, its steps done, and its number of steps.

    Returns:
        The engine, and the timing cache of this build, which may be empty.

    Raises:
        ModelError: TensorRT is missing or cannot compile the network.
    """
    name, log = about(), _logger()
    builder = trt.Builder(log)
    strongly_typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph):
        raise ModelError(f"{name} cannot read the network: {_first_error(log)}")
    settings = _settings(builder, network)
    if not _is_rtx():
        settings.set_timing_cache(settings.create_timing_cache(timings), ignore_mismatch=False)
    if progress:
        settings.progress_monitor = _progress_monitor(progress)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise ModelError(f"{name} cannot compile the network: {_first_error(log)}")
    return bytes(engine), b"" if _is_rtx() else bytes(settings.get_timing_cache().serialize())


def _settings(builder: Any, network: Any) -> Any:
    """Return settings with profiles for the network's inputs, without TF32."""
    settings = builder.create_builder_config()
    if hasattr(trt.BuilderFlag, "TF32"):
        settings.clear_flag(trt.BuilderFlag.TF32)
    inputs = [network.get_input(number) for number in range(network.num_inputs)]
    taken = {one.name: tuple(one.shape) for one in inputs}
    for ranges in _profiles(taken):
        profile = builder.create_optimization_profile()
        for name, shapes in ranges.items():
            profile.set_shape(name, *shapes)
        settings.add_optimization_profile(profile)
    return settings


def _free_axes(taken: Mapping[str, Shape]) -> set[int]:
    """Return the axes of a network's inputs that have no fixed length (-1)."""
    return {axis for shape in taken.values() for axis, size in enumerate(shape) if size < 0}


def _profiles(taken: Mapping[str, Shape]) -> list[dict[str, tuple[Shape, Shape, Shape]]]:
    """Return minimum, typical and maximum shape of each input, for each profile.

    If only the first axis is free, it is a batch axis, with a profile for each batch size.
    """
    free = _free_axes(taken)
    if not free:
        return []
    if free == {0}:
        exact = [{name: (size, *shape[1:]) for name, shape in taken.items()} for size in BATCHES]
        return [{name: (shape, shape, shape) for name, shape in one.items()} for one in exact]

    def sized(shape: Shape, side: int) -> Shape:
        return (1, *(side if length < 0 else length for length in shape[1:]))

    least, usual, most = SIDES
    return [{name: (sized(s, least), sized(s, usual), sized(s, most)) for name, s in taken.items()}]


class TensorRtBackend:
    """An engine, loaded; used by one thread at a time."""

    def __init__(self, engine: bytes, device: Device, *, graphs: bool = True) -> None:
        """Load an engine that is intact and was built on this machine.

        Raises:
            ModelError: The engine cannot be loaded, or the GPU has too little memory for it.
        """
        name, self._log = about(), _logger()
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise ModelError(f"{name} cannot load the engine: {_first_error(self._log)}")
        self._stream, self._graphs = Stream(), graphs
        self._takes: dict[str, tuple[Shape, DTypeLike]] = {
            one: (tuple(self._engine.get_tensor_shape(one)), _dtype(self._engine, one))
            for one in _tensors(self._engine, trt.TensorIOMode.INPUT)
        }
        shapes = {one: shape for one, (shape, _) in self._takes.items()}
        self._rows = _free_axes(shapes) == {0}
        self._bindings: dict[tuple[Shape, ...], _Binding] = {}
        prepared: Sequence[dict[str, Shape]] = []
        if self._rows:
            prepared = [{one: shapes[0] for one, shapes in p.items()} for p in _profiles(shapes)]
        elif not _free_axes(shapes):
            prepared = [shapes]
        for number, exact in enumerate(prepared):
            self._bindings[tuple(exact.values())] = self._bind(exact, number)
        recorded = graphs and all(one.recorded for one in self._bindings.values())
        self.runtime = f"{name} on {device.name}, {'with' if recorded else 'no'} CUDA graphs"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays; raises ModelError."""
        if self._rows:
            wanted = {name: (shape[1:], kind) for name, (shape, kind) in self._takes.items()}
            count = checked_rows(inputs, wanted, _WHAT)
            return run_in_batches(inputs, count, self._run_rows)
        check_inputs(inputs, self._takes, _WHAT)
        shapes = {name: inputs[name].shape for name in self._takes}
        key = tuple(shapes.values())
        binding = self._bindings.pop(key, None) or self._bind(shapes, 0)
        self._bindings[key] = binding  # the most recent is the last
        while len(self._bindings) > MAX_SHAPES:
            del self._bindings[next(iter(self._bindings))]
        return binding.run(inputs)

    def _run_rows(
        self, size: int, rows: Mapping[str, NDArray[np.generic]], count: int
    ) -> dict[str, NDArray[np.generic]]:
        shapes = tuple((size, *shape[1:]) for shape, _ in self._takes.values())
        return self._bindings[shapes].run(rows, count)

    def _bind(self, shapes: Mapping[str, Shape], profile: int) -> _Binding:
        """Prepare runs on inputs of some shapes."""
        binding = _Binding(self._engine, profile, shapes, self._stream, self._log)
        if self._graphs:
            binding.record()
        return binding


class _Binding:
    """An engine bound to memory for inputs of one shape."""

    def __init__(
        self, engine: Any, profile: int, shapes: Mapping[str, Shape], stream: Stream, log: Any
    ) -> None:
        """Allocate the memory.

        Raises:
            ModelError: The GPU has too little memory, or the engine takes no such inputs.
        """
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError(f"no memory on the GPU to run the engine: {_first_error(log)}")
        self._stream, self._log = stream, log
        self._graph: CudaGraph | None = None
        self._context.set_optimization_profile_async(profile, stream.handle)
        self._inputs = {}
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise ModelError(f"{_WHAT} takes no {name} of {shape}: {_first_error(log)}")
            self._inputs[name] = self._allocate(engine, name, shape)
        self._outputs = {
            name: self._allocate(engine, name, tuple(self._context.get_tensor_shape(name)))
            for name in _tensors(engine, trt.TensorIOMode.OUTPUT)
        }

    def _allocate(self, engine: Any, name: str, shape: Shape) -> Tensor:
        tensor = Tensor(shape, _dtype(engine, name))
        self._context.set_tensor_address(name, tensor.address)
        return tensor

    @property
    def recorded(self) -> bool:
        """Whether runs use a CUDA graph."""
        return self._graph is not None

    def record(self) -> None:
        """Capture a run as a CUDA graph, where possible."""
        self._enqueue()  # lazy initialisation must not be captured
        self._stream.wait()
        with suppress(ModelError):
            self._graph = self._stream.capture(self._enqueue)

    def run(
        self, inputs: Mapping[str, NDArray[np.generic]], count: int | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Run; with a count, only so many rows are set, the rest being padding."""
        for name, tensor in self._inputs.items():
            tensor.host[:count] = inputs[name]
        if self._graph:
            self._graph.launch()
        else:
            self._enqueue()
        self._stream.wait()
        return {name: tensor.host[:count].copy() for name, tensor in self._outputs.items()}

    def _enqueue(self) -> None:
        for tensor in self._inputs.values():
            tensor.upload(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise ModelError(f"{_WHAT} could not be run: {_first_error(self._log)}")
        for tensor in self._outputs.values():
            tensor.download(self._stream)


def _tensors(engine: Any, mode: Any) -> list[str]:
    """Return the names of the inputs or outputs of an engine."""
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]


def _dtype(engine: Any, name: str) -> DTypeLike:
    kind: DTypeLike = trt.nptype(engine.get_tensor_dtype(name))
    return kind


def _logger() -> Any:
    """Return a logger that collects errors instead of printing them."""
    base: Any = trt.ILogger

    class Logger(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.errors.append(message)

    return Logger()


def _first_error(log: Any) -> str:
    """Return the first line of the first error, and clear all: the others are consequences."""
    line = log.errors[0].splitlines()[0] if log.errors else "no reason given"
    log.errors.clear()
    return str(line)


def _progress_monitor(progress: Callable[[str, int, int], None]) -> Any:
    """Return a progress monitor of the phases of the two outermost levels."""
    base: Any = trt.IProgressMonitor

    class Monitor(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self._steps: dict[str, int] = {}
            self._outermost: set[str] = set()

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self._outermost.add(name)
            if parent is None or parent in self._outermost:
                self._steps[name] = steps

        def step_complete(self, name: str, step: int) -> bool:
            if name in self._steps:
                progress(name, step + 1, self._steps[name])
            return True

        def phase_finish(self, name: str) -> None:
            self._steps.pop(name, None)

    return Monitor()
