"""Choosing between runtimes by trying them on the network itself."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from streamanon.backends.fallback import FallbackBackend
from streamanon.backends.memory import ChoiceMemory
from streamanon.backends.onnx_runtime import CUDA, NO_CUDA, OnnxRuntimeBackend, has_cuda
from streamanon.backends.trial import Choice, Runtime, best_times, load_checked
from streamanon.errors import ModelError, UsageError
from streamanon.extras import install_hint

if TYPE_CHECKING:
    from streamanon.backends.tensorrt_graph import Precision

ENOUGH_CORES = 4
"""Number of cores from which a second thread fits beside the stages of the pipeline."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to run a network; on a GPU it can fail during a run."""

    name: str
    load: Callable[[], Runtime]
    on_gpu: bool = False


def candidates(
    runtime: str, exact: Path, int8: Path | None, *, bf16: bool, fp16: bool = False
) -> list[Candidate]:
    """Return the ways to run a network that comes in several forms.

    Args:
        runtime: "onnxruntime", "openvino", "cuda", "tensorrt", "torch-tensorrt", "torch", or "auto"
            for all of them.
        exact: ONNX file as it was exported.
        int8: ONNX file quantised to 8 bit integers, if that loses little.
        bf16: whether computing in bfloat16 loses little.
        fp16: whether computing in half precision loses little.

    Raises:
        UsageError: The runtime requested by name is not installed.
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
            raise UsageError(f"runtime {runtime} is not available: {found[0].load.why}")
        return found
    if not has_gpu():
        ways = {name: ways[name] for name in ("onnxruntime", "openvino")}
    return [one for way in ways.values() for one in way()]


def detection_candidates(runtime: str, exact: Path) -> list[Candidate]:
    """Return the ways to run a detection network: on one core, or on a GPU.

    ONNX Runtime stands in for runtimes that cannot run it.

    Raises:
        UsageError: The runtime requested by name is not installed.
    """
    if runtime in ("cuda", "tensorrt"):
        return candidates(runtime, exact, None, bf16=False)
    here = [Candidate("onnxruntime f32", partial(OnnxRuntimeBackend, exact))]
    if runtime != "auto" or not has_gpu():
        return here
    return [*here, *_cuda(exact), *_tensorrt(exact, "fp32", build=False)]


def has_gpu() -> bool:
    """Return whether this machine has the driver of an NVIDIA GPU."""
    return Path("/dev/nvidiactl").exists() or shutil.which("nvidia-smi") is not None


@dataclass(frozen=True, slots=True)
class _Missing:
    """Stands for a runtime that is not installed."""

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

    def load(path: Path, precision: Literal["f32", "bf16"] = "f32") -> Runtime:
        from streamanon.backends.openvino_runtime import OpenVinoBackend

        return OpenVinoBackend(path, threads=_threads(), precision=precision)

    if bf16:
        from streamanon.backends.openvino_runtime import has_bf16

        bf16 = has_bf16()
    form: Literal["f32", "bf16"] = "bf16" if bf16 else "f32"
    found = [Candidate(f"openvino {form}", partial(load, exact, form))]
    return found + ([Candidate("openvino int8", partial(load, int8))] if int8 else [])


def _cuda(exact: Path) -> list[Candidate]:
    if not has_cuda():
        return [Candidate("cuda", _Missing(NO_CUDA))]
    return [Candidate("cuda f32", partial(OnnxRuntimeBackend, exact, provider=CUDA), on_gpu=True)]


def _tensorrt(exact: Path, precision: Precision, *, build: bool) -> list[Candidate]:
    from streamanon.backends import engine_build
    from streamanon.backends.tensorrt_runtime import trt

    if trt is None:
        return [Candidate("tensorrt", _Missing(f"not installed: {install_hint('tensorrt')}"))]
    load = partial(engine_build.load, exact, precision, build=build)
    return [Candidate(f"tensorrt {precision}", load, on_gpu=True)]


def _torch_tensorrt(exact: Path, precision: Precision, *, build: bool) -> list[Candidate]:
    if any(find_spec(name) is None for name in ("torch_tensorrt", "torch", "onnx")):
        why = f"not installed: {install_hint('torch-tensorrt')}"
        return [Candidate("torch-tensorrt", _Missing(why))]

    def load() -> Runtime:
        from streamanon.backends import torch_tensorrt_runtime

        return torch_tensorrt_runtime.load(exact, precision, build=build)

    return [Candidate(f"torch-tensorrt {precision}", load, on_gpu=True)]


def _torch(exact: Path, precision: Precision, *, anywhere: bool) -> list[Candidate]:
    if any(find_spec(name) is None for name in ("torch", "onnx")):
        return [Candidate("torch", _Missing(f"not installed: {install_hint('torch')}"))]

    def load() -> Runtime:
        from streamanon.backends import torch_runtime

        if not anywhere and not torch_runtime.has_gpu():
            raise ModelError("PyTorch finds no GPU it can use")
        return torch_runtime.TorchBackend(exact, precision=precision, threads=_threads())

    return [Candidate("torch", load, on_gpu=True)]


def _threads() -> int:
    return 1 if cores() < ENOUGH_CORES else 2


def cores() -> int:
    """Return the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def remembered(candidates: Sequence[Candidate], networks: Sequence[Path]) -> ChoiceMemory | None:
    """Return the memory of a choice; None where it is made each time, as it is with a GPU."""
    if len(candidates) < 2 or any(one.on_gpu for one in candidates):
        return None
    return ChoiceMemory(networks, [one.name for one in candidates], _threads())


