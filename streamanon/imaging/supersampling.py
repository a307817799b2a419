"""Small shapes drawn enlarged and downsampled, so that they move by fractions of a pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.imaging.boxes import bounds
from streamanon.types import F32, U8

SUPERSAMPLING = 4
"""Factor by which shapes are drawn enlarged."""

SHIFT = 4
"""Fractional bits of coordinates, as in OpenCV's drawing functions."""


@dataclass(frozen=True)
class SupersampledRegion:
    """An enlarged region of an image, to draw on.

    Attributes:
        box: x0, y0, x1, y1 in px of the image; not empty.
        canvas: ((y1 - y0) * SUPERSAMPLING, (x1 - x0) * SUPERSAMPLING) uint8, initially 0.
    """

    box: tuple[int, int, int, int]
    canvas: U8

    @classmethod
    def around(
        cls, outline: F32, margin_px: float, size: tuple[int, int]
    ) -> SupersampledRegion | None:
        """Return the region of an image around (n, 2 or 3) points in px; None if they are outside.

        The margin is in px, the size is width and height of the image.
        """
        first, last = bounds(outline)
        low = np.clip(first - margin_px, 0, size).astype(int)
        high = np.clip(last + margin_px + 1, 0, size).astype(int)
        columns, rows = (high - low).tolist()
        if min(columns, rows) < 1:
            return None
        canvas = np.zeros((rows * SUPERSAMPLING, columns * SUPERSAMPLING), np.uint8)
        return cls((*low.tolist(), *high.tolist()), canvas)

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the region in the image."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def fixed_point(self, points: F32) -> NDArray[np.int32]:
        """Return (n, 2) points of the image as px of the canvas, with SHIFT fractional bits."""
        enlarged = (points[:, :2] - self.box[:2] + 0.5) * SUPERSAMPLING - 0.5
        return np.asarray(np.rint(enlarged * (1 << SHIFT)), np.int32)

    def downsampled(self) -> U8:
        """Return the drawing at the image's scale."""
        x0, y0, x1, y1 = self.box
        small = cv2.resize(self.canvas, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)
