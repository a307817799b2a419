"""The inside of an open mouth: never the source's own, which would be raw pixels.

The teeth of a portrait that shows them are straightened once into a small texture: across it runs
the mouth from corner to corner, down it the distance from the upper lip in mouth widths. In a
frame the texture hangs from the upper lip at its natural size, so that a mouth opening wide shows
darkness below the teeth instead of longer teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.shading import LIT_SKIN_BGR
from streamanon.face.warp import FaceSpace, sample_at
from streamanon.imaging.picture import blended
from streamanon.types import F32, U8, Identity

WIDTH, HEIGHT = 128, 96
"""Size of a mouth texture in px; HEIGHT / WIDTH is its depth in mouth widths."""

CAVITY_BGR = (26.0, 24.0, 52.0)
"""Colour of the dark behind the teeth, in full light."""

TEETH_DEPTH = 0.2
"""How far the middle teeth show below the upper lip in a smile, in mouth widths."""

ACROSS = 0.8
"""Share of a mouth texture's width that is shown: at its ends it is dark."""

MAX_STRETCH = 2.0
"""How far the teeth of a portrait that shows little of them are lengthened."""

TONGUE_BGR, TONGUE_FROM = (78.0, 72.0, 138.0), 0.3
"""Colour of the tongue in full light, and the gap in mouth widths from which it shows."""

OPEN_FROM, OPEN_FULLY = 0.04, 0.10
"""Gap between the lips over mouth width where the interior begins to show, and shows fully."""


@dataclass(frozen=True)
class _Lips:
    """Contours of the inner lips along the mouth, in units of the mouth's width."""

    corner: F32
    along: F32
    down: F32
    width_px: float
    upper: F32
    lower: F32

    @classmethod
    def of(cls, points: F32) -> _Lips:
        """Measure (478, 2) mesh points."""
        right, left = points[lm.UPPER_INNER_LIP[0]], points[lm.UPPER_INNER_LIP[-1]]
        width = max(float(np.hypot(*(left - right))), 1e-3)
        along = (left - right) / width
        down = np.array([-along[1], along[0]], np.float32)
        frame = np.stack([along, down], axis=1) / width
        upper = (points[list(lm.UPPER_INNER_LIP)] - right) @ frame
        lower = (points[list(lm.LOWER_INNER_LIP)] - right) @ frame
        return cls(
            right,
            along,
            down,
            width,
            upper[np.argsort(upper[:, 0])],
            lower[np.argsort(lower[:, 0])],
        )

    def top(self, along: F32) -> F32:
        """Return the distance of the upper lip below the line between the corners."""
        return np.interp(along, self.upper[:, 0], self.upper[:, 1]).astype(np.float32)

    def bottom(self, along: F32) -> F32:
        """Return the distance of the lower lip below the line between the corners."""
        return np.interp(along, self.lower[:, 0], self.lower[:, 1]).astype(np.float32)


def opening(points: F32) -> float:
    """Return the largest gap between the inner lips of (478, 2) points, in mouth widths."""
    lips = _Lips.of(points)
    along = np.linspace(0.2, 0.8, 13, dtype=np.float32)
    return float((lips.bottom(along) - lips.top(along)).max())


def texture(portrait: U8, points: F32) -> U8:
    """Return the mouth texture of a portrait with open lips, straightened.

    Args:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 2) float32 mesh in portrait px.

    Returns:
        (HEIGHT, WIDTH, 3) uint8 BGR; below the portrait's own lower lip it fades into the dark.
    """
    lips = _Lips.of(points)
    along, depth = np.meshgrid(
        np.linspace(0, 1, WIDTH, dtype=np.float32),
        np.linspace(0, HEIGHT / WIDTH, HEIGHT, dtype=np.float32),
    )
    gap = np.maximum(lips.bottom(along) - lips.top(along), 0)
    stretch = np.clip(TEETH_DEPTH / max(float(gap.max()), 1e-3), 1, MAX_STRETCH)
    inside = np.minimum(depth / stretch, 0.9 * gap) + lips.top(along)
    where = (
        lips.corner
        + along[:, :, None] * lips.width_px * lips.along
        + inside[:, :, None] * lips.width_px * lips.down
    )
    teeth = sample_at(portrait, *np.moveaxis(where.astype(np.float32), 2, 0))
    gap *= stretch
    dark = np.clip((depth - 0.8 * gap) / np.maximum(0.2 * gap, 0.02), 0, 1)[:, :, None]
    return np.asarray(teeth * (1 - dark) + np.array(CAVITY_BGR) * dark, np.uint8)


def texture_of(identity: Identity) -> U8 | None:
    """Return the mouth texture of an identity whose portrait shows teeth, else None."""
    points = identity.mesh.points[:, :2]
    return texture(identity.portrait, points) if opening(points) >= OPEN_FULLY else None