def fastest(
    candidates: Sequence[Candidate],
    inputs: Mapping[str, NDArray[np.generic]],
    exact: Path,
    memory: ChoiceMemory | None = None,
) -> Choice:
    """Return the candidate that runs a network fastest, here and now or when it was last tried.

    The fastest candidate on the CPU becomes the fallback of one on a GPU.

    Args:
        candidates: one candidate at least; those are skipped that cannot be loaded, or run on a
            GPU whose outputs differ from the CPU's.
        inputs: inputs to time the network with.
        exact: ONNX file, run on the CPU to compare outputs with.
        memory: remembers the choice, so that only the chosen candidate is loaded next time.

    Raises:
        ModelError: No candidate can be used.
    """
    known = memory.recall() if memory else None
    for one in candidates:
        if known and one.name == known.name:
            with suppress(ModelError):
                return Choice(one.name, one.load(), f"{known.why}; remembered")
    loaded: list[tuple[Candidate, Runtime]] = []
    skipped = []
    for candidate in candidates:
        checked = partial(load_checked, candidate.load, inputs, exact)
        try:
            loaded.append((candidate, (checked if candidate.on_gpu else candidate.load)()))
        except ModelError as error:
            skipped.append(f"{candidate.name}: {error}")
    if not loaded:
        raise ModelError("; ".join(skipped) or "no runtime to choose from")
    if len(loaded) == 1:
        ((only, backend),) = loaded
        return Choice(only.name, backend, "; ".join(skipped), on_gpu=only.on_gpu)
    best_s = best_times([backend for _, backend in loaded], inputs)
    first = min(range(len(loaded)), key=best_s.__getitem__)
    others = [
        f"{candidate.name} {taken_s * 1000:.1f} ms"
        for number, ((candidate, _), taken_s) in enumerate(zip(loaded, best_s, strict=True))
        if number != first
    ]
    why = "; ".join([f"{best_s[first] * 1000:.1f} ms", *others, *skipped])
    chosen, backend = loaded[first]
    if memory:
        memory.store(chosen.name, why)
    on_cpu = [n for n, (candidate, _) in enumerate(loaded) if not candidate.on_gpu]
    if chosen.on_gpu and on_cpu:
        backend = FallbackBackend(loaded[min(on_cpu, key=best_s.__getitem__)][1], backend)
    return Choice(chosen.name, backend, why, best_s[first], chosen.on_gpu)
