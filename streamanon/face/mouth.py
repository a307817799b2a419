"""The inside of an open mouth: never the source's own, which would be raw pixels.

The teeth of a portrait that shows them are straightened once into a small texture: across it runs
the mouth from corner to corner, down it the distance from the upper lip in mouth widths; lower
teeth stand at its bottom. In a frame the upper row hangs from the upper lip and the lower one
stands on the lower lip, both at their natural size, so that a mouth opening wide shows darkness
between them instead of longer teeth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.shading import soften
from streamanon.face.warp import FaceSpace, sample_at
from streamanon.imaging.boxes import bounds
from streamanon.imaging.picture import blended
from streamanon.types import F32, U8, Identity, MouthInside

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

ENOUGH_TEETH = 0.33
"""Share of a full row (:func:`teeth_shown`) from which a portrait's own teeth are used."""

TEETH_BGR, MAX_LIGHTENED = (182.0, 197.0, 205.0), (0.8, 1.6)
"""Colour of teeth in full light, and the factors by which those of a portrait are brought there."""

USUAL_BGR = 0.96 * np.array(TEETH_BGR)
"""Median colour of the brighter half of teeth in textures."""

COLD = 0.85
"""Blue of what is around a mouth, in its red, from which light is cold."""

LIT_MOUTH_BGR = (98.0, 118.0, 160.0)
"""Mean colour of mouths in the light the portraits were taken in: lips are darker than skin."""

LIGHT_SEEN = 0.7
"""Share of the colour around a mouth that counts as that of the light: lips are a part of it."""

EVEN_LIGHT, DIMMEST = 1.2, 0.6
"""Light of teeth, in that of skin, in even light; and the least that is left of it in shade."""

LOWER_DEPTH, LOWER_NARROWER, LOWER_SHADE = 0.13, 1.5, 0.8
"""Lower teeth: their height in mouth widths, how much narrower than the upper ones each is, and
their brightness in that of the upper ones."""

LOWER_RISE, LOWER_SHOWN = 0.5, 0.09
"""How much more of the lower teeth shows as the mouth opens farther than the upper ones reach, and
how much at most, in mouth widths: most of it shows the dark between them."""

MIDDLE, NATURAL = 1.2, 0.16
"""How much farther the middle teeth reach than a row does on the whole; and how far those of the
portraits mostly do, in mouth widths: farther than that, they are stretched."""

HIDDEN = 0.05
"""How much farther the upper teeth are drawn back behind their lip when they do not show at all, in
mouth widths: some are longer than others."""

LOWER_OVERLAP = 0.01
"""How far the upper teeth are from the depth from which lower ones may show, in mouth widths."""

LOWER_ROWS = round(LOWER_DEPTH * WIDTH)
"""Rows of a mouth texture, at its bottom, that hold the lower teeth."""

TONGUE_BGR, TONGUE_FROM, TONGUE_BEGINS = (78.0, 72.0, 138.0), 0.3, 0.6
"""Colour of the tongue in full light, the gap in mouth widths from which it shows where nothing is
known, and how far down in the gap it begins, half of that where all is tongue."""

OPEN_FROM, OPEN_FULLY = 0.04, 0.10
"""Gap between the lips over mouth width where the interior begins to show, and shows fully."""

_MIDST = np.linspace(0.2, 0.8, 13, dtype=np.float32)
"""Places along a mouth, in its widths, among which lips are farthest apart."""


@dataclass(frozen=True)
class Lips:
    """Contours of the inner lips along the mouth, in units of the mouth's width.

    Attributes:
        corner: (2,) px of the right corner of the mouth.
        along: (2,) unit vector from there to the left corner.
        down: (2,) unit vector across, towards the chin.
        width_px: distance of the corners.
        upper: (11, 2) upper lip, along and down from the corner, in widths.
        lower: (11, 2) lower lip, the same.
    """

    corner: F32
    along: F32
    down: F32
    width_px: float
    upper: F32
    lower: F32

    @classmethod
    def of(cls, points: F32) -> Lips:
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

    @cached_property
    def opening(self) -> float:
        """The largest gap between the lips."""
        return float((self.bottom(_MIDST) - self.top(_MIDST)).max())

    def top(self, along: F32) -> F32:
        """Return the distance of the upper lip below the line between the corners."""
        return np.interp(along, self.upper[:, 0], self.upper[:, 1]).astype(np.float32)

    def bottom(self, along: F32) -> F32:
        """Return the distance of the lower lip below the line between the corners."""
        return np.interp(along, self.lower[:, 0], self.lower[:, 1]).astype(np.float32)

    def sampled(self, image: U8, along: F32, down: F32) -> U8:
        """Return (h, w, 3) uint8: an image at (h, w) places along and down from the corner."""
        where = self.corner + self.width_px * (
            along[:, :, None] * self.along + down[:, :, None] * self.down
        )
        return sample_at(image, *np.moveaxis(where.astype(np.float32), 2, 0))


