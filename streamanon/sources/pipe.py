"""A pipe that is read while its writer still writes."""

import hashlib
import os
import select
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from streamanon.errors import MediaError
from streamanon.media.shared_packets import SharedPackets

_T = TypeVar("_T")


class InputPipe:
    """The bytes of a pipe, in their order; its ``packets``, once it was opened as a video.

    FFmpeg cannot be left by an exception, so that what goes wrong ends the data, and is raised by
    :meth:`check`.
    """

    def __init__(self, file: int, name: str, stall_s: float) -> None:
        """Begin at the present place of a file, which is not closed; wait ``stall_s`` for more."""
        self.name, self._file, self._stall_s = name, file, stall_s
        self.packets: SharedPackets | None = None
        self._begun = b""
        self._failure: MediaError | None = None
        self._woken, self._wake = os.pipe()
        self._hash = hashlib.sha256()

    @property
    def is_file(self) -> bool:
        """Whether it is a file that was put in the place of a pipe, which ends."""
        return stat.S_ISREG(os.fstat(self._file).st_mode)

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read, in hex."""
        return self._hash.hexdigest()

    def peek(self, size: int) -> bytes:
        """Return the first bytes, fewer only where the data end; they are read again.

        Raises:
            MediaError: they did not come.
        """
        while len(self._begun) < size and (more := self._next(size - len(self._begun))):
            self._begun += more
        self.check()
        return self._begun[:size]

    def read(self, size: int) -> bytes:
        """Return the next bytes, up to a number; none at the end."""
        data, self._begun = self._begun[:size], self._begun[size:]
        data = data or self._next(size)
        self._hash.update(data)
        return data

    def check(self) -> None:
        """Raise what went wrong with the data, if anything did."""
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """End the data now; called from any thread."""
        os.write(self._wake, b"\0")

    def close(self) -> None:
        """Release what was opened, when nothing is read any more."""
        os.close(self._wake)
        os.close(self._woken)

    def interruptible(self, call: Callable[[], _T]) -> _T:
        """Call what reads the pipe, so that a signal ends it and is raised here.

        Raises:
            MediaError: the pipe failed.
        """
        with ThreadPoolExecutor(1) as thread:
            try:
                return thread.submit(call).result()
            except BaseException:
                self.stop()
                self.check()
                raise

    def _next(self, size: int) -> bytes:
        try:
            ready, _, _ = select.select([self._file, self._woken], [], [], self._stall_s)
            if self._woken in ready:
                return b""
            if ready:
                return os.read(self._file, size)
            reason = f"nothing came for {self._stall_s:g} s: look at what writes it, or --stall-s"
        except OSError as error:
            reason = f"it cannot be read ({error.strerror})"
        self._failure = MediaError(f"input {self.name}: {reason}")
        return b""
