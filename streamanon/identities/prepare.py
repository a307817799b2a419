"""Preparing a user's own portraits once, so that later runs start without measuring them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from streamanon.errors import StreamanonError, UsageError
from streamanon.identities.gallery import portraits_in, read_portraits, write_gallery
from streamanon.identities.portrait import PortraitReader


def prepare(
    portraits: Sequence[Path],
    out: Path,
    reader: PortraitReader,
    refused: Callable[[StreamanonError], None],
) -> int:
    """Check portraits, crop them to the head and write those that will do as a gallery.

    Args:
        portraits: pictures of one person each, whose file's name becomes the identity's, or folders
            of them.
        out: folder to write; must be new or empty.
        reader: reads portraits.
        refused: called with the reason for each of several portraits that is left out.

    Returns:
        The number of identities that were written.

    Raises:
        UsageError: No portrait is usable, or the folder cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"output {out} exists and is not an empty folder: choose another name")
    pictures = [
        picture
        for path in portraits
        for picture in (portraits_in(path) if path.is_dir() else [path])
    ]
    identities = read_portraits(pictures, reader, refused if len(pictures) > 1 else None)
    if not identities:
        raise UsageError(f"none of {len(pictures)} portraits will do, see above")
    try:
        write_gallery(identities, out)
    except OSError as error:
        raise UsageError(f"output {out} cannot be written: {error.strerror or error}") from error
    return len(identities)
