"""Maps drawn from a face's mesh: where it may be seen, where eyes and mouth are open."""

from __future__ import annotations

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
    opening, iris = _canvas(side_px), _canvas(side_px)
    for lids, centre, ring in (
        (lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE, lm.RIGHT_IRIS),
        (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE, lm.LEFT_IRIS),
    ):
        cv2.fillPoly(opening, [_fixed(points[list(lids)])], 255, cv2.LINE_8, 4)
        radius = float(np.hypot(*(points[list(ring), :2] - points[centre, :2]).T).mean())
        x, y = _fixed(points[[centre]])[0].tolist()
        cv2.circle(iris, (x, y), round(radius * _FINER * 16), 255 - _IRIS, -1, cv2.LINE_8, 4)
    drawn = cv2.subtract(opening, cv2.min(opening, iris))
    return _averaged(np.asarray(drawn, np.uint8), side_px)


def mouth_interior(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8, 255 between the inner lips.

    Args:
        points: (478, 2 or 3) mesh in px of the map.
        side_px: of the map.
    """
    drawn = _canvas(side_px)
    cv2.fillPoly(drawn, [_fixed(points[list(lm.INNER_LIPS)])], 255, cv2.LINE_8, 4)
    return _averaged(drawn, side_px)


def _canvas(side_px: int) -> U8:
    return np.zeros((side_px * _FINER, side_px * _FINER), np.uint8)


def _fixed(points: F32) -> NDArray[np.int32]:
    """Return px of the map as fixed point px of the larger canvas."""
    finer = (points[:, :2] + 0.5) * _FINER - 0.5
    return np.asarray(np.rint(finer * 16), np.int32)


def _averaged(canvas: U8, side_px: int) -> U8:
    shrunk = cv2.resize(canvas, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8)
