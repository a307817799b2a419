"""``streamanon identities``: a picture of a gallery, and a gallery out of portraits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.identities.prepare import prepare
from streamanon.identities.sheet import contact_sheet
from streamanon.media.file_types import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamanon.types import Identity


def write_sheet(path: Path, identities: Path | None = None) -> None:
    """Write a picture of every identity and its name.

    Args:
        path: a picture that does not exist yet.
        identities: folder of portraits, instead of the built-in gallery.

    Raises:
        UsageError: the picture cannot be written as asked, or there is something wrong with the
            folder.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path} is no picture: use one of {' '.join(IMAGE_SUFFIXES)}")
    if path.exists():
        raise UsageError(f"{path} exists: choose another name")
    sheet = contact_sheet(Factory(Config(identities=identities)).gallery)
    try:
        path.write_bytes(cv2.imencode(path.suffix, sheet)[1].tobytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def prepare_portraits(portraits: Sequence[Path], folder: Path) -> Sequence[Identity]:
    """Check portraits and write them as a gallery for ``Config.identities``.

    Raises:
        UsageError: a portrait will not do; then nothing is written.
    """
    return prepare(portraits, folder, Factory(Config()).portrait_reader)
