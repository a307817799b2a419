"""Maps drawn from a face's mesh: where it may be seen, where eyes and mouth are open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.warp import SKIN_POINTS
from streamanon.imaging.supersampling import FINER, SHIFT, CloseUp

if TYPE_CHECKING:
    from streamanon.types import F32, U8

_AROUND_PX = 1.0
"""How far a drawing may reach beyond its outline."""

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
        close = CloseUp.around(points[list(lids)], _AROUND_PX, (side_px, side_px))
        if close is None:
            continue
        opening, iris = close.canvas, np.zeros_like(close.canvas)
        cv2.fillPoly(opening, [close.fixed(points[list(lids)])], 255, cv2.LINE_8, SHIFT)
        radius = float(np.hypot(*(points[list(ring), :2] - points[centre, :2]).T).mean())
        x, y = close.fixed(points[[centre]])[0].tolist()
        fixed = round(radius * FINER * (1 << SHIFT))
        cv2.circle(iris, (x, y), fixed, 255 - _IRIS, -1, cv2.LINE_8, SHIFT)
        cv2.subtract(opening, cv2.min(opening, iris), dst=opening)
        _add(close, drawn)
    return drawn


def mouth_interior(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8, 255 between the inner lips.

    Args:
        points: (478, 2 or 3) mesh in px of the map.
        side_px: of the map.
    """
    drawn = np.zeros((side_px, side_px), np.uint8)
    lips = points[list(lm.INNER_LIPS)]
    close = CloseUp.around(lips, _AROUND_PX, (side_px, side_px))
    if close is not None:
        cv2.fillPoly(close.canvas, [close.fixed(lips)], 255, cv2.LINE_8, SHIFT)
        _add(close, drawn)
    return drawn


def _add(close: CloseUp, drawn: U8) -> None:
    """Bring what was drawn onto a map."""
    drawn[close.place] = np.maximum(drawn[close.place], close.averaged())
