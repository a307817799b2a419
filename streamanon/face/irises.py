"""Eyes that look where the source's do: irises are taken out of a portrait and drawn in each frame.

Once a portrait: the irises become whole discs, and what they and their lids hid of the white is
painted. So the warp only moves lids over a white eyeball, however wide they open, and a disc of the
right size is laid between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.picture import blended
from streamanon.imaging.supersampling import SHIFT, SupersampledRegion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamanon.face.warp import FaceSpace
    from streamanon.types import F32, U8

SIDE = 64
"""Side of the texture of an iris in px."""

REACH = 1.15
"""Half of that side in radii of the iris: its blurred rim is a part of it."""

RINGS = 24
"""Number of rings of an iris over which its colours are averaged, where lids hide it."""

RIM = 0.12
"""Width over which a disc fades into the white, in radii."""

GROWTH = 1.25
"""Radius of what is painted white in a portrait, in radii of the iris."""

LASHES = 0.04
"""Distance from the lids in widths of an eye within which a portrait shows lashes and shadow."""

LID_SOFTNESS = 0.012
"""Standard deviation of the edge with which lids cover an iris, in widths of the eye."""

SHADOW, SHADOW_REACH = 0.35, 0.07
"""Share of light that the upper lid takes from an iris right below it, and how far down its shadow
reaches, in widths of the eye."""

LEAST_OPENING = 0.03
"""Gap between the lids in widths of an eye below which there is nothing to be seen of an iris."""

FEWEST = 24
"""Pixels of white from which on its colour is fitted."""

WHITE, MOST_LIT = 0.9, 1.8
"""Least brightness of the white in that of a portrait's cheeks, and the most by which it is lit for
that: under a heavy brow it lies in shadow, and where such eyes look would not show."""

_CHEEKS = (50, 280)
_EYES = ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE))


@dataclass(frozen=True)
class Irises:
    """The irises of a portrait, right and left.

    Attributes:
        textures: (SIDE, SIDE, 4) uint8 BGR and opacity each, a whole disc in the middle.
        along: radius of each in widths of its eye.
        across: radius of each in heights of the face, chin to forehead.
    """

    textures: tuple[U8, U8]
    along: tuple[float, float]
    across: tuple[float, float]

    @classmethod
    def of(cls, portrait: U8, points: F32) -> Irises:
        """Take them out of a portrait.

        Args:
            portrait: (h, w, 3) uint8 BGR.
            points: (478, 2 or 3) float32 mesh in px of it.
        """
        eyes = [_Eye.of(points[:, :2], *eye) for eye in _EYES]
        height = float(np.hypot(*(points[lm.CHIN, :2] - points[lm.FOREHEAD, :2])))
        right, left = (_texture(portrait, eye) for eye in eyes)
        along = [eye.radius / eye.width for eye in eyes]
        across = [eye.radius / height for eye in eyes]
        return cls((right, left), (along[0], along[1]), (across[0], across[1]))


@dataclass(frozen=True)
class _Eye:
    """One eye of a mesh.

    Attributes:
        outline: (16, 2) float32 px, corner, upper lid, corner, lower lid.
        iris: (2,) float32 px, its centre.
        radius: radius of the iris in px.
        width: distance of the eye's corners in px.
        axes: (2, 2) float32 unit vectors along the eye and across it, downwards.
    """

    outline: F32
    iris: F32
    radius: float
    width: float
    axes: F32

    @classmethod
    def of(cls, points: F32, lids: Sequence[int], iris: int) -> _Eye:
        """Return an eye of a (478, 2) mesh by the numbers of its 16 lid points and its iris."""
        outline = points[list(lids)]
        across = outline[8] - outline[0]
        width = max(float(np.hypot(*across)), 1e-3)
        along = across / width
        axes = np.stack([along, [-along[1], along[0]]]).astype(np.float32)
        radius = float(np.hypot(*(points[iris + 1 : iris + 5] - points[iris]).T).mean())
        return cls(outline, points[iris], radius, width, axes)

    @property
    def gap(self) -> float:
        """The widest gap between the lids in widths of the eye."""
        apart = (self.outline[:8:-1] - self.outline[1:8]) @ self.axes[1]
        return float(apart.max()) / self.width

    def coordinates(self, place: F32) -> _Coordinates:
        """Return where (h, w, 2) float32 px are in the eye."""
        along, down = np.moveaxis((place - self.outline[0]) @ self.axes.T, 2, 0)
        outline = (self.outline - self.outline[0]) @ self.axes.T
        lids = outline[:9], np.concatenate([outline[:1], outline[:7:-1]])
        upper, lower = (np.interp(along, lid[:, 0], lid[:, 1]) for lid in lids)
        from_iris = np.hypot(*np.moveaxis(place - self.iris, 2, 0)) / self.radius
        parts = (along, down - upper, lower - down, from_iris)
        return _Coordinates(*(np.asarray(part, np.float32) for part in parts))


@dataclass(frozen=True)
class _Coordinates:
    """Where pixels are in an eye, (h, w) float32 each.

    Attributes:
        along: px from its first corner towards the other.
        below: px below the upper lid.
        above: px above the lower lid.
        from_iris: distance from the middle of the iris in its radii.
    """

    along: F32
    below: F32
    above: F32
    from_iris: F32


def without_irises(portrait: U8, points: F32) -> U8:
    """Return a portrait whose eyes are white where their irises were.

    The white is a polynomial over the eye, fitted to what shows of it.

    Args:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 2 or 3) float32 mesh in px of it.
    """
    image = portrait.astype(np.float32)
    cheeks = np.clip(np.rint(points[list(_CHEEKS), :2]).astype(int), 0, None)
    light = float(np.mean([portrait[y : y + 2, x : x + 2].mean() for x, y in cheeks]))
    for lids, iris in _EYES:
        eye = _Eye.of(points[:, :2], lids, iris)
        reach = max(0.6 * eye.width, GROWTH * eye.radius)
        middle = (eye.outline[0] + eye.outline[8]) / 2
        low = np.clip(middle - reach, 0, portrait.shape[1::-1]).astype(int)
        high = np.clip(middle + reach + 1, 0, portrait.shape[1::-1]).astype(int)
        part = image[low[1] : high[1], low[0] : high[0]]
        if part.size:
            _whiten(part, eye, np.asarray(low, np.float32), WHITE * light)
    return np.asarray(np.clip(np.rint(image), 0, 255), np.uint8)


def _whiten(part: F32, eye: _Eye, corner: F32, least: float) -> None:
    """Paint the iris of one eye white, and light the white, in place.

    Args:
        part: (h, w, 3) float32 BGR around it.
        eye: the eye in px of the portrait.
        corner: (2,) px of the part's first pixel.
        least: brightness of the white, 0..255.
    """
    grid = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in part.shape[1::-1]))
    at = eye.coordinates(np.dstack(grid) + corner)
    lashes = LASHES * eye.width
    beside = np.minimum(at.along, eye.width - at.along)
    white = (beside > lashes) & (at.below > lashes) & (at.above > lashes / 2)
    white &= at.from_iris > GROWTH
    lids = np.clip(2 * np.minimum(at.below, at.above) / lashes + 0.5, 0, 1)
    iris = lids * np.clip((GROWTH - at.from_iris) / (GROWTH - 1), 0, 1)
    iris = _blurred(iris, max(0.3 * lashes, 0.5))
    painted = _fitted_white(part, at, white, eye.width) if white.sum() >= FEWEST else least
    part += iris * (painted - part)
    grey = part.mean(axis=2, keepdims=True)
    visible = grey[white[:, :, None] | (iris > 0.5)]
    most = least / max(float(np.median(visible)), 1.0) if visible.size else 1.0
    most = min(max(most, 1.0), MOST_LIT)
    lit = np.clip(least / np.maximum(grey, 1), 1, most) * (grey + (part - grey) / most)
    share = _blurred(lids * np.clip(beside / (3 * lashes), 0, 1), max(0.5 * lashes, 0.5))
    part += share * (lit - part)


def _fitted_white(part: F32, at: _Coordinates, white: NDArray[np.bool_], width: float) -> F32:
    """Return (h, w, 3) float32: the white of an eye where it does not show, too.

    Args:
        part: (h, w, 3) float32 BGR.
        at: places of the pixels in the eye.
        white: (h, w), which show the white.
        width: width of the eye in px.
    """
    u = 2 * at.along / width - 1
    v = (at.below - at.above) / np.maximum(at.below + at.above, 1)
    basis = np.stack([np.ones_like(u), u, u * u, v, v * v], axis=2)
    rows, colours = basis[white], part[white]
    ridge = np.diag([0, 0.02, 0.1, 0.02, 0.1]) * len(rows)
    fitted = basis @ np.linalg.solve(rows.T @ rows + ridge, rows.T @ colours)
    return np.asarray(np.clip(fitted, *np.percentile(colours, (50, 95), axis=0)), np.float32)


def _blurred(share: F32, sigma_px: float) -> F32:
    """Return (h, w, 1) float32 of (h, w), blurred."""
    return np.asarray(cv2.GaussianBlur(share, (0, 0), sigma_px), np.float32)[:, :, None]


def _texture(portrait: U8, eye: _Eye) -> U8:
    """Return the whole iris of an eye: where lids hide it, its colours at that radius.

    It is (SIDE, SIDE, 4) uint8, BGR and the opacity of a disc.
    """
    unit = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
    offsets = np.dstack(np.meshgrid(unit, unit))
    place = (eye.radius * offsets) @ eye.axes + eye.iris
    x, y = (np.asarray(part, np.float32) for part in np.moveaxis(place, 2, 0))
    iris = np.asarray(cv2.remap(portrait, x, y, cv2.INTER_LINEAR), np.float32)
    at, lashes = eye.coordinates(np.dstack([x, y])), LASHES * eye.width
    seen = np.clip(np.minimum(at.below / lashes - 1, at.above / lashes - 0.5), 0, 1)
    ring = np.minimum(np.rint(at.from_iris * RINGS / REACH), RINGS).astype(int).ravel()
    weight = seen.ravel() + 1e-6
    total = np.maximum(np.bincount(ring, weight, RINGS + 1), 1e-9)
    distance, hidden = at.from_iris * RINGS / REACH, []
    for colour in cv2.split(iris):
        mean = np.bincount(ring, weight * colour.ravel(), RINGS + 1) / total
        hidden.append(np.interp(distance, np.arange(RINGS + 1), mean))
    whole = np.dstack(hidden)
    whole += seen[:, :, None] * (iris - whole)
    return np.dstack([np.clip(np.rint(whole), 0, 255).astype(np.uint8), _DISC])


def draw(image: U8, irises: Irises, space: FaceSpace, to_image: F32, blur_px: float) -> None:
    """Draw irises where the mesh of a face has them, between its lids, in place.

    Args:
        image: (h, w, 3) uint8 BGR portrait without irises, on the face.
        irises: the irises of the portrait.
        space: face space of the source.
        to_image: (2, 3) float32 affine from face space px to px of the image.
        blur_px: standard deviation of the blur of the face in the frame.
    """
    points = space.points @ to_image[:, :2].T + to_image[:, 2]
    height = float(np.hypot(*(points[lm.CHIN] - points[lm.FOREHEAD])))
    for number, (lids, iris) in enumerate(_EYES):
        eye = _Eye.of(points, lids, iris)
        if eye.gap < LEAST_OPENING:
            continue
        radii = irises.along[number] * eye.width, irises.across[number] * height
        _draw_one(image, irises.textures[number], eye, np.array(radii, np.float32), blur_px)


def _draw_one(image: U8, texture: U8, eye: _Eye, radii: F32, blur_px: float) -> None:
    """Draw one iris; the eye and the radii along and across it are in px of the image."""
    soft = max(float(np.hypot(LID_SOFTNESS * eye.width, blur_px)), 0.4)
    region = SupersampledRegion.around(eye.outline, 2 * soft, image.shape[1::-1])
    if region is None:
        return
    cv2.fillPoly(region.canvas, [region.fixed_point(eye.outline)], 255, cv2.LINE_8, SHIFT)
    rows, columns = region.place
    target = image[rows, columns]
    side = min(SIDE, max(4, round(2 * REACH * float(radii.max()))))
    small = cv2.resize(texture, (side, side), interpolation=cv2.INTER_AREA)
    turn = eye.axes.T * (2 * REACH * radii / (side - side / SIDE))
    middle = eye.iris - (columns.start, rows.start)
    to_target = np.column_stack([turn, middle - turn @ np.full(2, (side - 1) / 2)])
    size = (columns.stop - columns.start, rows.stop - rows.start)
    parts = cv2.warpAffine(small, to_target, size, borderMode=cv2.BORDER_REPLICATE)
    parts = cv2.GaussianBlur(parts, (0, 0), soft)
    edge = min(soft, eye.gap * eye.width / 4)  # else a narrow slit would be white
    lids = cv2.GaussianBlur(region.downsampled(), (0, 0), edge).astype(np.float32) / 255
    depth = max(SHADOW_REACH * eye.width, 1.0)
    lower = cv2.warpAffine(lids, np.column_stack([np.eye(2), depth * eye.axes[1]]), size)
    shade = 1 - SHADOW * (1 - cv2.GaussianBlur(lower, (0, 0), depth / 2))
    disc = (parts[:, :, :3] * shade[:, :, None]).astype(np.uint8)
    alpha = np.asarray(lids * parts[:, :, 3] / 255, np.float32)
    target[...] = blended(target, disc, alpha)


def _disc() -> U8:
    unit = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
    radius = np.hypot(unit, unit[:, None])
    return np.asarray(255 * np.clip((1 + RIM / 2 - radius) / RIM, 0, 1), np.uint8)


_DISC = _disc()
"""(SIDE, SIDE) uint8 opacity of an iris."""
