"""From an ONNX file to an engine, by way of the cache.

Also a program of its own, for a process that must not wait:
``python -m streamanon.backends.engine_build NETWORK.onnx fp32|fp16``.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from streamanon.backends import tensorrt_runtime
from streamanon.backends.cuda import device
from streamanon.backends.engines import EngineCache, Plan
from streamanon.backends.fallback import SwappedBackend, Upgrade
from streamanon.child_process import module_command
from streamanon.errors import ModelError, StreamanonError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from streamanon.backends.choice import Choice, Runtime
    from streamanon.backends.tensorrt_graph import Precision

POLITE = 10
"""How far a build that nobody waits for stands back behind other processes."""


def planned(path: Path, precision: Precision) -> Plan:
    """Return the plan of a network for the card there is.

    Raises:
        ModelError: there is no card, or no TensorRT.
    """
    runtime = tensorrt_runtime.about()
    return Plan.of(path, precision, runtime, device())


def compiled(
    path: Path,
    precision: Precision,
    timings: bytes = b"",
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[bytes, bytes]:
    """Return the engine of a network, and what building it measured.

    Args:
        path: of the ONNX file.
        precision: to calculate in.
        timings: what earlier builds measured.
        progress: see :func:`streamanon.backends.tensorrt_runtime.build`.

    Raises:
        ModelError: it cannot be compiled.
    """
    tensorrt_runtime.about()
    try:
        import onnx

        from streamanon.backends.tensorrt_graph import prepared
    except ImportError:
        raise ModelError(f"compiling needs the package onnx: {install_hint('tensorrt')}") from None
    try:
        graph = prepared(onnx.load(path), precision).SerializeToString()
    except Exception as error:
        raise ModelError(f"{path.name} is no ONNX file: {type(error).__name__}") from error
    return tensorrt_runtime.build(graph, timings=timings, progress=progress)


def make(
    path: Path, precision: Precision, progress: Callable[[str, int, int], None] | None = None
) -> bytes:
    """Return the engine of a network for the card there is, built if there is none yet.

    Raises:
        ModelError: it cannot be built or kept.
    """
    build = partial(compiled, path, precision, progress=progress)
    return EngineCache().made(planned(path, precision), build)


def load(path: Path, precision: Precision, *, build: bool) -> tensorrt_runtime.TensorRtBackend:
    """Return a network that runs on the card.

    Args:
        path: of the ONNX file.
        precision: to calculate in.
        build: compile it if there is no engine yet, which takes a while.

    Raises:
        ModelError: there is no engine, or it cannot be built or loaded.
    """
    plan = planned(path, precision)
    engine = make(path, precision) if build else EngineCache().read(plan)
    return tensorrt_runtime.TensorRtBackend(engine, device())


def upgraded(
    choice: Choice, path: Path, precision: Precision, inputs: Mapping[str, NDArray[np.generic]]
) -> Runtime:
    """Return what runs a network now, and an engine of it as soon as that is built and trusted.

    Args:
        choice: what there is.
        path: of the ONNX file.
        precision: for the engine to calculate in.
        inputs: of the network, to try and to time the engine with.
    """
    from streamanon.backends.choice import trusted

    try:
        plan = planned(path, precision)
    except ModelError:  # there can be no engine here
        return choice.backend
    with suppress(ModelError):
        EngineCache().read(plan)
        return choice.backend
    command = module_command(__name__, str(path), precision)
    backend = SwappedBackend(choice.backend)
    ready = partial(trusted, partial(load, path, precision, build=False), inputs, path)
    Upgrade(backend, command, ready, inputs, choice.took_s).start()
    return backend


def main() -> int:
    """Build one engine, at leisure."""
    if hasattr(os, "nice"):
        os.nice(POLITE)
    try:
        make(Path(sys.argv[1]), cast("Precision", sys.argv[2]))
    except StreamanonError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
