"""Networks on TensorRT, on NVIDIA cards: TensorRT 10 and 11, and TensorRT-RTX.

They share one interface from named tensors on. What one of them lacks is asked for with
``hasattr``.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamanon.backends.batching import BATCHES, fitting, in_parts, rows_of
from streamanon.backends.cuda import Device, Recording, Stream, Tensor
from streamanon.errors import ModelError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import DTypeLike, NDArray

    Shape = tuple[int, ...]

LIBRARIES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""Modules that are TensorRT, the one to prefer first."""

SIDES = (32, 320, 768)
"""Least, usual and most px a side, for networks that take one picture of any size."""

MOST_SHAPES = 8
"""Sizes of pictures that memory is held for: those that were shown last."""

_WHAT = "the engine"


def _library() -> Any:
    for name in LIBRARIES:
        with suppress(ImportError, OSError):  # not installed, or without its shared libraries
            return import_module(name)
    return None


trt = _library()


def about() -> str:
    """Return which TensorRT there is, with its version.

    Raises:
        ModelError: there is none.
    """
    if trt is None:
        hint = f"{install_hint('tensorrt')}, or {install_hint('tensorrt-rtx')}"
        raise ModelError(f"TensorRT is not installed: {hint}")
    return f"{'TensorRT-RTX' if _is_rtx() else 'TensorRT'} {trt.__version__}"


def _is_rtx() -> bool:
    """Return whether it is the TensorRT that compiles at first use, and so measures nothing."""
    return "rtx" in trt.__name__


def build(
    graph: bytes, *, timings: bytes = b"", progress: Callable[[str, int, int], None] | None = None
) -> tuple[bytes, bytes]:
    """Compile a network for the card there is; TensorRT-RTX does so without one, too.

    Args:
        graph: ONNX, as :func:`streamanon.backends.tensorrt_graph.prepared` makes it.
        timings: what an earlier build measured.
        progress: told the work in hand, steps of it done, and steps in all.

    Returns:
        The engine, and what this build measured, if anything.

    Raises:
        ModelError: TensorRT is missing or cannot compile it.
    """
    name, log = about(), _logger()
    builder = trt.Builder(log)
    strongly_typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    network = builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))
    parser = trt.OnnxParser(network, log)
    if not parser.parse(graph):
        raise ModelError(f"{name} cannot read the network: {_why(log)}")
    settings = _settings(builder, network)
    if not _is_rtx():
        settings.set_timing_cache(settings.create_timing_cache(timings), ignore_mismatch=False)
    if progress:
        settings.progress_monitor = _monitor(progress)
    engine = builder.build_serialized_network(network, settings)
    if engine is None:
        raise ModelError(f"{name} cannot compile the network: {_why(log)}")
    return bytes(engine), b"" if _is_rtx() else bytes(settings.get_timing_cache().serialize())


def _settings(builder: Any, network: Any) -> Any:
    """Return settings with profiles for what the network takes, and float32 that is float32."""
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
    """Return which axes of a network's inputs have no length of their own (-1)."""
    return {axis for shape in taken.values() for axis, size in enumerate(shape) if size < 0}


def _profiles(taken: Mapping[str, Shape]) -> list[dict[str, tuple[Shape, Shape, Shape]]]:
    """Return least, usual and most shape of each input, for each profile.

    Where the first axis alone is free, it counts faces, and there is a profile for each batch.
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
    """An engine, loaded; used by one thread at a time.

    Attributes:
        runtime: what runs the network here.
    """

    def __init__(self, engine: bytes, device: Device, *, graphs: bool = True) -> None:
        """Load an engine; it must be known to be whole, and of this machine's own making.

        Args:
            engine: from :func:`build`, on this card.
            device: the card.
            graphs: record the work of a run once and replay it (CUDA graphs), where possible.

        Raises:
            ModelError: it cannot be loaded, or the card has too little memory for it.
        """
        name, self._log = about(), _logger()
        self._runtime = trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise ModelError(f"{name} cannot load the engine: {_why(self._log)}")
        self._stream, self._graphs = Stream(), graphs
        self._takes: dict[str, tuple[Shape, DTypeLike]] = {
            one: (tuple(self._engine.get_tensor_shape(one)), _kind(self._engine, one))
            for one in _tensors(self._engine, trt.TensorIOMode.INPUT)
        }
        shapes = {one: shape for one, (shape, _) in self._takes.items()}
        self._rows = _free_axes(shapes) == {0}
        self._bound: dict[tuple[Shape, ...], _Bound] = {}
        prepared: Sequence[dict[str, Shape]] = []
        if self._rows:
            prepared = [{one: shapes[0] for one, shapes in p.items()} for p in _profiles(shapes)]
        elif not _free_axes(shapes):
            prepared = [shapes]
        for number, exact in enumerate(prepared):
            self._bound[tuple(exact.values())] = self._bound_to(exact, number)
        recorded = graphs and all(one.recorded for one in self._bound.values())
        self.runtime = f"{name} on {device.name}, {'with' if recorded else 'no'} CUDA graphs"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: an input has the wrong name, type or shape, or the card failed.
        """
        if self._rows:
            wanted = {name: (shape[1:], kind) for name, (shape, kind) in self._takes.items()}
            count = rows_of(inputs, wanted, _WHAT)
            return in_parts(inputs, count, self._run_rows)
        fitting(inputs, self._takes, _WHAT)
        shapes = {name: inputs[name].shape for name in self._takes}
        key = tuple(shapes.values())
        bound = self._bound.pop(key, None) or self._bound_to(shapes, 0)
        self._bound[key] = bound  # the newest is the last
        while len(self._bound) > MOST_SHAPES:
            del self._bound[next(iter(self._bound))]
        return bound.run(inputs)

    def _run_rows(
        self, size: int, rows: Mapping[str, NDArray[np.generic]], count: int
    ) -> dict[str, NDArray[np.generic]]:
        shapes = tuple((size, *shape[1:]) for shape, _ in self._takes.values())
        return self._bound[shapes].run(rows, count)

    def _bound_to(self, shapes: Mapping[str, Shape], profile: int) -> _Bound:
        """Prepare runs on inputs of some shapes.

        Raises:
            ModelError: the engine does not take them, or the card has too little memory.
        """
        bound = _Bound(self._engine, profile, shapes, self._stream, self._log)
        if self._graphs:
            bound.record()
        return bound


