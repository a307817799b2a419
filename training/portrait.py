"""An upright portrait with its mesh, moved, mirrored and masked to make others out of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import KDTree

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES
from streamanon.face.warp import SKIN_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.types import F32, U8

SIDE_PX = 448
FACE_PX = 320
"""Height of the face, chin to top of the forehead, in a portrait of SIDE_PX."""

SMOOTH_PX = 4.0
"""Standard deviation by which the displacement of pixels is smoothed."""

_OVAL = list(lm.FACE_OVAL)
_FEATURES = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.RIGHT_BROW, lm.LEFT_BROW, lm.OUTER_LIPS)
_BROW_TOPS = [105, 334, 66, 296]
_EDGE = np.linspace(-40.0, SIDE_PX + 40.0, 9)
_BORDER = np.array([(x, y) for x in _EDGE for y in _EDGE if {x, y} & {_EDGE[0], _EDGE[-1]}])
_GRID = np.dstack(np.meshgrid(*[np.arange(SIDE_PX, dtype=np.float32)] * 2))
_MIRRORED = KDTree(VERTICES * (-1, 1, 1)).query(VERTICES)[1]
"""For each point of the mesh, the one on the other side of the face."""


@dataclass(frozen=True)
class Portrait:
    """An upright face in the middle of its picture.

    Attributes:
        image: (SIDE_PX, SIDE_PX, 3) float32 BGR, 0 to 255.
        points: (468, 2) float32 px.
    """

    image: F32
    points: F32

    def mirrored(self) -> Portrait:
        """Return the mirror image, its points in the usual order."""
        image = np.ascontiguousarray(self.image[:, ::-1])
        return Portrait(image, self.mirror_points(self.points))

    @staticmethod
    def mirror_points(points: F32) -> F32:
        """Return (468, 2) points mirrored about the middle, in the usual order."""
        return np.column_stack([SIDE_PX - 1 - points[_MIRRORED, 0], points[_MIRRORED, 1]])

    def moved_to(self, points: F32) -> Portrait:
        """Return the portrait with its face moved onto other points, (468, 2) px."""
        here, there = self._anchors(self.points), self._anchors(points)
        rim = slice(SKIN_POINTS, SKIN_POINTS + len(_OVAL))
        there[rim] = (here[rim] + there[rim]) / 2
        shift = LinearNDInterpolator(there, here)(_GRID).astype(np.float32) - _GRID
        lookup = _GRID + cv2.GaussianBlur(shift, (0, 0), SMOOTH_PX)  # folds at the rim go
        image = cv2.remap(
            self.image, lookup[..., 0], lookup[..., 1], cv2.INTER_CUBIC, None, cv2.BORDER_REFLECT
        )
        return Portrait(np.asarray(image, np.float32), points)

    @staticmethod
    def _anchors(points: F32) -> F32:
        """Return the points, a rim of a quarter around the face, and the border of the picture."""
        oval = points[_OVAL]
        rim = oval.mean(axis=0) + 1.25 * (oval - oval.mean(axis=0))
        return np.concatenate([points, rim, _BORDER]).astype(np.float32)

    def inside(self, growth: float, soft_px: float) -> F32:
        """Return (SIDE_PX, SIDE_PX, 1) float32, 1 in the face, which is grown by a share."""
        oval = self.points[_OVAL]
        grown = oval.mean(axis=0) + (1 + growth) * (oval - oval.mean(axis=0))
        return soft_mask([grown], soft_px)

    @cached_property
    def features(self) -> F32:
        """(SIDE_PX, SIDE_PX, 1) float32, 1 on eyes, brows and lips."""
        return soft_mask([hull(self.points, part) for part in _FEATURES], soft_px=4, grown_px=6)

    @cached_property
    def skin(self) -> F32:
        """(SIDE_PX, SIDE_PX, 1) float32, 0 where hair or cloth lies over the forehead, else 1."""
        smooth = cv2.GaussianBlur(self.image / 255, (0, 0), 3)
        lab = cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB)
        bare = (self.inside(-0.25, 2) > 0.5) & (self.features < 0.1)
        off = lab - np.median(lab[bare[..., 0]], axis=0)
        off[..., 0] *= np.where(off[..., 0] < 0, 0.8, 0.5)
        strange = np.clip((np.linalg.norm(off, axis=-1) - 20) / 14, 0, 1)
        brows = self.points[_BROW_TOPS, 1].min()
        above = np.clip((brows + 6 - np.arange(SIDE_PX)[:, None]) / 8, 0, 1)
        hidden = cv2.dilate((strange * above).astype(np.float32), np.ones((9, 9), np.uint8))
        return 1 - np.asarray(cv2.GaussianBlur(hidden, (0, 0), 3), np.float32)[..., None]

    def low_pass(self, sigma_px: float) -> F32:
        """Return the low band of the face's skin; what hides it does not bleed in."""
        weight = self.inside(0, 3) * self.skin * (1 - 0.9 * self.features)
        return blurred(self.image, np.clip(weight, 1e-4, 1), sigma_px)


def upright(image: U8, points: F32) -> Portrait:
    """Return a portrait turned and scaled to the size all have here.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, its mesh.
    """
    flat = points[:, :2].astype(np.float64)
    eyes = flat[[lm.LEFT_EYE_OUTER, lm.LEFT_EYE_INNER]].mean(axis=0)
    eyes -= flat[[lm.RIGHT_EYE_OUTER, lm.RIGHT_EYE_INNER]].mean(axis=0)
    scale = FACE_PX / np.linalg.norm(flat[lm.CHIN] - flat[lm.FOREHEAD])
    cosine, sine = scale * eyes / np.linalg.norm(eyes)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    middle = (flat[lm.CHIN] + flat[lm.FOREHEAD]) / 2
    affine = np.column_stack([turn, SIDE_PX / 2 - turn @ middle])
    if scale < 1:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), float(0.4 / scale)), np.uint8)
    turned = cv2.warpAffine(
        image, affine, (SIDE_PX, SIDE_PX), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    placed = flat[:SKIN_POINTS] @ turn.T + affine[:, 2]
    return Portrait(turned.astype(np.float32), placed.astype(np.float32))


def blurred(image: F32, weight: F32, sigma_px: float) -> F32:
    """Return a weighted Gaussian mean of (h, w, 3), by (h, w, 1)."""
    total = cv2.GaussianBlur(image * weight, (0, 0), sigma_px)
    return np.asarray(
        total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma_px), 1e-3)[..., None], np.float32
    )


def soft_mask(outlines: Sequence[F32], soft_px: float, grown_px: int = 0) -> F32:
    """Return filled outlines with a soft edge, (SIDE_PX, SIDE_PX, 1) float32."""
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    if grown_px:
        mask = np.asarray(cv2.dilate(mask, np.ones((2 * grown_px + 1,) * 2, np.uint8)), np.uint8)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), soft_px)
    return np.asarray(soft, np.float32)[..., None]


def hull(points: F32, part: Sequence[int]) -> F32:
    """Return the (n, 2) convex outline of some points of a (468 or 478, 2 or 3) mesh."""
    outline = cv2.convexHull(np.ascontiguousarray(points[list(part), :2]))
    return np.asarray(outline[:, 0], np.float32)