def texture_or_default(identity: Identity, default: U8 | None) -> U8:
    """Return an identity's own mouth texture, else the default, else a dark one."""
    own = texture_of(identity)
    if own is not None:
        return own
    return dark_texture() if default is None else default


def dark_texture() -> U8:
    """Return the texture of a mouth that shows no teeth."""
    return np.full((HEIGHT, WIDTH, 3), CAVITY_BGR, np.uint8)


@dataclass(frozen=True)
class MouthPlacement:
    """Where a mouth texture is drawn in face space.

    Attributes:
        corner: (x, y) corner of the bounding rectangle in face space px.
        lookup: (h, w, 2) float32 texture px for each pixel of the rectangle.
        alpha: (h, w) float32 opacity, with a soft rim.
        tongue: (h, w) float32 opacity of the tongue over the texture.
    """

    corner: tuple[int, int]
    lookup: F32
    alpha: F32
    tongue: F32


def placement(space: FaceSpace) -> MouthPlacement | None:
    """Return where a mouth texture is drawn, or None while the mouth is closed."""
    gap = opening(space.points)
    if gap < OPEN_FROM:
        return None
    lips = _Lips.of(space.points)
    outline = np.concatenate(
        [space.points[list(lm.UPPER_INNER_LIP)], space.points[list(lm.LOWER_INNER_LIP)][::-1]]
    )
    rim = max(0.02 * lips.width_px, 0.8)
    low = np.floor(outline.min(axis=0) - 3 * rim).astype(int)
    columns, rows = (np.ceil(outline.max(axis=0) + 3 * rim).astype(int) - low + 1).tolist()
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=2).astype(np.float32)
    offset = grid + low.astype(np.float32) - lips.corner
    along = offset @ lips.along / lips.width_px
    depth = offset @ lips.down / lips.width_px - lips.top(along)
    across = np.float32(0.5) + np.float32(ACROSS) * (along - np.float32(0.5))
    lookup = np.stack([across, depth], axis=2) * np.float32(WIDTH - 1)
    np.clip(lookup, 0, (WIDTH - 1, HEIGHT - 1), out=lookup)
    height = np.maximum(lips.bottom(along) - lips.top(along), 0.02)
    tongue = np.clip((depth / height - 0.6) / 0.3, 0, 1) * (1 - (2 * along - 1) ** 2).clip(0, 1)
    tongue *= np.clip((gap - TONGUE_FROM) / TONGUE_FROM, 0, 1)
    alpha = np.zeros((rows, columns), np.float32)
    fixed = np.rint((outline - low) * 16).astype(np.int32)
    cv2.fillPoly(alpha, [fixed], 1.0, cv2.LINE_8, 4)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), rim), np.float32)
    shown = np.clip((gap - OPEN_FROM) / (OPEN_FULLY - OPEN_FROM), 0, 1)
    corner = int(low[0]), int(low[1])
    shades = (lookup, alpha * np.float32(shown), tongue)
    return MouthPlacement(corner, *(np.asarray(part, np.float32) for part in shades))


def draw(image: U8, where: MouthPlacement | None, to_image: F32, teeth: U8) -> None:
    """Draw a mouth texture between open lips, in place.

    Args:
        image: (h, w, 3) uint8 BGR portrait on the face.
        where: where the texture is drawn (:func:`placement`); None draws nothing.
        to_image: (2, 3) float32 affine from face space px to px of the image.
        teeth: mouth texture.
    """
    if where is None:
        return
    placed = to_image.copy()
    placed[:, 2] += placed[:, :2] @ np.array(where.corner, np.float32)
    rows, columns = where.alpha.shape
    ends = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]]) @ placed.T
    x0, y0 = np.maximum(np.floor(ends.min(axis=0)), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(ends.max(axis=0)), image.shape[1::-1]).astype(int).tolist()
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    placed[:, 2] -= (x0, y0)
    parts = cv2.merge([*cv2.split(where.lookup), where.alpha, where.tongue])
    wide = cv2.warpAffine(parts, placed, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    x, y, alpha, tongue = (np.asarray(part, np.float32) for part in cv2.split(wide))
    target = image[y0:y1, x0:x1]
    tooth = sample_at(teeth, x, y)
    tooth = blended(tooth, np.full_like(tooth, TONGUE_BGR), tongue)
    around = np.array(cv2.mean(target)[:3])
    cast = around / LIT_SKIN_BGR
    cast = np.minimum(cast, cast[2])  # teeth may be warm or grey, never blue
    colour, usual = (1 - min(part) / max(part[2], 1.0) for part in (around, LIT_SKIN_BGR))
    share = min(max(colour / usual, 0.0), 1.0)
    lit = np.clip(cast, 0.2, 1.1)[:, None] * (share * np.eye(3) + (1 - share) / 3)
    tooth = np.asarray(cv2.transform(tooth, lit), np.uint8)
    target[...] = blended(target, tooth, alpha)
