"""Choosing between runtimes by trying them on the network itself."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

RUNS = 5
"""Runs of each candidate while the clock counts."""

FAR_BEHIND = 1.6
"""Times the best at which a candidate drops out."""

ENOUGH_CORES = 4
"""From here on there is a core for a second thread beside the stages of the pipeline."""

_NOT_INSTALLED = "not installed: pip install 'streamanon[openvino]'"


class Runtime(Protocol):
    """A backend that says what runs it."""

    @property
    def runtime(self) -> str:
        """What runs the network here."""
        ...

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to run a network.

    Attributes:
        name: of it.
        load: loads the network.
    """

    name: str
    load: Callable[[], Runtime]


@dataclass(frozen=True, slots=True)
class Choice:
    """The way a network is run.

    Attributes:
        name: of the candidate taken.
        backend: that runs it.
        why: what else there was, and why not that.
    """

    name: str
    backend: Runtime
    why: str

    @property
    def runtime(self) -> str:
        """What runs the network, and why that."""
        told = f"{self.name}: {self.backend.runtime}"
        return f"{told} ({self.why})" if self.why else told


def candidates(runtime: str, exact: Path, int8: Path | None, *, bf16: bool) -> list[Candidate]:
    """Return the ways to run a network that comes in several forms.

    Args:
        runtime: "onnxruntime", "openvino", or "auto" for both.
        exact: the network as it was exported.
        int8: its form with 8 bit integers inside, where that loses little.
        bf16: whether calculating in bfloat16 loses little.

    Raises:
        UsageError: the runtime asked for by name is not installed.
    """
    found, threads = [], 1 if cores() < ENOUGH_CORES else 2
    onnxruntime = partial(OnnxRuntimeBackend, threads=threads)
    if runtime != "openvino":
        found.append(Candidate("onnxruntime f32", partial(onnxruntime, exact)))
        if int8:
            found.append(Candidate("onnxruntime int8", partial(onnxruntime, int8)))
    if runtime == "onnxruntime":
        return found
    if find_spec("openvino") is None:
        if runtime == "openvino":
            raise UsageError(f"runtime openvino is {_NOT_INSTALLED}")
        return [*found, Candidate("openvino", _not_installed)]
    from streamanon.backends.openvino_runtime import OpenVinoBackend, has_bf16

    precision: Literal["f32", "bf16"] = "bf16" if bf16 and has_bf16() else "f32"
    openvino = partial(OpenVinoBackend, threads=threads)
    load = partial(openvino, exact, precision=precision)
    found.append(Candidate(f"openvino {precision}", load))
    if int8:
        found.append(Candidate("openvino int8", partial(openvino, int8)))
    return found


def cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def noise(inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, NDArray[np.generic]]:
    """Return inputs to time a network with: noise for one face.

    Args:
        inputs: of the network, as its card describes them.
    """
    random = np.random.default_rng(0)
    return {
        name: (random.random([1, *about["shape"][1:]]) * 100).astype(about["dtype"])
        for name, about in inputs.items()
    }


def fastest(candidates: Sequence[Candidate], inputs: Mapping[str, NDArray[np.generic]]) -> Choice:
    """Return the candidate that runs a network fastest, here and now.

    They take turns, so that whatever else the machine does slows all alike, and the least time of
    each counts.

    Args:
        candidates: one at least; one that cannot be loaded is passed over.
        inputs: of the network.

    Raises:
        ModelError: none can be loaded.
    """
    loaded: list[tuple[Candidate, Runtime]] = []
    beaten = []
    for candidate in candidates:
        try:
            loaded.append((candidate, candidate.load()))
        except ModelError as error:
            beaten.append(f"{candidate.name}: {error}")
    if not loaded:
        raise ModelError("; ".join(beaten) or "no runtime to choose from")
    if len(loaded) == 1:
        ((only, backend),) = loaded
        return Choice(only.name, backend, "; ".join(beaten))
    best_s = _best_times([backend for _, backend in loaded], inputs)
    first = min(range(len(loaded)), key=best_s.__getitem__)
    others = [
        f"{candidate.name} {taken_s * 1000:.1f} ms"
        for number, ((candidate, _), taken_s) in enumerate(zip(loaded, best_s, strict=True))
        if number != first
    ]
    why = "; ".join([f"{best_s[first] * 1000:.1f} ms", *others, *beaten])
    return Choice(loaded[first][0].name, loaded[first][1], why)


def _best_times(
    backends: Sequence[Runtime], inputs: Mapping[str, NDArray[np.generic]]
) -> list[float]:
    """Return the least time a run of each backend took, in seconds."""
    best_s = [float("inf")] * len(backends)
    for turn in range(1 + RUNS):
        far_s = FAR_BEHIND * min(best_s)
        for number, backend in enumerate(backends):
            if best_s[number] > far_s:
                continue
            start = time.perf_counter()
            backend.run(inputs)
            taken_s = time.perf_counter() - start
            if turn > 0:  # the first run of all prepares itself
                best_s[number] = min(best_s[number], taken_s)
    return best_s


def _not_installed() -> Runtime:
    raise ModelError(_NOT_INSTALLED)
