"""Photographs of faces that may be redistributed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from testkit.paths import PHOTOS

if TYPE_CHECKING:
    from streamanon.types import U8


def read_photo(name: str, side_px: int | None = None) -> U8:
    """Read a photograph as (h, w, 3) uint8 BGR, made square if a side is given."""
    image = cv2.imread(str(PHOTOS / f"{name}.webp"))
    assert image is not None, name
    if side_px:
        image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)
