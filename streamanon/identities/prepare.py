"""Preparing a user's own portraits once, so that later runs start without measuring them."""

from collections.abc import Sequence
from pathlib import Path

from streamanon.errors import UsageError
from streamanon.identities.gallery import read_portraits, write_gallery
from streamanon.identities.portrait import PortraitReader
from streamanon.types import Identity


def prepare(portraits: Sequence[Path], out: Path, reader: PortraitReader) -> tuple[Identity, ...]:
    """Check portraits, crop them to the head and write them as a gallery.

    Args:
        portraits: pictures of one person each; the file's name becomes the identity's.
        out: folder to write; must be new or empty. Nothing is written unless all portraits are
            usable.
        reader: reads portraits.

    Returns:
        The identities that were written.

    Raises:
        UsageError: A portrait is not usable, or the folder cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"output {out} exists and is not an empty folder: choose another name")
    identities = read_portraits(portraits, reader)
    try:
        write_gallery(identities, out)
    except OSError as error:
        raise UsageError(f"output {out} cannot be written: {error.strerror or error}") from error
    return identities
