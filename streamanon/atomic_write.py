"""Files that appear under their name only when they are complete."""

import os
import re
import secrets
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where an open file cannot be deleted
    fcntl = None  # type: ignore[assignment]

EVERYBODY, OWNER_ONLY = 0o666, 0o600
"""Permissions of a usual file and of what only its owner may read."""

_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{12}\.streamanon\.part")


class AtomicFile:
    """A hidden file beside the final one, renamed when complete and deleted otherwise.

    Its ``path`` is written to. It is locked as long as its writer lives. Those that dead writers
    left in the same folder are deleted.
    """

    def __init__(self, final: Path, *, mode: int = EVERYBODY) -> None:
        """Create the hidden file; a link at the final name is followed.

        The mode are its permissions, less those that the umask takes away.

        Raises:
            OSError: the folder does not exist or may not be written to.
        """
        self._final = Path(os.path.realpath(final))
        _delete_leftovers(self._final.parent)
        name = f".{final.name[:40]}.{secrets.token_hex(6)}.streamanon.part"
        self.path = self._final.with_name(name)
        self._lock = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode)
        # Also runs at exit: an interrupt may come before the caller can discard the file.
        self._delete = weakref.finalize(self, _delete, self.path, self._lock)
        if fcntl:
            with suppress(OSError):  # some network drives have no locks
                fcntl.flock(self._lock, fcntl.LOCK_EX)

    def publish(self) -> None:
        """Give the file its final name, in one step that survives a power cut.

        Raises:
            OSError: the file could not be written to the disk or renamed.
        """
        with self.path.open("rb") as written:
            os.fsync(written.fileno())
        if not fcntl and self._delete.detach():
            os.close(self._lock)
        self.path.replace(self._final)

    def discard(self) -> None:
        """Delete the hidden file; safe to call at any time."""
        self._delete()


def _delete(path: Path, lock: int) -> None:
    path.unlink(missing_ok=True)
    os.close(lock)


@cache
def _delete_leftovers(folder: Path) -> None:
    """Delete the hidden files in a folder whose writers were killed; once in each process."""
    with suppress(OSError):
        for path in folder.iterdir():
            if _LEFTOVER.fullmatch(path.name):
                _delete_unlocked(path)


def _delete_unlocked(path: Path) -> None:
    with suppress(OSError):
        if not fcntl:
            path.unlink()
            return
        file = os.open(path, os.O_WRONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(file)


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
