"""Where an output goes: a file, whose name is checked, or a pipe; messages when writing fails."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from streamanon.atomic_write import EVERYBODY, AtomicFile
from streamanon.errors import MediaError, UsageError, system_reason

_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file system or a limit does not allow a file this large",
    errno.EPIPE: "what read it has ended",
}

_STANDARD = ("-", "/dev/stdout")


class PartFile:
    """An output file that appears under its name only when it is complete.

    Attributes:
        path: hidden file to write to.
        target: the same for FFmpeg.
    """

    def __init__(
        self, final: Path, source: Path, *, overwrite: bool, mode: int = EVERYBODY
    ) -> None:
        """Create the hidden file of an output made from a source, and the folder if it is missing.

        The mode are its permissions, less those that the umask takes away.

        Raises:
            UsageError: the output exists, is the source, or cannot be created.
        """
        self._final, self._source, self._overwrite = final, source, overwrite
        self._check()
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self._file = AtomicFile(final, mode=mode)
        except OSError as error:
            raise UsageError(
                f"output {final} cannot be created ({error.strerror}): "
                "wanted a folder that may be written to"
            ) from error
        self.path = self._file.path
        self.target = str(self.path.absolute())

    def publish(self) -> None:
        """Give the complete file its final name."""
        try:
            self._check()
            self._file.publish()
        except OSError as error:
            raise self.failure(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Delete the hidden file; safe to call at any time."""
        self._file.discard()

    def failure(self, error: Exception) -> MediaError:
        """Return the error to raise when writing failed."""
        return _failure(self._final, error)

    def _check(self) -> None:
        final = self._final
        if final.exists() and final.samefile(self._source):
            raise UsageError(f"output {final} is the input itself: choose another name")
        if final.is_dir():
            raise UsageError(f"output {final} is a folder: name a file")
        if final.exists() and not self._overwrite:
            raise UsageError(f"output {final} exists: choose another name or --overwrite")


class OutputPipe:
    """A pipe in the place of an output file: what is written goes out at once.

    FFmpeg writes through it: its own way into a pipe stops all of Python while a reader is slow.

    Attributes:
        name: name of a named pipe, or "-" for the standard output.
    """

    def __init__(self, name: str) -> None:
        """Name a pipe, which is not opened yet."""
        self.name = name
        self._file: int | None = None

    @property
    def target(self) -> OutputPipe:
        """What FFmpeg writes to."""
        return self

    def open(self) -> None:
        """Open it; waits for the reader of a named pipe.

        Raises:
            MediaError: it cannot be opened.
        """
        try:
            self._file = os.dup(1) if self.name in _STANDARD else os.open(self.name, os.O_WRONLY)
        except OSError as error:
            raise self.failure(error) from error

    def write(self, data: bytes) -> int:
        """Write all of some bytes, as FFmpeg asks for.

        Raises:
            OSError: the reader has gone, or the pipe is closed.
        """
        left = memoryview(data)
        while left:
            if self._file is None:
                raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
            left = left[os.write(self._file, left) :]
        return len(data)

    def publish(self) -> None:
        """Nothing is held back."""

    def discard(self) -> None:
        """Close it; safe to call at any time."""
        if self._file is not None:
            file, self._file = self._file, None
            os.close(file)

    def failure(self, error: Exception) -> MediaError:
        """Return the error to raise when writing failed."""
        return _failure(self.name, error)


def _failure(name: object, error: Exception) -> MediaError:
    number = getattr(error, "errno", None)
    advice = _ADVICE.get(number or 0, "see the reason given")
    return MediaError(f"output {name} could not be written ({system_reason(error)}): {advice}")
