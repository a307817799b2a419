"""Maps drawn from a face's mesh: where it may be seen, where eyes and mouth are open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.core import landmarks as lm
from streamanon.core.warp import SKIN_POINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8

_FINER = 4
"""Maps are drawn this much larger and averaged, so that they move by fractions of a pixel."""

_IRIS = 128
"""Level of the irises in the map of the eyes."""


def hole(points: F32, side_px: int, growth_px: float) -> U8:
    """Return (side_px, side_px) uint8, 255 wherever the face may be seen, else 0.

    Args:
        points: (478, 2 or 3) mesh in px of the map.
        side_px: of the map.
        growth_px: how far the hole reaches beyond the hull of the mesh.
    """
    hull = np.asarray(cv2.convexHull(np.ascontiguousarray(points[:SKIN_POINTS, :2])))[:, 0]
    outwards = hull - hull.mean(axis=0)
    grown = hull + growth_px * outwards / np.maximum(np.hypot(*outwards.T), 1e-3)[:, None]
    drawn = np.zeros((side_px, side_px), np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(grown * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.threshold(drawn, 0, 255, cv2.THRESH_BINARY)[1], np.uint8)


def eyes(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8: 255 between the lids, 128 on the irises.

    Args:
        points: (478, 2 or 3) mesh in px of the map.
        side_px: of the map.
    """
    drawn = np.zeros((side_px, side_px), np.uint8)
    for lids, centre, ring in (
        (lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE, lm.RIGHT_IRIS),
        (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE, lm.LEFT_IRIS),
    ):
        close = _CloseUp.of(points[list(lids)], side_px)
        opening, iris = close.canvas(), close.canvas()
        cv2.fillPoly(opening, [close.fixed(points[list(lids)])], 255, cv2.LINE_8, 4)
        radius = float(np.hypot(*(points[list(ring), :2] - points[centre, :2]).T).mean())
        x, y = close.fixed(points[[centre]])[0].tolist()
        cv2.circle(iris, (x, y), round(radius * _FINER * 16), 255 - _IRIS, -1, cv2.LINE_8, 4)
        close.add(np.asarray(cv2.subtract(opening, cv2.min(opening, iris)), np.uint8), drawn)
    return drawn


def mouth_interior(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8, 255 between the inner lips.

    Args:
        points: (478, 2 or 3) mesh in px of the map.
        side_px: of the map.
    """
    drawn = np.zeros((side_px, side_px), np.uint8)
    lips = points[list(lm.INNER_LIPS)]
    close = _CloseUp.of(lips, side_px)
    opening = close.canvas()
    cv2.fillPoly(opening, [close.fixed(lips)], 255, cv2.LINE_8, 4)
    close.add(opening, drawn)
    return drawn


@dataclass(frozen=True)
class _CloseUp:
    """A part of a map, drawn larger.

    Attributes:
        low: (2,) int, x and y of its first px in the map.
        high: (2,) int, x and y behind its last.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]

    @classmethod
    def of(cls, outline: F32, side_px: int) -> _CloseUp:
        """Return the part around an outline."""
        ends = np.clip(
            [outline[:, :2].min(axis=0) - 1, outline[:, :2].max(axis=0) + 2], 0, side_px
        ).astype(np.int64)
        return cls(ends[0], ends[1])

    def canvas(self) -> U8:
        """Return something to draw on."""
        columns, rows = (self.high - self.low) * _FINER
        return np.zeros((rows, columns), np.uint8)

    def fixed(self, points: F32) -> NDArray[np.int32]:
        """Return px of the map as fixed point px of the canvas."""
        finer = (points[:, :2] - self.low + 0.5) * _FINER - 0.5
        return np.asarray(np.rint(finer * 16), np.int32)

    def add(self, canvas: U8, drawn: U8) -> None:
        """Bring what was drawn onto the map."""
        size = (self.high - self.low).tolist()
        if min(size) < 1:
            return
        x, y = slice(self.low[0], self.high[0]), slice(self.low[1], self.high[1])
        shrunk = np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)
        drawn[y, x] = np.maximum(drawn[y, x], shrunk)
