"""Masks drawn from a face's mesh: the face itself, open eyes, open mouth and features."""

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.warp import SKIN_POINTS
from streamanon.imaging.supersampling import SHIFT, SUPERSAMPLING, SupersampledRegion
from streamanon.types import F32, U8

_AROUND_PX = 1.0
"""Distance by which a drawing may exceed its outline."""

_IRIS = 128
"""Grey level of the irises in the mask of the eyes."""


def hole(points: F32, side_px: int, growth_px: float) -> U8:
    """Return (side_px, side_px) uint8, 255 wherever the face may be visible, else 0.

    Args:
        points: (478, 2 or 3) mesh in px of the mask.
        side_px: side of the mask.
        growth_px: distance by which the hole exceeds the convex hull of the mesh.
    """
    hull = np.asarray(cv2.convexHull(np.ascontiguousarray(points[:SKIN_POINTS, :2])))[:, 0]
    outwards = hull - hull.mean(axis=0)
    grown = hull + growth_px * outwards / np.maximum(np.hypot(*outwards.T), 1e-3)[:, None]
    drawn = np.zeros((side_px, side_px), np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(grown * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    return np.asarray(cv2.threshold(drawn, 0, 255, cv2.THRESH_BINARY)[1], np.uint8)


def eyes(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8 of a (478, 2 or 3) mesh: 255 between lids, 128 on irises."""
    drawn = np.zeros((side_px, side_px), np.uint8)
    for lids, centre, ring in (
        (lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE, lm.RIGHT_IRIS),
        (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE, lm.LEFT_IRIS),
    ):
        region = SupersampledRegion.around(points[list(lids)], _AROUND_PX, (side_px, side_px))
        if region is None:
            continue
        opening, iris = region.canvas, np.zeros_like(region.canvas)
        cv2.fillPoly(opening, [region.fixed_point(points[list(lids)])], 255, cv2.LINE_8, SHIFT)
        radius = float(np.hypot(*(points[list(ring), :2] - points[centre, :2]).T).mean())
        x, y = region.fixed_point(points[[centre]])[0].tolist()
        fixed_radius = round(radius * SUPERSAMPLING * (1 << SHIFT))
        cv2.circle(iris, (x, y), fixed_radius, 255 - _IRIS, -1, cv2.LINE_8, SHIFT)
        cv2.subtract(opening, cv2.min(opening, iris), dst=opening)
        _add(region, drawn)
    return drawn


def mouth_interior(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8 of a (478, 2 or 3) mesh: 255 between the inner lips."""
    drawn = np.zeros((side_px, side_px), np.uint8)
    lips = points[list(lm.INNER_LIPS)]
    region = SupersampledRegion.around(lips, _AROUND_PX, (side_px, side_px))
    if region is not None:
        cv2.fillPoly(region.canvas, [region.fixed_point(lips)], 255, cv2.LINE_8, SHIFT)
        _add(region, drawn)
    return drawn


def features(points: F32, side_px: int) -> U8:
    """Return (side_px, side_px) uint8 of a (478, 2 or 3) mesh.

    It is 255 on the eyes with their upper lids and on the lips.
    """
    drawn = np.zeros((side_px, side_px), np.uint8)
    for outline in (
        lm.RIGHT_EYE + lm.RIGHT_LID_CREASE,
        lm.LEFT_EYE + lm.LEFT_LID_CREASE,
        lm.OUTER_LIPS,
    ):
        hull = cv2.convexHull(np.rint(points[list(outline), :2] * 16).astype(np.int32))
        cv2.fillConvexPoly(drawn, hull, 255, cv2.LINE_8, 4)
    return drawn


def _add(region: SupersampledRegion, drawn: U8) -> None:
    """Merge a supersampled drawing into a mask."""
    drawn[region.place] = np.maximum(drawn[region.place], region.downsampled())
