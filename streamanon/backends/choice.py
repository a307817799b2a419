"""Choosing between runtimes by trying them on the network itself."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from streamanon.backends.fallback import SwappedBackend
from streamanon.backends.onnx_runtime import CUDA, NO_CUDA, OnnxRuntimeBackend, has_cuda
from streamanon.errors import ModelError, UsageError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from streamanon.backends.tensorrt_graph import Precision

RUNS = 5
"""Runs of each candidate while the clock counts."""

FAR_BEHIND = 1.6
"""Times the best at which a candidate drops out."""

MOST_APART = 0.1
"""Distance (RMS) of a card's answers from the processor's, as a share of these, from which on the
card is not to be trusted. Half precision is a hundredth away."""

ENOUGH_CORES = 4
"""From here on there is a core for a second thread beside the stages of the pipeline."""


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
        on_card: whether it runs on a card, which can be lost while it runs.
    """

    name: str
    load: Callable[[], Runtime]
    on_card: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The way a network is run.

    Attributes:
        name: of the candidate taken.
        backend: that runs it.
        why: what else there was, and why not that.
        took_s: the least time a run took; infinite where there was nothing to compare with.
        on_card: whether it runs on a card, for one thread at a time.
    """

    name: str
    backend: Runtime
    why: str
    took_s: float = float("inf")
    on_card: bool = False

    @property
    def runtime(self) -> str:
        """What runs the network, and why that."""
        told = f"{self.name}: {self.backend.runtime}"
        return f"{told} ({self.why})" if self.why else told


def candidates(
    runtime: str, exact: Path, int8: Path | None, *, bf16: bool, fp16: bool = False
) -> list[Candidate]:
    """Return the ways to run a network that comes in several forms.

    Args:
        runtime: "onnxruntime", "openvino", "cuda", "tensorrt", "torch-tensorrt", "torch", or "auto"
            for all of them.
        exact: the network as it was exported.
        int8: its form with 8 bit integers inside, where that loses little.
        bf16: whether calculating in bfloat16 loses little.
        fp16: whether calculating in half precision loses little.

    Raises:
        UsageError: the runtime asked for by name is not installed.
    """
    precision: Precision = "fp16" if fp16 else "fp32"
    ways = {
        "onnxruntime": partial(_onnxruntime, exact, int8),
        "openvino": partial(_openvino, exact, int8, bf16=bf16),
        "cuda": partial(_cuda, exact),
        "tensorrt": partial(_tensorrt, exact, precision, build=runtime != "auto"),
        "torch-tensorrt": partial(_torch_tensorrt, exact, precision, build=runtime != "auto"),
        "torch": partial(_torch, exact, precision, anywhere=runtime != "auto"),
    }
    if runtime != "auto":
        found = ways[runtime]()
        if len(found) == 1 and isinstance(found[0].load, _Missing):
            raise UsageError(f"runtime {runtime} is not to be had: {found[0].load.why}")
        return found
    if not has_card():
        ways = {name: ways[name] for name in ("onnxruntime", "openvino")}
    return [one for way in ways.values() for one in way()]


def seeing(runtime: str, exact: Path) -> list[Candidate]:
    """Return the ways to run a network that finds faces: on one core, or on a card.

    Args:
        runtime: see :func:`candidates`; those that cannot run it leave it to ONNX Runtime.
        exact: the network.

    Raises:
        UsageError: the runtime asked for by name is not installed.
    """
    if runtime in ("cuda", "tensorrt"):
        return candidates(runtime, exact, None, bf16=False)
    here = [Candidate("onnxruntime f32", partial(OnnxRuntimeBackend, exact))]
    if runtime != "auto" or not has_card():
        return here
    return [*here, *_cuda(exact), *_tensorrt(exact, "fp32", build=False)]


def has_card() -> bool:
    """Return whether this machine has the driver of an NVIDIA card."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


@dataclass(frozen=True, slots=True)
class _Missing:
    """In the place of a runtime that is not installed."""

    why: str

    def __call__(self) -> Runtime:
        raise ModelError(self.why)


def _onnxruntime(exact: Path, int8: Path | None) -> list[Candidate]:
    load = partial(OnnxRuntimeBackend, threads=_threads())
    forms = {"f32": exact} | ({"int8": int8} if int8 else {})
    return [Candidate(f"onnxruntime {form}", partial(load, path)) for form, path in forms.items()]


def _openvino(exact: Path, int8: Path | None, *, bf16: bool) -> list[Candidate]:
    if find_spec("openvino") is None:
        return [Candidate("openvino", _Missing(f"not installed: {install_hint('openvino')}"))]
    from streamanon.backends.openvino_runtime import OpenVinoBackend, has_bf16

    precision: Literal["f32", "bf16"] = "bf16" if bf16 and has_bf16() else "f32"
    load = partial(OpenVinoBackend, threads=_threads())
    found = [Candidate(f"openvino {precision}", partial(load, exact, precision=precision))]
    return found + ([Candidate("openvino int8", partial(load, int8))] if int8 else [])


