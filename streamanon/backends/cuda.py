"""The parts of CUDA that running an engine needs: device, memory, streams and graphs.

Uses NVIDIA's bindings of the CUDA runtime (``cuda-bindings``), which contain that runtime and
require only the driver.
"""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamanon.errors import ModelError
from streamanon.extras import install_hint

try:
    from cuda.bindings import runtime as cudart
except ImportError:
    cudart = None

from collections.abc import Callable, Sequence

from numpy.typing import DTypeLike

_CAPABILITY = ("cudaDevAttrComputeCapabilityMajor", "cudaDevAttrComputeCapabilityMinor")


@dataclass(frozen=True, slots=True)
class Device:
    """The first CUDA device, as chosen by ``CUDA_VISIBLE_DEVICES``.

    Attributes:
        name: product name.
        capability: compute capability, like "9.0".
        driver: newest CUDA version that the driver supports, like "13.0".
    """

    name: str
    capability: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability}, CUDA {self.driver}"


def device() -> Device:
    """Return this machine's GPU.

    Raises:
        ModelError: There is no GPU, or it cannot be used.
    """
    if cudart is None:
        raise ModelError(f"no CUDA: {install_hint('tensorrt')}")
    code, count = cudart.cudaGetDeviceCount()
    if int(code) or not count:
        version = _checked("no CUDA", cudart.cudaRuntimeGetVersion())
        raise ModelError(
            "no CUDA device: this machine has no NVIDIA GPU, or a driver older than CUDA "
            f"{version // 1000}"
        )
    failed = "the CUDA device cannot be used"
    properties = _checked(failed, cudart.cudaGetDeviceProperties(0))
    kinds = [getattr(cudart.cudaDeviceAttr, name) for name in _CAPABILITY]
    parts = [_checked(failed, cudart.cudaDeviceGetAttribute(kind, 0)) for kind in kinds]
    driver = _checked(failed, cudart.cudaDriverGetVersion())
    version = f"{driver // 1000}.{driver % 1000 // 10}"
    return Device(properties.name.decode().rstrip("\0"), ".".join(map(str, parts)), version)


class Tensor:
    """An array on the GPU, with a copy in pinned host memory."""

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        """Allocate the memory.

        Raises:
            ModelError: There is not enough memory.
        """
        kind = np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * kind.itemsize
        failed = f"no {self._bytes / 1e6:.1f} MB on the GPU"
        self.address: int = _checked(failed, cudart.cudaMalloc(self._bytes))
        weakref.finalize(self, cudart.cudaFree, self.address)
        self._host: int = _checked("no memory to copy from", cudart.cudaHostAlloc(self._bytes, 0))
        weakref.finalize(self, cudart.cudaFreeHost, self._host)
        memory = (ctypes.c_byte * self._bytes).from_address(self._host)
        self.host = np.ctypeslib.as_array(memory).view(kind).reshape(shape)
        self.host[:] = 0

    def upload(self, stream: Stream) -> None:
        """Enqueue a copy from the host to the GPU."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        copied = cudart.cudaMemcpyAsync(self.address, self._host, self._bytes, kind, stream.handle)
        _checked("could not copy to the GPU", copied)

    def download(self, stream: Stream) -> None:
        """Enqueue a copy from the GPU to the host."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = cudart.cudaMemcpyAsync(self._host, self.address, self._bytes, kind, stream.handle)
        _checked("could not copy from the GPU", copied)


class Stream:
    """A CUDA stream."""

    def __init__(self) -> None:
        """Open a stream.

        Raises:
            ModelError: The GPU cannot be used.
        """
        flag = cudart.cudaStreamNonBlocking
        self.handle = int(
            _checked("the CUDA device cannot be used", cudart.cudaStreamCreateWithFlags(flag))
        )
        weakref.finalize(self, cudart.cudaStreamDestroy, self.handle)

    def wait(self) -> None:
        """Wait for all work of the stream.

        Raises:
            ModelError: Something failed on the GPU, which may be unusable from then on.
        """
        _checked("the GPU failed", cudart.cudaStreamSynchronize(self.handle))

    def capture(self, enqueue: Callable[[], None]) -> CudaGraph:
        """Return work captured as a CUDA graph, which takes a fraction of the time to launch.

        ``enqueue`` adds the work to this stream; it is not executed.
        """
        failed = "CUDA cannot capture this"
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _checked(failed, cudart.cudaStreamBeginCapture(self.handle, mode))
        try:
            enqueue()
        finally:
            answer = cudart.cudaStreamEndCapture(self.handle)
        return CudaGraph(self, _checked(failed, answer))


class CudaGraph:
    """Captured work of a stream."""

    def __init__(self, stream: Stream, graph: Any) -> None:
        self._stream = stream
        self._ready = _checked("CUDA cannot capture this", cudart.cudaGraphInstantiate(graph, 0))
        cudart.cudaGraphDestroy(graph)
        weakref.finalize(self, cudart.cudaGraphExecDestroy, self._ready)

    def launch(self) -> None:
        """Enqueue the work."""
        _checked("the GPU failed", cudart.cudaGraphLaunch(self._ready, self._stream.handle))


def _checked(failed: str, answer: tuple[Any, ...]) -> Any:
    """Return the result of a CUDA call, which comes after its error code."""
    code, *results = answer
    if int(code):
        _, text = cudart.cudaGetErrorString(code)
        raise ModelError(f"{failed}: {text.decode()}")
    return results[0] if results else None
