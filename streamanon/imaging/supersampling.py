"""Small shapes drawn larger and averaged, so that they move by fractions of a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8

FINER = 4
"""How much larger they are drawn."""

SHIFT = 4
"""Fractional bits of the places to draw at."""


@dataclass(frozen=True)
class CloseUp:
    """A part of an image, to draw on.

    Attributes:
        box: x0, y0, x1, y1 in px of the image; not empty.
        canvas: ((y1 - y0) * FINER, (x1 - x0) * FINER) uint8, 0 at first.
    """

    box: tuple[int, int, int, int]
    canvas: U8

    @classmethod
    def around(cls, outline: F32, margin_px: float, size: tuple[int, int]) -> CloseUp | None:
        """Return the part of an image around an outline; None where that lies outside.

        Args:
            outline: (n, 2 or 3) in px of the image.
            margin_px: how far beyond the outline to reach.
            size: (width, height) of the image in px.
        """
        low = np.clip(outline[:, :2].min(axis=0) - margin_px, 0, size).astype(int)
        high = np.clip(outline[:, :2].max(axis=0) + margin_px + 1, 0, size).astype(int)
        columns, rows = (high - low).tolist()
        if min(columns, rows) < 1:
            return None
        canvas = np.zeros((rows * FINER, columns * FINER), np.uint8)
        return cls((*low.tolist(), *high.tolist()), canvas)

    @property
    def place(self) -> tuple[slice, slice]:
        """Rows and columns of the part in the image."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def fixed(self, points: F32) -> NDArray[np.int32]:
        """Return (n, 2) points of the image as px of the canvas, with SHIFT fractional bits."""
        finer = (points[:, :2] - self.box[:2] + 0.5) * FINER - 0.5
        return np.asarray(np.rint(finer * (1 << SHIFT)), np.int32)

    def averaged(self) -> U8:
        """Return what was drawn, at the image's scale."""
        x0, y0, x1, y1 = self.box
        small = cv2.resize(self.canvas, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8)
