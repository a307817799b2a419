"""Faces to put things in front of: crops with their mesh, and what is known of their pixels.

Labels of what is there already come from colours: the face's own, from cheeks and nose, and the
hair's, from right above the forehead. Where they do not tell, a pixel has no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.imaging.crop import crop_square
from streamanon.types import F32, OCCLUSION_CLASSES, U8
from training.data.entries import Entry
from training.data.prepare import central_mesh

SIDE = 192
"""Side of the crops in px: more than the network's, so that thin things are drawn finely."""

SKIN, HAIR, GLASSES, HAND, THING, OUTSIDE = range(len(OCCLUSION_CLASSES))

UNKNOWN, UNSURE, SURE = 0, 1, 2
"""How far the label of a pixel is to be believed."""

_CHEEKS = (
    116,
    117,
    118,
    119,
    47,
    114,
    188,
    6,
    412,
    343,
    277,
    348,
    347,
    346,
    345,
    425,
    391,
    165,
    205,
)
_FEATURES = (lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.OUTER_LIPS)


@dataclass(frozen=True)
class BaseFace:
    """A face without anything added.

    Attributes:
        image: (192, 192, 3) uint8 BGR.
        points: (478, 3) float32 px of the image.
        kind: (192, 192) uint8 index into OCCLUSION_CLASSES.
        belief: (192, 192) uint8, one of UNKNOWN, UNSURE, SURE.
    """

    image: U8
    points: F32
    kind: U8
    belief: U8

    @property
    def hull(self) -> U8:
        """(192, 192) uint8, 255 in the face."""
        return filled(self.points)

    @property
    def height_px(self) -> float:
        """From forehead to chin."""
        return float(np.hypot(*(self.points[lm.CHIN] - self.points[lm.FOREHEAD])[:2]))


def filled(points: F32, *, grow_px: int = 0) -> U8:
    """Return (192, 192) uint8, 255 in the convex hull of (n, 2 or 3) points."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    hull = cv2.convexHull(np.rint(points[:468, :2] * 16).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 255, cv2.LINE_8, 4)
    if grow_px:
        size = 2 * abs(grow_px) + 1
        element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        drawn = np.asarray((cv2.dilate if grow_px > 0 else cv2.erode)(drawn, element), np.uint8)
    return drawn


def read(entry: Entry, *, bare_eyes: bool) -> BaseFace | None:
    """Return the face of a picture; None where there is none to learn from.

    Args:
        entry: the picture.
        bare_eyes: whether hardly anybody in the set wears glasses.
    """
    found = central_mesh(entry)
    if isinstance(found, str):
        return None
    picture, mesh = found
    corners = lm.roi_from_mesh(mesh.points)
    image = crop_square(picture, corners, SIDE)
    scale = SIDE / float(np.hypot(*(corners[1] - corners[0])))
    flat = lm.in_square(mesh.points, corners, SIDE)
    points = np.column_stack([flat, mesh.points[:, 2] * scale]).astype(np.float32)
    kind, belief = _labels(image, points, bare_eyes=bare_eyes)
    return BaseFace(image, points, kind, belief)


def _labels(image: U8, points: F32, *, bare_eyes: bool) -> tuple[U8, U8]:
    """Return what the pixels of a face are and how sure that is; see :class:`BaseFace`."""
    soft = cv2.GaussianBlur(image, (0, 0), 1.5)
    lab = np.asarray(cv2.cvtColor(soft, cv2.COLOR_BGR2LAB), np.float32)
    hull = filled(points) > 0
    features = np.zeros((SIDE, SIDE), np.uint8)
    for feature in _FEATURES:
        features |= filled(points[list(feature)], grow_px=4)
    skin = _Colours.of(lab[(filled(points[list(_CHEEKS)]) > 0) & (features == 0)])
    band = _above(points) & ~hull
    hair = _Colours.of(lab[band]) if band.sum() > 50 else None
    from_skin = skin.distance(lab)
    kind = np.full((SIDE, SIDE), OUTSIDE, np.uint8)
    belief = np.full((SIDE, SIDE), SURE, np.uint8)
    kind[hull] = SKIN
    odd = hull & (from_skin > 3.5) & (features == 0)
    belief[odd] = UNKNOWN
    belief[odd & (np.arange(SIDE)[:, None] > points[lm.NOSE_TIP, 1])] = UNSURE  # mostly beards
    belief[(filled(points, grow_px=5) > 0) & (filled(points, grow_px=-3) == 0)] = UNKNOWN
    if hair is not None and float(skin.distance(hair.middle[None])[0]) > 3.0:
        from_hair = hair.distance(lab)
        like = (from_hair < 3.0) & (from_hair + 1 < from_skin)
        like &= ~((features > 0) & hull)
        _, parts = cv2.connectedComponents(like.astype(np.uint8))
        connected = like & np.isin(parts, np.unique(parts[band & like]))
        kind[connected], belief[connected] = HAIR, UNSURE
        doubtful = (from_hair < 4.5) & ~connected & ~((features > 0) & hull) & (from_skin > 2.5)
        belief[doubtful] = UNKNOWN
    else:
        belief[~hull & (np.arange(SIDE)[:, None] < points[lm.NOSE_TIP, 1])] = UNKNOWN
    if not bare_eyes:
        eyes = filled(
            points[[*lm.RIGHT_EYE, *lm.LEFT_EYE, *lm.RIGHT_BROW, *lm.LEFT_BROW]], grow_px=15
        )
        belief[(eyes > 0) & (belief == SURE) & (kind == SKIN)] = UNSURE
    return kind, belief


def _above(points: F32) -> NDArray[np.bool_]:
    """Return (192, 192) bool: right above the forehead, where there is hair."""
    up = points[lm.FOREHEAD, :2] - points[lm.CHIN, :2]
    top = points[[103, 67, 109, 10, 338, 297, 332], :2]
    return filled(np.concatenate([top + 0.1 * up, top + 0.25 * up])) > 0


@dataclass(frozen=True)
class _Colours:
    """Where colours of one kind lie in CIELAB of 8 bits: (3,) float32 each."""

    middle: F32
    spread: F32

    @classmethod
    def of(cls, lab: F32) -> _Colours:
        """Return the colours of (n, 3) pixels."""
        if not len(lab):
            return cls(np.zeros(3, np.float32), np.ones(3, np.float32))
        middle = np.median(lab, axis=0)
        spread = 1.48 * np.median(np.abs(lab - middle), axis=0)
        return cls(middle, np.maximum(spread, (11, 4, 4)).astype(np.float32))

    def distance(self, lab: F32) -> F32:
        """Return how far colours lie from these, in spreads."""
        return np.asarray(np.sqrt((((lab - self.middle) / self.spread) ** 2).sum(axis=-1)))
