"""The file of an output: checks of its name, and messages for users when writing fails."""

import errno
from pathlib import Path

from streamanon.atomic_write import AtomicFile
from streamanon.errors import MediaError, UsageError

_ADVICE = {
    errno.ENOSPC: "free some space on the disk",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file system or a limit does not allow a file this large",
}


class PartFile:
    """An output file that appears under its name only when it is complete."""

    def __init__(self, final: Path, source: Path, *, overwrite: bool) -> None:
        """Create the hidden file, and the folder if it is missing.

        Raises:
            UsageError: the output exists, is the source, or cannot be created.
        """
        self._final, self._source, self._overwrite = final, source, overwrite
        self._check()
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self._file = AtomicFile(final)
        except OSError as error:
            raise UsageError(
                f"output {final} cannot be created ({error.strerror}): "
                "wanted a folder that may be written to"
            ) from error
        self.path = self._file.path

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