class _Bound:
    """An engine bound to memory for inputs of one shape."""

    def __init__(
        self, engine: Any, profile: int, shapes: Mapping[str, Shape], stream: Stream, log: Any
    ) -> None:
        """Take memory.

        Raises:
            ModelError: the card has too little of it, or the engine takes no such inputs.
        """
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError(f"no memory on the card to run the engine: {_why(log)}")
        self._stream, self._log = stream, log
        self._recording: Recording | None = None
        self._context.set_optimization_profile_async(profile, stream.handle)
        self._inputs = {}
        for name, shape in shapes.items():
            if not self._context.set_input_shape(name, shape):
                raise ModelError(f"{_WHAT} takes no {name} of {shape}: {_why(log)}")
            self._inputs[name] = self._placed(engine, name, shape)
        self._outputs = {
            name: self._placed(engine, name, tuple(self._context.get_tensor_shape(name)))
            for name in _tensors(engine, trt.TensorIOMode.OUTPUT)
        }

    def _placed(self, engine: Any, name: str, shape: Shape) -> Tensor:
        tensor = Tensor(shape, _kind(engine, name))
        self._context.set_tensor_address(name, tensor.address)
        return tensor

    @property
    def recorded(self) -> bool:
        """Whether the work of a run is one unit."""
        return self._recording is not None

    def record(self) -> None:
        """Record the work of a run, where that is possible."""
        self._enqueue()  # what is prepared at first use must not end up in the recording
        self._stream.wait()
        with suppress(ModelError):
            self._recording = self._stream.recorded(self._enqueue)

    def run(
        self, inputs: Mapping[str, NDArray[np.generic]], count: int | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Run, on some rows where a count is given; what there are more is whatever was there."""
        for name, tensor in self._inputs.items():
            tensor.host[:count] = inputs[name]
        if self._recording:
            self._recording.play()
        else:
            self._enqueue()
        self._stream.wait()
        return {name: tensor.host[:count].copy() for name, tensor in self._outputs.items()}

    def _enqueue(self) -> None:
        for tensor in self._inputs.values():
            tensor.upload(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise ModelError(f"{_WHAT} could not be run: {_why(self._log)}")
        for tensor in self._outputs.values():
            tensor.download(self._stream)


def _tensors(engine: Any, mode: Any) -> list[str]:
    """Return the names of the inputs or outputs of an engine."""
    names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
    return [name for name in names if engine.get_tensor_mode(name) == mode]


def _kind(engine: Any, name: str) -> DTypeLike:
    kind: DTypeLike = trt.nptype(engine.get_tensor_dtype(name))
    return kind


def _logger() -> Any:
    """Return a logger that keeps the errors, instead of printing them."""
    base: Any = trt.ILogger

    class Logger(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity <= trt.ILogger.Severity.ERROR:
                self.errors.append(message)

    return Logger()


def _why(log: Any) -> str:
    """Return the first line of the first error, from which the others follow, and forget them."""
    said = log.errors[0].splitlines()[0] if log.errors else "no reason given"
    log.errors.clear()
    return str(said)


def _monitor(progress: Callable[[str, int, int], None]) -> Any:
    """Return a progress monitor that tells of the outermost phases and those next to them."""
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