def _cuda(exact: Path) -> list[Candidate]:
    if not has_cuda():
        return [Candidate("cuda", _Missing(NO_CUDA))]
    return [Candidate("cuda f32", partial(OnnxRuntimeBackend, exact, provider=CUDA), on_card=True)]


def _tensorrt(exact: Path, precision: Precision, *, build: bool) -> list[Candidate]:
    from streamanon.backends import engine_build
    from streamanon.backends.tensorrt_runtime import trt

    if trt is None:
        return [Candidate("tensorrt", _Missing(f"not installed: {install_hint('tensorrt')}"))]
    load = partial(engine_build.load, exact, precision, build=build)
    return [Candidate(f"tensorrt {precision}", load, on_card=True)]


def _torch_tensorrt(exact: Path, precision: Precision, *, build: bool) -> list[Candidate]:
    if any(find_spec(name) is None for name in ("torch_tensorrt", "torch", "onnx")):
        why = f"not installed: {install_hint('torch-tensorrt')}"
        return [Candidate("torch-tensorrt", _Missing(why))]

    def load() -> Runtime:
        from streamanon.backends import torch_tensorrt_runtime

        return torch_tensorrt_runtime.load(exact, precision, build=build)

    return [Candidate(f"torch-tensorrt {precision}", load, on_card=True)]


def _torch(exact: Path, precision: Precision, *, anywhere: bool) -> list[Candidate]:
    if any(find_spec(name) is None for name in ("torch", "onnx")):
        return [Candidate("torch", _Missing(f"not installed: {install_hint('torch')}"))]

    def load() -> Runtime:
        from streamanon.backends import torch_runtime

        if not anywhere and not torch_runtime.has_card():
            raise ModelError("PyTorch finds no card it can use")
        return torch_runtime.TorchBackend(exact, precision=precision, threads=_threads())

    return [Candidate("torch", load, on_card=True)]


def _threads() -> int:
    return 1 if cores() < ENOUGH_CORES else 2


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


def fastest(
    candidates: Sequence[Candidate], inputs: Mapping[str, NDArray[np.generic]], exact: Path
) -> Choice:
    """Return the candidate that runs a network fastest, here and now.

    They take turns, so that whatever else the machine does slows all alike, and the least time of
    each counts. The fastest on the processor takes over when one on a card fails later.

    Args:
        candidates: one at least; passed over is what cannot be loaded, and a card that answers
            otherwise than the processor.
        inputs: of the network.
        exact: the network, for the processor.

    Raises:
        ModelError: none can be used.
    """
    loaded: list[tuple[Candidate, Runtime]] = []
    beaten = []
    for candidate in candidates:
        try:
            tried = partial(trusted, candidate.load, inputs, exact)
            loaded.append((candidate, (tried if candidate.on_card else candidate.load)()))
        except ModelError as error:
            beaten.append(f"{candidate.name}: {error}")
    if not loaded:
        raise ModelError("; ".join(beaten) or "no runtime to choose from")
    if len(loaded) == 1:
        ((only, backend),) = loaded
        return Choice(only.name, backend, "; ".join(beaten), on_card=only.on_card)
    best_s = _best_times([backend for _, backend in loaded], inputs)
    first = min(range(len(loaded)), key=best_s.__getitem__)
    others = [
        f"{candidate.name} {taken_s * 1000:.1f} ms"
        for number, ((candidate, _), taken_s) in enumerate(zip(loaded, best_s, strict=True))
        if number != first
    ]
    why = "; ".join([f"{best_s[first] * 1000:.1f} ms", *others, *beaten])
    chosen, backend = loaded[first]
    safe = [n for n, (candidate, _) in enumerate(loaded) if not candidate.on_card]
    if chosen.on_card and safe:
        backend = SwappedBackend(loaded[min(safe, key=best_s.__getitem__)][1], backend)
    return Choice(chosen.name, backend, why, best_s[first], chosen.on_card)


def trusted(
    load: Callable[[], Runtime], inputs: Mapping[str, NDArray[np.generic]], exact: Path
) -> Runtime:
    """Return a runtime on a card, which answers like the processor.

    Args:
        load: loads it.
        inputs: of the network.
        exact: the network, for the processor.

    Raises:
        ModelError: it cannot be loaded, or answers otherwise.
    """
    backend = load()
    check_alike(backend, OnnxRuntimeBackend(exact), inputs)
    return backend


def check_alike(
    one: Runtime, reference: Runtime, inputs: Mapping[str, NDArray[np.generic]]
) -> None:
    """Make sure that a runtime answers like another one.

    Raises:
        ModelError: it does not.
    """
    made, wanted = one.run(inputs), reference.run(inputs)
    for name in wanted:
        got, right = (np.asarray(answers[name], np.float64) for answers in (made, wanted))
        if got.shape != right.shape:
            raise ModelError(f"answers {name} {got.shape}, the processor {right.shape}")
        apart = float(np.sqrt(np.mean(np.square(got - right))))
        size = float(np.sqrt(np.mean(np.square(right))))
        if not apart <= MOST_APART * size:  # what is no number is not alike
            raise ModelError(
                f"answers otherwise than the processor: {name} is {apart:.3g} off {size:.3g}"
            )


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
