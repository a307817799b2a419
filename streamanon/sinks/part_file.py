"""Output that appears under its name only when it is complete."""

from __future__ import annotations

import errno
import os
import secrets
import weakref
from typing import TYPE_CHECKING

from streamanon.errors import MediaError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file system or a limit does not allow a file this large",
}


class PartFile:
    """A hidden file beside the final one, renamed when complete and deleted otherwise.

    Attributes:
        path: where to write.
    """

    def __init__(self, final: Path, source: Path, *, overwrite: bool) -> None:
        """Create the hidden file, and the folder when it is missing.

        Raises:
            UsageError: the final name is taken, is the source, or may not be written.
        """
        self._final, self._source, self._overwrite = final, source, overwrite
        self._check()
        self.path = final.with_name(f".{final.name[:40]}.{secrets.token_hex(6)}.part")
        # Also runs at exit: an interrupt may fall between here and whoever would discard it.
        self._delete = weakref.finalize(self, self.path.unlink, missing_ok=True)
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(exist_ok=False)
        except OSError as error:
            self._delete.detach()
            raise UsageError(
                f"output {final} cannot be created ({error.strerror}): "
                "wanted a folder that may be written to"
            ) from error

    def publish(self) -> None:
        """Give the finished file its name, in one step that survives a power cut."""
        try:
            self._check()
            with self.path.open("rb") as written:
                os.fsync(written.fileno())
            self.path.replace(self._final)
        except OSError as error:
            raise self.failure(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Delete the hidden file; safe to call at any time."""
        self._delete()

    def failure(self, error: Exception) -> MediaError:
        """Return what to raise when writing failed."""
        number = getattr(error, "errno", None)
        reason = getattr(error, "strerror", None) or str(error)
        advice = _ADVICE.get(number or 0, "see the reason given")
        return MediaError(f"output {self._final} could not be written ({reason}): {advice}")

    def _check(self) -> None:
        final = self._final
        if final.exists() and final.samefile(self._source):
            raise UsageError(f"output {final} is the input itself: choose another name")
        if final.is_dir():
            raise UsageError(f"output {final} is a folder: name a file")
        if final.exists() and not self._overwrite:
            raise UsageError(f"output {final} exists: choose another name or --overwrite")