def opening(points: F32) -> float:
    """Return the largest gap between the inner lips of (478, 2) points, in mouth widths."""
    return Lips.of(points).opening


def texture(portrait: U8, points: F32) -> U8:
    """Return the mouth texture of a portrait with open lips, straightened.

    Lips that cover the teeth from below are taken away, and a lower row is added at the bottom:
    the upper one upside down, smaller and in the shade.

    Args:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 2) float32 mesh in portrait px.

    Returns:
        (HEIGHT, WIDTH, 3) uint8 BGR.
    """
    row, shown = _upper_row(portrait, points)
    teeth = row[shown > 0.5]
    bright = np.percentile(teeth, 80, axis=0) if len(teeth) else np.array(TEETH_BGR)
    factor = np.clip(TEETH_BGR / np.maximum(bright, 1), *MAX_LIGHTENED)
    lit = row * factor.astype(np.float32)
    upper = _over_cavity(lit, _down_to_edge(shown))
    return np.asarray(np.clip(_with_lower_row(upper), 0, 255), np.uint8)


def teeth_shown(portrait: U8, points: F32) -> float:
    """Return how much of a full row of teeth a portrait shows, 0..1.

    Args:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 2) float32 mesh in portrait px.
    """
    if opening(points) < OPEN_FROM:
        return 0.0
    _, shown = _upper_row(portrait, points)
    return float(min(shown.sum() / (WIDTH * WIDTH * TEETH_DEPTH), 1))


def _upper_row(portrait: U8, points: F32) -> tuple[U8, F32]:
    """Return what is between the lips of a portrait, and where its teeth are, straightened.

    Returns:
        (HEIGHT, WIDTH, 3) uint8 BGR, and (HEIGHT, WIDTH) float32 in 0..1.
    """
    lips = Lips.of(points)
    along, depth = np.meshgrid(
        np.linspace(0, 1, WIDTH, dtype=np.float32),
        np.linspace(0, HEIGHT / WIDTH, HEIGHT, dtype=np.float32),
    )
    gap = np.maximum(lips.bottom(along) - lips.top(along), 0)
    stretch = np.clip(TEETH_DEPTH / max(float(gap.max()), 1e-3), 1, MAX_STRETCH)
    inside = np.minimum(depth / stretch, gap) + lips.top(along)
    row = lips.sampled(portrait, along, inside)
    return row, _teeth_in(row) * (depth < gap * stretch)


def _teeth_in(row: U8) -> F32:
    """Return (HEIGHT, WIDTH) float32, 1 on teeth: bright, and less red than lips and gums."""
    blue, green, red = cv2.split(cv2.GaussianBlur(row, (0, 0), 0.7).astype(np.float32))
    light = 0.114 * blue + 0.587 * green + 0.299 * red
    bright = max(float(np.percentile(light[: int(TEETH_DEPTH * WIDTH)], 90)), 1.0)
    pale = np.clip((green / np.maximum(red, 1) - 0.66) / 0.1, 0, 1)
    return np.asarray(pale * np.clip((light / bright - 0.4) / 0.2, 0, 1), np.float32)


def _down_to_edge(shown: F32) -> F32:
    """Return (HEIGHT, WIDTH) float32, 1 from the upper lip to the lower edge of the teeth."""
    is_tooth = shown > 0.5
    first = is_tooth.argmax(axis=0)
    rows = np.arange(HEIGHT)[:, None]
    ended = (rows > first) & ~is_tooth
    edge = np.where(is_tooth.any(axis=0), ended.argmax(axis=0), 0).astype(np.float32)
    edge = cv2.GaussianBlur(edge[None], (0, 0), 0.8)[0]
    return np.asarray(np.clip((edge - rows) / 2, 0, 1), np.float32)


