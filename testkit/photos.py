"""Photographs of faces that may be redistributed."""

import cv2
import numpy as np

from streamanon.types import U8
from testkit.paths import PHOTOS


def read_photo(name: str, side_px: int | None = None) -> U8:
    """Read a photograph as (h, w, 3) uint8 BGR, made square if a side is given."""
    image = cv2.imread(str(PHOTOS / f"{name}.webp"))
    assert image is not None, name
    if side_px:
        image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)
