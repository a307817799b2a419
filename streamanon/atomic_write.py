"""Files that appear under their name only when they are complete."""

import os
import secrets
import weakref
from pathlib import Path


class AtomicFile:
    """A hidden file beside the final one, renamed when complete and deleted otherwise."""

    def __init__(self, final: Path) -> None:
        """Create the hidden file.

        Raises:
            OSError: the folder does not exist or may not be written to.
        """
        self._final = final
        self.path = final.with_name(f".{final.name[:40]}.{secrets.token_hex(6)}.part")
        # Also runs at exit: an interrupt may come before the caller can discard the file.
        self._delete = weakref.finalize(self, self.path.unlink, missing_ok=True)
        try:
            self.path.touch(exist_ok=False)
        except OSError:
            self._delete.detach()
            raise

    def publish(self) -> None:
        """Give the file its final name, in one step that survives a power cut.

        Raises:
            OSError: the file could not be written to the disk or renamed.
        """
        with self.path.open("rb") as written:
            os.fsync(written.fileno())
        self.path.replace(self._final)

    def discard(self) -> None:
        """Delete the hidden file; safe to call at any time."""
        self._delete()


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file, complete or not at all.

    Raises:
        OSError: the file could not be written; what was there before is unchanged.
    """
    file = AtomicFile(path)
    try:
        file.path.write_bytes(content)
        file.publish()
    finally:
        file.discard()
