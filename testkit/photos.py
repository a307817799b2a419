"""Photographs of faces that may be redistributed."""

import cv2
import numpy as np

from streamanon.types import F32, U8
from testkit.paths import PHOTOS


def read_photo(name: str, side_px: int | None = None) -> U8:
    """Read a photograph as (h, w, 3) uint8 BGR, made square if a side is given."""
    image = cv2.imread(str(PHOTOS / f"{name}.webp"))
    assert image is not None, name
    if side_px:
        image = cv2.resize(image, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(image, np.uint8)


def turned(image: U8, points: F32, degrees: float, scale: float = 1.0) -> tuple[U8, F32]:
    """Return an image turned about its middle and scaled in its frame, and where points are then.

    Args:
        image: (h, w, 3) uint8.
        points: (n, 2) or (n, 3) px.
        degrees: counterclockwise.
        scale: size of what is seen.
    """
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    moved = points.astype(np.float32)
    moved[:, :2] = points[:, :2] @ turn[:, :2].T + turn[:, 2]
    moved[:, 2:] *= scale
    result = cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(result, np.uint8), moved
