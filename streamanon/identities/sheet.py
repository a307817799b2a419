"""A contact sheet of a gallery: every identity with its name."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.identities.portrait import face_height_px
from streamanon.media.file_types import IMAGE_SUFFIXES
from streamanon.types import U8, Identity

CELL_PX = 200
GAP_PX = 18
LABEL_PX = 40
ASPECT = 1.6
"""Wanted width over height of the sheet."""

PAPER = (250, 250, 250)
INK = (60, 50, 50)


def contact_sheet(identities: Sequence[Identity]) -> U8:
    """Return (h, w, 3) uint8 BGR: the faces in rows, all at one size, names below."""
    step_x, step_y = CELL_PX + GAP_PX, CELL_PX + LABEL_PX
    columns = round(np.sqrt(ASPECT * len(identities) * step_y / step_x))
    columns = min(len(identities), max(1, columns))
    rows = -(-len(identities) // columns)
    size = (rows * step_y + GAP_PX, columns * step_x + GAP_PX, 3)
    sheet = np.full(size, PAPER, np.uint8)
    for number, identity in enumerate(identities):
        row, column = divmod(number, columns)
        x, y = GAP_PX + column * step_x, GAP_PX + row * step_y
        sheet[y : y + CELL_PX, x : x + CELL_PX] = head(identity, CELL_PX)
        _write(sheet, identity.name, (x + CELL_PX // 2, y + CELL_PX + 24))
    return sheet


def write_sheet(identities: Sequence[Identity], path: Path) -> None:
    """Write the contact sheet of a gallery as a picture that does not exist yet.

    Raises:
        UsageError: it exists, is no picture by its name, or cannot be written.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path} is no picture: use one of {' '.join(IMAGE_SUFFIXES)}")
    if path.exists():
        raise UsageError(f"{path} exists: choose another name")
    try:
        path.write_bytes(cv2.imencode(path.suffix, contact_sheet(identities))[1].tobytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def head(identity: Identity, size_px: int) -> U8:
    """Return (size_px, size_px, 3) uint8 BGR with the face in the middle."""
    points = identity.mesh.points
    centre = (points[lm.CHIN, :2] + points[lm.FOREHEAD, :2]) / 2
    scale = size_px / (1.45 * face_height_px(identity.mesh))
    place = np.column_stack([np.eye(2) * scale, size_px / 2 - scale * centre])
    cell = cv2.warpAffine(
        cv2.GaussianBlur(identity.portrait, (0, 0), max(0.01, 0.4 / scale)),
        place,
        (size_px, size_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cell, np.uint8)


def _write(sheet: U8, text: str, middle: tuple[int, int]) -> None:
    """Write text on a sheet, in place, centred on the middle of its baseline."""
    font, largest = cv2.FONT_HERSHEY_SIMPLEX, 0.6
    (width, _), _ = cv2.getTextSize(text, font, largest, 1)
    scale = largest * min(1.0, CELL_PX / width)
    x = round(middle[0] - width * scale / largest / 2)
    cv2.putText(sheet, text, (x, middle[1]), font, scale, INK, 1, cv2.LINE_AA)
