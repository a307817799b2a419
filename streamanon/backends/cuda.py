"""What running an engine takes of CUDA: which card there is, memory, and a stream of work.

By NVIDIA's own bindings of the CUDA runtime (``cuda-bindings``), which bring that runtime along and
want nothing but the driver.
"""

from __future__ import annotations

import ctypes
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamanon.errors import ModelError
from streamanon.extras import install_hint

try:
    from cuda.bindings import runtime as cudart
except ImportError:
    cudart = None

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import DTypeLike

_CAPABILITY = ("cudaDevAttrComputeCapabilityMajor", "cudaDevAttrComputeCapabilityMinor")


@dataclass(frozen=True, slots=True)
class Device:
    """The card that CUDA puts first; ``CUDA_VISIBLE_DEVICES`` decides which.

    Attributes:
        name: of the product.
        capability: compute capability, as "9.0".
        driver: newest CUDA the driver knows, as "13.0".
    """

    name: str
    capability: str
    driver: str

    def __str__(self) -> str:
        return f"{self.name}, compute capability {self.capability}, CUDA {self.driver}"


def device() -> Device:
    """Return the card there is.

    Raises:
        ModelError: there is none, or none that can be used.
    """
    if cudart is None:
        raise ModelError(f"no CUDA: {install_hint('tensorrt')}")
    code, count = cudart.cudaGetDeviceCount()
    if int(code) or not count:
        version = _asked("no CUDA", cudart.cudaRuntimeGetVersion())
        raise ModelError(
            "no CUDA device: this machine has no NVIDIA card, or a driver older than CUDA "
            f"{version // 1000}"
        )
    failed = "the CUDA device cannot be used"
    properties = _asked(failed, cudart.cudaGetDeviceProperties(0))
    kinds = [getattr(cudart.cudaDeviceAttr, name) for name in _CAPABILITY]
    parts = [_asked(failed, cudart.cudaDeviceGetAttribute(kind, 0)) for kind in kinds]
    driver = _asked(failed, cudart.cudaDriverGetVersion())
    return Device(
        properties.name.decode().rstrip("\0"), ".".join(map(str, parts)), _version(driver)
    )


class Tensor:
    """An array on the card, with a twin in memory that the card can reach.

    Attributes:
        host: the twin.
        address: of the array on the card.
    """

    def __init__(self, shape: Sequence[int], dtype: DTypeLike) -> None:
        """Take memory.

        Raises:
            ModelError: there is not enough.
        """
        kind = np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * kind.itemsize
        failed = f"no {self._bytes / 1e6:.1f} MB on the card"
        self.address: int = _asked(failed, cudart.cudaMalloc(self._bytes))
        weakref.finalize(self, cudart.cudaFree, self.address)
        self._host: int = _asked("no memory to copy from", cudart.cudaHostAlloc(self._bytes, 0))
        weakref.finalize(self, cudart.cudaFreeHost, self._host)
        memory = (ctypes.c_byte * self._bytes).from_address(self._host)
        self.host = np.ctypeslib.as_array(memory).view(kind).reshape(shape)
        self.host[:] = 0

    def upload(self, stream: Stream) -> None:
        """Have the twin copied onto the card."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        copied = cudart.cudaMemcpyAsync(self.address, self._host, self._bytes, kind, stream.handle)
        _asked("could not copy to the card", copied)

    def download(self, stream: Stream) -> None:
        """Have the array copied into the twin."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = cudart.cudaMemcpyAsync(self._host, self.address, self._bytes, kind, stream.handle)
        _asked("could not copy from the card", copied)


class Stream:
    """Work for the card, done in order.

    Attributes:
        handle: as CUDA knows it.
    """

    def __init__(self) -> None:
        """Open a stream.

        Raises:
            ModelError: the card cannot be used.
        """
        flag = cudart.cudaStreamNonBlocking
        self.handle = int(
            _asked("the CUDA device cannot be used", cudart.cudaStreamCreateWithFlags(flag))
        )
        weakref.finalize(self, cudart.cudaStreamDestroy, self.handle)

    def wait(self) -> None:
        """Wait until everything is done.

        Raises:
            ModelError: something failed on the card, which may be of no use from then on.
        """
        _asked("the card failed", cudart.cudaStreamSynchronize(self.handle))

    def recorded(self, enqueue: Callable[[], None]) -> Recording:
        """Return work as one unit, which costs a fraction of the time to start.

        Args:
            enqueue: adds the work to this stream; nothing of it is done yet.

        Raises:
            ModelError: it cannot be recorded.
        """
        failed = "CUDA cannot record this"
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _asked(failed, cudart.cudaStreamBeginCapture(self.handle, mode))
        try:
            enqueue()
        finally:
            answer = cudart.cudaStreamEndCapture(self.handle)
        return Recording(self, _asked(failed, answer))


class Recording:
    """Recorded work (a CUDA graph)."""

    def __init__(self, stream: Stream, graph: Any) -> None:
        self._stream = stream
        self._ready = _asked("CUDA cannot record this", cudart.cudaGraphInstantiate(graph, 0))
        cudart.cudaGraphDestroy(graph)
        weakref.finalize(self, cudart.cudaGraphExecDestroy, self._ready)

    def play(self) -> None:
        """Have it done once more."""
        _asked("the card failed", cudart.cudaGraphLaunch(self._ready, self._stream.handle))


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _asked(failed: str, answer: tuple[Any, ...]) -> Any:
    """Return what a call gave.

    Args:
        failed: what it means when it gave an error instead.
        answer: an error code, then what was asked for, if anything was.

    Raises:
        ModelError: it gave an error.
    """
    code, *given = answer
    if int(code):
        _, text = cudart.cudaGetErrorString(code)
        raise ModelError(f"{failed}: {text.decode()}")
    return given[0] if given else None
