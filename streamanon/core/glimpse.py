"""Tells whether a frame shows something that neither of its neighbours does.

A face that is there in one frame only changes that frame against the one before and the one after;
what merely moves, brightens or fades lies between the two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.types import F32, U8, Picture

COLUMNS = 320
"""Cells a row, about: 4 px wide at 720p, an eighth of the smallest face usually looked for."""

LEVELS = 14
"""8 bit levels beyond both neighbours from which on a cell is not between them."""

CELLS = 6
"""Such cells that make a frame stand out; a tenth of the smallest face."""


def glimpse(picture: Picture) -> U8:
    """Return the first plane (luma, or blue) in 8 bits, averaged over small cells."""
    plane = picture.planes[0]
    cell = max(2, round(plane.shape[1] / COLUMNS))
    size = (max(1, plane.shape[1] // cell), max(1, plane.shape[0] // cell))
    small = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    if picture.colour.depth > 8:
        small = np.asarray(small, np.uint16) >> (picture.colour.depth - 8)
    return np.asarray(small, np.uint8)


def stands_out(before: U8, now: U8, after: U8, known: Sequence[F32]) -> bool:
    """Tell whether a frame shows what its neighbours do not.

    Args:
        before: glimpse of the frame before.
        now: of the frame.
        after: of the frame after.
        known: (4,) float32 boxes, in cells, that hold what is known anyway.
    """
    above = cv2.subtract(now, cv2.max(before, after))
    below = cv2.subtract(cv2.min(before, after), now)
    beyond = cv2.max(above, below)
    for box in known:
        x0, y0, x1, y1 = (max(0, int(side)) for side in box)
        beyond[y0:y1, x0:x1] = 0
    return int((beyond > LEVELS).sum()) >= CELLS
