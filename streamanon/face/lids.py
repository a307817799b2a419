"""Closing eyelids: where they meet, and which skin of an open-eyed portrait covers a shut eye."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES
from streamanon.imaging.boxes import bounds
from streamanon.types import F32

CLOSED, OPEN = 0.05, 0.13
"""Openings (see :func:`opening`) at and below which an eye is shut, and from which it is open."""

SEEN, DRAWN = (0.0, 0.05, 0.12, 0.18, 0.22, 0.25), (0.0, 0.045, 0.088, 0.145, 0.205, 0.25)
"""Openings in the mesh of a face, and those with which its lids are drawn; beyond, they are equal.

Lids of an open-eyed portrait have their lashes and shadow around them, and look more open than they
are drawn. With this, meshes fitted to results have the openings of those that results were drawn
by; without, 0.12 becomes 0.19 (seven clips, five identities)."""

MARGIN_RISE, CREASE_RISE = 0.9, 0.6
"""Share of the way that the edge of a shut lid moves to the crease, and the crease to the brow."""

ALIKE, APART = 0.05, 0.09
"""Differences of opening up to which both eyes are as open as each other, and from which one winks:
the mesh of a squint or a turned head seldom agrees by itself."""

LASHES_FROM = 0.5
"""Degree of closure, 0..1, from which the gap between the lids begins to show lashes only."""

EYES = (
    (lm.RIGHT_EYE, lm.RIGHT_LID_CREASE, lm.RIGHT_BROW_BONE),
    (lm.LEFT_EYE, lm.LEFT_LID_CREASE, lm.LEFT_BROW_BONE),
)
"""Outline, crease of the upper lid and brow bone of each eye, as points of the mesh."""

_BETWEEN = tuple(np.isin(TRIANGLES, eye).all(axis=1) for eye, _, _ in EYES)


def opening(outline: F32 | NDArray[np.float64]) -> float:
    """Return an eye's area over its width squared, from its (16, 2) outline."""
    area = cv2.contourArea(outline.astype(np.float32))
    low, high = bounds(outline)
    return area / max(float((high - low) @ (high - low)), 1e-6)


def openings(points: F32 | NDArray[np.float64]) -> tuple[float, float]:
    """Return the openings of the right and the left eye of a (478, 2) mesh, alike but in a wink."""
    right, left = (opening(points[list(outline)]) for outline, _, _ in EYES)
    own = min(max((abs(right - left) - ALIKE) / (APART - ALIKE), 0), 1)
    mean = (right + left) / 2
    return mean + own * (right - mean), mean + own * (left - mean)


def with_lids_closed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a (478, 2) float64 mesh of any scale with nearly shut eyes closed."""
    closed = points.copy()
    for (outline, _, _), gap in zip(EYES, openings(points), strict=True):
        upper, lower = list(outline[1:8]), list(outline[:8:-1])
        if gap > SEEN[-1]:
            continue
        apart = np.interp(gap, SEEN, DRAWN) / max(gap, 1e-6)
        closed[upper] = points[lower] + apart * (points[upper] - points[lower])
    return closed


def portrait_triangles(portrait: F32, source: F32) -> F32:
    """Return the corners in a portrait of each triangle, with eyes as shut as the source's.

    An open eye hides most of its upper lid. The visible rest is lashes and shadow; stretched over
    a shut eye, they become a dark smear. The skin between crease and brow is clean and of the right
    shade, so a shut lid is textured from there, and the gap between the lids from the lashes.

    Args:
        portrait: (478, 2) float32 mesh in portrait px.
        source: (478, 2) float32 mesh, any scale.

    Returns:
        (898, 3, 2) float32 corners in portrait px.
    """
    lids, lashes = portrait.copy(), []
    for (outline, crease, bone), between, gap in zip(EYES, _BETWEEN, openings(source), strict=True):
        shut = min(max((OPEN - gap) / (OPEN - CLOSED), 0.0), 1.0)
        if shut == 0:
            continue
        upper, lower = list(outline[1:8]), list(outline[:8:-1])
        edge, fold, brow = (portrait[list(line)] for line in (upper, crease, bone))
        rise = np.sqrt(shut)  # in a half shut eye most of the lid is already visible
        lids[upper] = edge + rise * MARGIN_RISE * (fold - edge)
        lids[list(crease)] = fold + rise * CREASE_RISE * (brow - fold)
        line = portrait.copy()
        only = max(0.0, (shut - LASHES_FROM) / (1 - LASHES_FROM))
        line[upper] = lids[upper] + only * (edge - lids[upper])
        line[lower] += only * (edge - line[lower])
        lashes.append((between, line))
    corners = lids.take(TRIANGLES, axis=0)
    for between, line in lashes:
        corners[between] = line.take(TRIANGLES[between], axis=0)
    return corners
