"""Edges in depth of a turned head: of its nose before a cheek, of its outline before a background.

Face space is too coarse for them: scaled up, positions in the portrait on both sides of an edge mix
into a line of something else. So what is seen close to edges is worked out at the frame's
resolution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face.warp import RASTER, SKIN_POINTS, draw_triangles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.face.drawing import FaceRegion
    from streamanon.face.warp import FaceSpace
    from streamanon.types import F32

FROM_DEG = 25.0
"""Yaw from which on a nose hides part of a cheek."""

FAR_SIDE_DEG = (28.0, 36.0)
"""Yaw from which on, and from which on in full, the side turned away does not fade at all."""

HAIRLINE = -0.9
"""Height in the face, -1 at its top to 1 at its chin, down to which hair may lie beside it."""

JUMP, CLOSE = 5.0, 1
"""Step from px to px of face space, in medians of a face's steps, from which on it is an edge in
depth, and how many px around it are close to it."""

_SQUARE = np.ones((3, 3), np.uint8)


def turned_away(yaw_deg: float) -> float:
    """Return how far the outline of a head is that of its features, 0..1."""
    low, high = FAR_SIDE_DEG
    return min(max((abs(yaw_deg) - low) / (high - low), 0.0), 1.0)


def resampled(
    region: FaceRegion,
    space: FaceSpace,
    warp: tuple[NDArray[np.int32], F32, F32],
    edge: F32,
    yaw_deg: float,
) -> tuple[F32, F32, F32]:
    """Bring where the pixels of a turned face come from, and their opacity, to px of a patch.

    Args:
        region: part of the frame that is drawn on.
        space: face space of the face.
        warp: warp of a portrait onto it (:func:`streamanon.face.warp.warp_portrait`).
        edge: (RASTER, RASTER) float32 opacity, 0 at the rim.
        yaw_deg: yaw of the head.

    Returns:
        x, y and opacity, (h, w) float32; 0 outside face space.
    """
    ids, affines, lookup = warp
    x, y, alpha = region.resampled(lookup, edge)
    points = space.points @ region.to_patch[:, :2].T + region.to_patch[:, 2]
    seen = draw_triangles(space, points, np.zeros(alpha.shape, np.int32))
    ends = lookup.max(axis=(0, 1))
    close = cv2.warpAffine(_edges(lookup, ids), region.to_patch, region.size)
    rows, columns = np.nonzero((close > 0) & (seen > 0))
    back = cv2.invertAffineTransform(region.to_patch).astype(np.float32)
    across, down = back[:, :2] @ np.stack([columns, rows]).astype(np.float32) + back[:, 2:]
    maps = affines[:, seen[rows, columns]]
    x[rows, columns] = np.clip(maps[0] * across + maps[1] * down + maps[2], 0, ends[0])
    y[rows, columns] = np.clip(maps[3] * across + maps[4] * down + maps[5], 0, ends[1])
    inside = np.asarray(seen > 0, np.float32)
    far = cv2.warpAffine(_far_side(space, yaw_deg), region.to_patch, region.size)
    soft = np.minimum(1.5 * np.asarray(cv2.blur(inside, (3, 3))), 1) * inside
    return x, y, np.maximum(alpha, far * soft).astype(np.float32)


def _edges(lookup: F32, ids: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return (RASTER, RASTER) uint8: 1 close to where the position in a portrait jumps, else 0."""
    steps = cv2.morphologyEx(lookup, cv2.MORPH_GRADIENT, _SQUARE).max(axis=2)
    jumps = np.asarray(steps > JUMP * np.median(steps[ids > 0]), np.uint8)
    return np.asarray(cv2.dilate(jumps, _SQUARE, iterations=CLOSE), np.uint8)


def _far_side(space: FaceSpace, yaw_deg: float) -> F32:
    """Return (RASTER, RASTER) float32 in 0..1: where a turned head ends in front of something else.

    There its outline is that of brow, nose, lips and chin, which a fade would let through.
    """
    low, high = (end(space.points[:SKIN_POINTS], axis=0) for end in (np.min, np.max))
    across, down = (2 * (np.arange(RASTER)[:, None] - low) / np.maximum(high - low, 1) - 1).T
    beside = turned_away(yaw_deg) * np.clip(2 * across * np.sign(yaw_deg), 0, 1)
    below_hair = np.clip(4 * (down - HAIRLINE), 0, 1)
    return np.outer(below_hair, beside).astype(np.float32)