def _over_cavity(row: F32, share: F32) -> F32:
    share = share[:, :, None]
    return np.asarray(row * share + np.array(CAVITY_BGR, np.float32) * (1 - share), np.float32)


def _with_lower_row(upper: F32) -> F32:
    """Return a texture with the lower teeth at its bottom, where the lower lip is."""
    columns = (np.arange(WIDTH) - WIDTH / 2) * LOWER_NARROWER + WIDTH / 2
    rows = np.arange(LOWER_ROWS, dtype=np.float32)[::-1] * (TEETH_DEPTH * WIDTH / LOWER_ROWS)
    x, y = np.meshgrid(columns.astype(np.float32), rows)
    lower = cv2.remap(
        upper, x, y, cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=CAVITY_BGR
    )
    both = upper.copy()
    dark = np.array(CAVITY_BGR, np.float32)
    both[HEIGHT - LOWER_ROWS :] = dark + LOWER_SHADE * (lower - dark)
    return both


def texture_of(identity: Identity) -> U8 | None:
    """Return the mouth texture of an identity whose portrait shows enough teeth, else None."""
    if identity.teeth < ENOUGH_TEETH:
        return None
    return texture(identity.portrait, identity.mesh.points[:, :2])


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
        light: gain of the texture.
    """

    corner: tuple[int, int]
    lookup: F32
    alpha: F32
    tongue: F32
    light: float


def _usual_inside(gap: float) -> MouthInside:
    """Return what a mouth so wide open, in mouth widths, usually shows."""
    lower, tongue = LOWER_RISE * (gap - TEETH_DEPTH), (gap - TONGUE_FROM) / TONGUE_FROM
    tongue = min(max(tongue, 0.0), 1.0)
    return MouthInside(NATURAL / MIDDLE, max(lower, 0.0), tongue, EVEN_LIGHT)


def placement(space: FaceSpace, inside: MouthInside | None = None) -> MouthPlacement | None:
    """Return where a mouth texture is drawn, or None while the mouth is closed.

    Args:
        space: face space of the source.
        inside: what the person shows between their lips; None for teeth as far as there is room.
    """
    lips = Lips.of(space.points)
    gap = lips.opening
    if gap < OPEN_FROM:
        return None
    outline = np.concatenate(
        [space.points[list(lm.UPPER_INNER_LIP)], space.points[list(lm.LOWER_INNER_LIP)][::-1]]
    )
    rim = max(0.02 * lips.width_px, 0.8)
    begin, end = bounds(outline)
    low = np.floor(begin - 3 * rim).astype(int)
    columns, rows = (np.ceil(end + 3 * rim).astype(int) - low + 1).tolist()
    x, y = (
        np.arange(start, start + count, dtype=np.float32) - corner
        for start, count, corner in zip(low.tolist(), (columns, rows), lips.corner, strict=True)
    )
    x, y = x / lips.width_px, y[:, None] / lips.width_px
    along = x * lips.along[0] + y * lips.along[1]
    top = lips.top(along)
    depth = x * lips.down[0] + y * lips.down[1] - top
    across = np.float32(0.5) + np.float32(ACROSS) * (along - np.float32(0.5))
    height = np.maximum(lips.bottom(along) - top, 0.02)
    if inside is None:
        inside = _usual_inside(gap)
    hanging, risen = min(MIDDLE * inside.upper, TEETH_DEPTH), min(inside.lower, LOWER_SHOWN)
    above_lip = height - depth + LOWER_DEPTH - risen
    lower = (risen > LOWER_OVERLAP) & (above_lip < LOWER_DEPTH) & (depth > hanging - LOWER_OVERLAP)
    last = HEIGHT - LOWER_ROWS - 1
    raised = max(NATURAL - hanging, 0) + max(HIDDEN - hanging, 0)
    stretch = max(hanging / NATURAL, 1)
    down = np.minimum((depth / np.float32(stretch) + np.float32(raised)) * (WIDTH - 1), last)
    down = np.where(lower, HEIGHT - 1 - above_lip * (WIDTH - 1), down)
    lookup = np.stack([across * (WIDTH - 1), down], axis=2)
    np.clip(lookup, 0, (WIDTH - 1, HEIGHT - 1), out=lookup)
    tongue = np.zeros_like(depth)
    if inside.tongue:
        begins = TONGUE_BEGINS * (1 - inside.tongue / 2)
        tongue = np.clip((depth / height - begins) / 0.3, 0, 1)
        tongue *= (1 - (2 * along - 1) ** 2).clip(0, 1) * ~lower * np.float32(inside.tongue)
    alpha = np.zeros((rows, columns), np.float32)
    fixed = np.rint((outline - low) * 16).astype(np.int32)
    cv2.fillPoly(alpha, [fixed], 1.0, cv2.LINE_8, 4)
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), rim), np.float32)
    opened = np.clip((gap - OPEN_FROM) / (OPEN_FULLY - OPEN_FROM), 0, 1)
    corner = int(low[0]), int(low[1])
    light = min(max(inside.light / EVEN_LIGHT, DIMMEST), 1.0)
    alpha, tongue = alpha * np.float32(opened), np.asarray(tongue, np.float32)
    return MouthPlacement(corner, np.asarray(lookup, np.float32), alpha, tongue, light)


def draw(
    image: U8,
    where: MouthPlacement | None,
    to_image: F32,
    teeth: U8,
    blur_px: float = 0.0,
    inside: MouthInside | None = None,
) -> None:
    """Draw a mouth texture between open lips, in place.

    Args:
        image: (h, w, 3) uint8 BGR portrait on the face.
        where: where the texture is drawn (:func:`placement`); None draws nothing.
        to_image: (2, 3) float32 affine from face space px to px of the image.
        teeth: mouth texture.
        blur_px: standard deviation by which it is blurred.
        inside: what the person shows in the frame, whose light the teeth get; None where that is
            not known, and for the light of the image.
    """
    if where is None:
        return
    placed = to_image.copy()
    placed[:, 2] += placed[:, :2] @ np.array(where.corner, np.float32)
    rows, columns = where.alpha.shape
    ends = np.array([[0, 0, 1], [columns, 0, 1], [0, rows, 1], [columns, rows, 1]]) @ placed.T
    low, high = bounds(ends)
    x0, y0 = np.maximum(np.floor(low), 0).astype(int).tolist()
    x1, y1 = np.minimum(np.ceil(high), image.shape[1::-1]).astype(int).tolist()
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    placed[:, 2] -= (x0, y0)
    parts = cv2.merge([*cv2.split(where.lookup), where.alpha, where.tongue])
    wide = cv2.warpAffine(parts, placed, (x1 - x0, y1 - y0), flags=cv2.INTER_LINEAR)
    x, y, alpha, tongue = (np.asarray(part, np.float32) for part in cv2.split(wide))
    target = image[y0:y1, x0:x1]
    tooth = sample_at(teeth, x, y)
    if tongue.any():
        tooth = blended(tooth, np.full_like(tooth, TONGUE_BGR), tongue)
    tooth = soften(tooth, blur_px)
    around = np.array(cv2.mean(target)[:3])
    share = min(_colourfulness(around) / _colourfulness(np.array(LIT_MOUTH_BGR)), 1.0)
    greyed = share * np.eye(3) + (1 - share) / 3
    if inside is None or inside.teeth_bgr is None:
        gain = where.light * _light(around, share)
    else:
        gain = inside.teeth_bgr / (greyed @ USUAL_BGR)
    lit = gain[:, None] * greyed
    tooth = np.asarray(cv2.transform(tooth, lit), np.uint8)
    target[...] = blended(target, tooth, alpha)


def _colourfulness(bgr: F32) -> float:
    """Return how much less there is of the least of three colours than of red, as a share."""
    return max(1 - float(bgr.min()) / max(float(bgr[2]), 1.0), 0.0)


def _light(around: F32, share: float) -> F32:
    """Return the (3,) gain of the light on a mouth by the colour of what is around it.

    Args:
        around: (3,) BGR.
        share: how far that colour counts, 0..1.
    """
    cast = around / LIT_MOUTH_BGR
    cast = cast.mean() + LIGHT_SEEN * share * (cast - cast.mean())
    coldest = max(around[0] / max(around[2], 1.0) / COLD, 1.0)  # teeth are blue in such light only
    cast = np.minimum(cast, (coldest * cast[2], cast[2], cast[2]))
    return np.asarray(np.clip(cast, 0.2, 1.1), np.float32)
