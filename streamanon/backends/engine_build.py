"""From an ONNX file to an engine, through the cache.

Also a program, to build in a process of its own:
``python -m streamanon.backends.engine_build NETWORK.onnx fp32|fp16``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from streamanon.backends import tensorrt_runtime
from streamanon.backends.cuda import device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.backends.fallback import FallbackBackend, Upgrade
from streamanon.backends.trial import Choice, Runtime, load_checked
from streamanon.child_process import module_command
from streamanon.errors import ModelError, StreamanonError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    from streamanon.backends.tensorrt_graph import Precision

NICENESS = 10
"""Niceness of a build in the background."""


def planned(path: Path, precision: Precision) -> Plan:
    """Return the plan of a network for this machine's GPU.

    Raises:
        ModelError: The machine has no GPU, or TensorRT is not installed.
    """
    runtime = tensorrt_runtime.about()
    return Plan.of(path, precision, runtime, device())


def compiled(
    path: Path,
    precision: Precision,
    timings: bytes = b"",
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[bytes, bytes]:
    """Return the engine of a network, and the timing cache of the build.

    Raises:
        ModelError: The network cannot be compiled.
    """
    tensorrt_runtime.about()
    try:
        import onnx

        from streamanon.backends.tensorrt_graph import prepare
    except ImportError:
        raise ModelError(f"compiling needs the package onnx: {install_hint('tensorrt')}") from None
    try:
        graph = prepare(onnx.load(path), precision).SerializeToString()
    except Exception as error:
        raise ModelError(f"{path.name} is no ONNX file: {type(error).__name__}") from error
    return tensorrt_runtime.build(graph, timings=timings, progress=progress)


def make(
    path: Path, precision: Precision, progress: Callable[[str, int, int], None] | None = None
) -> bytes:
    """Return the engine of a network for this machine's GPU, built if the cache has none.

    Raises:
        ModelError: The engine cannot be built or stored.
    """
    build = partial(compiled, path, precision, progress=progress)
    return EngineCache().get_or_build(planned(path, precision), build)


def load(path: Path, precision: Precision, *, build: bool) -> tensorrt_runtime.TensorRtBackend:
    """Return a network loaded onto the GPU; building it, if the cache has none, may take minutes.

    Raises:
        ModelError: There is no engine, or it cannot be built or loaded.
    """
    plan = planned(path, precision)
    engine = make(path, precision) if build else EngineCache().read(plan)
    return tensorrt_runtime.TensorRtBackend(engine, device())


def upgraded(
    choice: Choice, path: Path, precision: Precision, inputs: Mapping[str, NDArray[np.generic]]
) -> Runtime:
    """Return a backend that switches to an engine once that is built and checked."""
    try:
        plan = planned(path, precision)
    except ModelError:  # no GPU, or no TensorRT
        return choice.backend
    with suppress(ModelError):
        EngineCache().read(plan)
        return choice.backend
    command = module_command(__name__, str(path), precision)
    backend = FallbackBackend(choice.backend)
    ready = partial(load_checked, partial(load, path, precision, build=False), inputs, path)
    Upgrade(backend, command, ready, inputs, choice.best_s).start()
    return backend


def main() -> int:
    """Build one engine at low priority."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    try:
        make(Path(sys.argv[1]), cast("Precision", sys.argv[2]))
    except StreamanonError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
