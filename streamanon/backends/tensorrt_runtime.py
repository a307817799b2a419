"""Networks on TensorRT, on NVIDIA cards: TensorRT 10 and 11, and TensorRT-RTX.

They share one interface from named tensors on. What one of them lacks is asked for with
``hasattr``.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamanon.backends.cuda import Device, Recording, Stream, Tensor
from streamanon.backends.filled import BATCHES, in_parts, rows_of
from streamanon.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

LIBRARIES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")
"""Modules that are TensorRT, the one to prefer first."""

INSTALL = "pip install 'streamanon[tensorrt]'"
_INSTALL_RTX = "pip install 'streamanon[tensorrt-rtx]'"


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
        raise ModelError(f"TensorRT is not installed: {INSTALL}, or {_INSTALL_RTX}")
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
    """Return settings with a profile for each batch, and float32 that is float32."""
    settings = builder.create_builder_config()
    if hasattr(trt.BuilderFlag, "TF32"):
        settings.clear_flag(trt.BuilderFlag.TF32)
    for batch in BATCHES:
        profile = builder.create_optimization_profile()
        for number in range(network.num_inputs):
            tensor = network.get_input(number)
            shape = (batch, *tuple(tensor.shape)[1:])
            profile.set_shape(tensor.name, shape, shape, shape)
        settings.add_optimization_profile(profile)
    return settings


class TensorRtBackend:
    """An engine, loaded.

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
        stream = Stream()
        self._batches = {
            batch: _Batch(self._engine, number, stream, self._log)
            for number, batch in enumerate(BATCHES)
        }
        recorded = [batch.record() for batch in self._batches.values()] if graphs else [False]
        self.runtime = f"{name} on {device.name}, {'with' if all(recorded) else 'no'} CUDA graphs"

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: an input has the wrong name, type or shape, or the card failed.
        """
        each = self._batches[BATCHES[0]].inputs.items()
        wanted = {name: (one.host.shape[1:], one.host.dtype) for name, one in each}
        count = rows_of(inputs, wanted, "the engine")
        return in_parts(inputs, count, lambda size, part, rows: self._batches[size].run(part, rows))


class _Batch:
    """An engine bound to memory for one number of faces."""

    def __init__(self, engine: Any, profile: int, stream: Stream, log: Any) -> None:
        """Take memory.

        Raises:
            ModelError: the card has too little of it.
        """
        self._context = engine.create_execution_context()
        if self._context is None:
            raise ModelError(f"no memory on the card to run the engine: {_why(log)}")
        self._stream, self._log = stream, log
        self._recording: Recording | None = None
        self._context.set_optimization_profile_async(profile, stream.handle)
        self.inputs: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}
        names = [engine.get_tensor_name(number) for number in range(engine.num_io_tensors)]
        takes = {name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
        for name in sorted(names, key=lambda name: name not in takes):  # they decide the others
            if name in takes:
                shape = tuple(engine.get_tensor_profile_shape(name, profile)[-1])
                self._context.set_input_shape(name, shape)
            else:
                shape = tuple(self._context.get_tensor_shape(name))
            tensor = Tensor(shape, trt.nptype(engine.get_tensor_dtype(name)))
            self._context.set_tensor_address(name, tensor.address)
            (self.inputs if name in takes else self._outputs)[name] = tensor

    def record(self) -> bool:
        """Return whether the work of a run can be, and now is, recorded."""
        self._enqueue()  # what is prepared at first use must not end up in the recording
        self._stream.wait()
        with suppress(ModelError):
            self._recording = self._stream.recorded(self._enqueue)
        return self._recording is not None

    def run(
        self, inputs: Mapping[str, NDArray[np.generic]], count: int
    ) -> dict[str, NDArray[np.generic]]:
        """Run some faces; what the batch has more is whatever was there."""
        for name, tensor in self.inputs.items():
            tensor.host[:count] = inputs[name]
        if self._recording:
            self._recording.play()
        else:
            self._enqueue()
        self._stream.wait()
        return {name: tensor.host[:count].copy() for name, tensor in self._outputs.items()}

    def _enqueue(self) -> None:
        for tensor in self.inputs.values():
            tensor.upload(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise ModelError(f"the engine could not be run: {_why(self._log)}")
        for tensor in self._outputs.values():
            tensor.download(self._stream)


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
