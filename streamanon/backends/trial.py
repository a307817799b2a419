"""Trying runtimes on a network: how fast they are, and whether they compute the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.errors import ModelError
from streamanon.protocols import Backend

RUNS = 5
"""Timed runs of each runtime; one more run goes before them as a warm-up."""

TOO_SLOW = 1.6
"""Multiple of the best time at which a runtime is timed no further."""

_GOLDEN_RATIO = (1 + 5**0.5) / 2

MAX_ERROR = 0.1
"""RMS difference of a GPU's outputs from the CPU's, as a share of their RMS, above which the GPU is
not trusted. In half precision it is about a hundredth."""


class Runtime(Backend, Protocol):
    """A backend that describes what it runs on."""

    @property
    def runtime(self) -> str:
        """Library, version and device that run the network."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The runtime chosen for a network.

    Attributes:
        name: name of the runtime and number format.
        backend: loaded network.
        why: times of all candidates, and errors of those that could not be used.
        best_s: shortest time of a run; infinite where there was nothing to compare with.
        on_gpu: whether it runs on a GPU, for one thread at a time.
    """

    name: str
    backend: Runtime
    why: str
    best_s: float = float("inf")
    on_gpu: bool = False

    @property
    def runtime(self) -> str:
        """The runtime, and why it was chosen."""
        text = f"{self.name}: {self.backend.runtime}"
        return f"{text} ({self.why})" if self.why else text


def noise(inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, NDArray[np.generic]]:
    """Return numbers without a pattern for the inputs of a model card, to time a network with."""
    answer: dict[str, NDArray[np.generic]] = {}
    for name, about in inputs.items():
        shape = [1, *about["shape"][1:]]
        numbers = np.arange(np.prod(shape)) * _GOLDEN_RATIO % 1  # numpy.random is slow to import
        answer[name] = (numbers * 100).reshape(shape).astype(about["dtype"])
    return answer


def load_checked(
    load: Callable[[], Runtime], inputs: Mapping[str, NDArray[np.generic]], exact: Path
) -> Runtime:
    """Load a network on a GPU and check that its outputs agree with the CPU's.

    Raises:
        ModelError: The network cannot be loaded, or its outputs differ.
    """
    backend = load()
    check_agreement(backend, OnnxRuntimeBackend(exact), inputs)
    return backend


def check_agreement(
    backend: Runtime, reference: Runtime, inputs: Mapping[str, NDArray[np.generic]]
) -> None:
    """Check that the outputs of a runtime agree with those of a reference.

    Raises:
        ModelError: They differ by more than MAX_ERROR.
    """
    outputs, wanted = backend.run(inputs), reference.run(inputs)
    for name in wanted:
        got, right = (np.asarray(arrays[name], np.float64) for arrays in (outputs, wanted))
        if got.shape != right.shape:
            raise ModelError(f"answers {name} {got.shape}, the processor {right.shape}")
        error = float(np.sqrt(np.mean(np.square(got - right))))
        size = float(np.sqrt(np.mean(np.square(right))))
        if not error <= MAX_ERROR * size:  # NaN does not agree
            raise ModelError(
                f"answers otherwise than the processor: {name} is {error:.3g} off {size:.3g}"
            )


def best_times(
    backends: Sequence[Runtime], inputs: Mapping[str, NDArray[np.generic]]
) -> list[float]:
    """Return the shortest time of a run of each backend, in seconds.

    The backends take turns, so that other load on the machine slows all of them alike.
    """
    best_s = [float("inf")] * len(backends)
    for turn in range(1 + RUNS):
        limit_s = TOO_SLOW * min(best_s)
        for number, backend in enumerate(backends):
            if best_s[number] > limit_s:
                continue
            start = time.perf_counter()
            backend.run(inputs)
            taken_s = time.perf_counter() - start
            if turn > 0:  # the first is the warm-up
                best_s[number] = min(best_s[number], taken_s)
    return best_s
