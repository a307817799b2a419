"""Build the built-in gallery: people who do not exist, morphed out of synthetic portraits.

Each identity takes its finest detail (pores, lashes, hair) from one portrait and its proportions
from two or three of the same apparent sex, so that it is none of them. Proportions are made
symmetric, irises alike, stubble of the skin's hue. Colours are the mean of all portraits and their
mirror images, which evens out light from one side. Where hair or cloth hangs over the forehead of
the first portrait, the skin of another is taken. ``gallery.csv`` holds the recipe of each, chosen
by measurement (no hair left on foreheads, no two alike) and by looking.

Faces are warped linearly over a Delaunay triangulation of their meshes, and their bands of spatial
frequency blended apart (Burt and Adelson, "A Multiresolution Spline With Application to Image
Mosaics", ACM Transactions on Graphics 2(4), 1983).
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import KDTree

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES
from streamanon.factory import Factory
from streamanon.identities.gallery import read_portraits, write_gallery
from streamanon.identities.portrait import PortraitReader, read_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.types import F32, U8

RECIPES = Path(__file__).parent / "gallery.csv"

SIDE_PX = 448
FACE_PX = 320
"""Height of the face, chin to top of the forehead, in a portrait of SIDE_PX."""

LOW_PX, FINE_PX = 16.0, 2.2
"""Standard deviations of the Gaussians between the low, middle and fine bands."""

SMOOTH_PX = 4.0
"""Standard deviation by which the displacement of pixels is smoothed."""

CALMED, FROM_LEVELS = 0.55, 10.0
"""Highlights of the skin lose this share of what exceeds so many levels of 255."""

WARMED, STUBBLE_PX = 0.65, 5.0
"""Share of what stubble lacks of the skin's colour that it gets, and how coarse that is."""

DARK_SKIN = (48.0, 58.0)
"""Lightness of skin up to which stubble is not bluish, and from which it is."""

_CHEEKS = [50, 205, 280, 425, 101, 330]
_BELOW_NOSE = (98, 327, *(point for point in lm.FACE_OVAL if VERTICES[point, 1] < VERTICES[2, 1]))
_SKIN_POINTS = 468
_OVAL = list(lm.FACE_OVAL)
_FEATURES = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.RIGHT_BROW, lm.LEFT_BROW, lm.OUTER_LIPS)
_BROW_TOPS = [105, 334, 66, 296]
_EDGE = np.linspace(-40.0, SIDE_PX + 40.0, 9)
_BORDER = np.array([(x, y) for x in _EDGE for y in _EDGE if {x, y} & {_EDGE[0], _EDGE[-1]}])
_GRID = np.dstack(np.meshgrid(*[np.arange(SIDE_PX, dtype=np.float32)] * 2))
_MIRRORED = KDTree(VERTICES * (-1, 1, 1)).query(VERTICES)[1]
"""For each point of the mesh, the one on the other side of the face."""


@dataclass(frozen=True)
class Recipe:
    """What an identity is made of.

    Attributes:
        name: name of the identity.
        portraits: file stems; the first gives the finest detail.
        blended: take the middle band from all portraits, so that features are mixed, too.
    """

    name: str
    portraits: tuple[str, ...]
    blended: bool

    @property
    def shares(self) -> F32:
        """How much each portrait counts, (n,) float32 that add up to 1."""
        shares = np.ones(len(self.portraits), np.float32)
        shares[0] = 1 if self.blended else len(shares) - 1
        return np.asarray(shares / shares.sum(), np.float32)


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
        rim = slice(_SKIN_POINTS, _SKIN_POINTS + len(_OVAL))
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
        return _soft([grown], soft_px)

    @cached_property
    def features(self) -> F32:
        """(SIDE_PX, SIDE_PX, 1) float32, 1 on eyes, brows and lips."""
        hulls = [
            np.asarray(cv2.convexHull(self.points[list(part)])[:, 0], np.float32)
            for part in _FEATURES
        ]
        return _soft(hulls, soft_px=4, grown_px=6)

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
        return _blurred(self.image, np.clip(weight, 1e-4, 1), sigma_px)


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
    placed = flat[:_SKIN_POINTS] @ turn.T + affine[:, 2]
    return Portrait(turned.astype(np.float32), placed.astype(np.float32))


def morphed(portraits: Sequence[Portrait], recipe: Recipe) -> U8:
    """Return the picture of an identity, (SIDE_PX, SIDE_PX, 3) uint8 BGR."""
    shares = recipe.shares
    points = np.average([one.points for one in portraits], axis=0, weights=shares)
    points = (points + Portrait.mirror_points(points)) / 2  # straight ahead, and no crooked smile
    placed = [one.moved_to(points.astype(np.float32)) for one in portraits]
    mirrors = [one.mirrored().moved_to(points.astype(np.float32)) for one in portraits]
    first = placed[0]
    lows = [one.low_pass(LOW_PX) for one in placed]
    colour = np.average(
        [(low + other.low_pass(LOW_PX)) / 2 for low, other in zip(lows, mirrors, strict=True)],
        axis=0,
        weights=shares,
    )
    details = [one.image - low for one, low in zip(placed, lows, strict=True)]
    detail = _healed(details, placed)
    highlight = np.maximum(detail.mean(axis=-1, keepdims=True) - FROM_LEVELS, 0)
    detail -= CALMED * highlight * (1 - first.features)
    if recipe.blended:
        middles = [_middle(one.image, first) for one in placed]
        lift = len(middles) ** 0.16  # what averaging takes from the contrast
        middle = lift * np.mean(middles, axis=0)
        detail += middle - _middle(colour + detail, first)
    face = first.inside(0.03, 7)
    image = first.image * (1 - face) + (colour + detail) * face
    return np.clip(image, 0, 255).astype(np.uint8)


def with_irises_alike(image: U8, points: F32) -> U8:
    """Return a portrait whose irises have the same mean colour, that of both.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, its mesh.
    """
    discs = []
    for outline, ring in ((lm.RIGHT_EYE, lm.RIGHT_IRIS), (lm.LEFT_EYE, lm.LEFT_IRIS)):
        opening, iris = (np.zeros(image.shape[:2], np.uint8) for _ in range(2))
        cv2.fillPoly(opening, [np.rint(points[list(outline), :2]).astype(np.int32)], 255)
        (x, y), radius = cv2.minEnclosingCircle(points[list(ring), :2])
        cv2.circle(iris, (round(x), round(y)), round(radius), 255, -1)
        discs.append(cv2.min(opening, iris))
    means = np.array([cv2.mean(image, disc)[:3] for disc in discs])
    result = image.astype(np.float32)
    for disc, mean in zip(discs, means, strict=True):
        soft = cv2.GaussianBlur(disc.astype(np.float32) / 255, (0, 0), 1.5)[..., None]
        factor = means.mean(axis=0) / np.maximum(mean, 1)
        result *= 1 + soft * (factor - 1).astype(np.float32)
    return np.asarray(np.clip(result, 0, 255), np.uint8)


def with_warm_stubble(image: U8, points: F32) -> U8:
    """Return a portrait whose stubble is of the skin's hue: in cold light it turns blue otherwise.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, its mesh.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    colour = cv2.GaussianBlur(lab[..., 1:], (0, 0), STUBBLE_PX)
    x, y = np.rint(points[_CHEEKS, :2]).astype(int).T
    cold = np.maximum(np.median(colour[y, x], axis=0) - colour, 0)
    light = np.clip((np.median(lab[y, x, 0]) - DARK_SKIN[0]) / np.ptp(DARK_SKIN), 0, 1)
    below, lips = (
        _soft([np.asarray(cv2.convexHull(points[list(part), :2])[:, 0], np.float32)], soft, grown)
        for part, soft, grown in ((_BELOW_NOSE, 8, 0), (lm.OUTER_LIPS, 3, 4))
    )
    lab[..., 1:] += WARMED * light * cold * below * (1 - lips)
    warm = 255 * cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)
    return np.asarray(np.clip(np.rint(warm), 0, 255), np.uint8)


def _healed(details: Sequence[F32], placed: Sequence[Portrait]) -> F32:
    """Return the first detail, with that of the barest other where its forehead is hidden."""
    hidden = 1 - placed[0].skin
    bare = [float((one.skin * hidden).sum()) for one in placed[1:]]
    other = 1 + int(np.argmax(bare))
    return details[0] * (1 - hidden) + details[other] * placed[other].skin * hidden


def _middle(image: F32, face: Portrait) -> F32:
    """Return the middle band of a picture inside a face."""
    inside = face.inside(0.02, 3)
    return _blurred(image, inside, FINE_PX) - _blurred(image, inside, LOW_PX)


def _blurred(image: F32, weight: F32, sigma_px: float) -> F32:
    """Return a weighted Gaussian mean of (h, w, 3), by (h, w, 1)."""
    total = cv2.GaussianBlur(image * weight, (0, 0), sigma_px)
    return np.asarray(
        total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma_px), 1e-3)[..., None], np.float32
    )


def _soft(outlines: Sequence[F32], soft_px: float, grown_px: int = 0) -> F32:
    """Return filled outlines with a soft edge, (SIDE_PX, SIDE_PX, 1) float32."""
    mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 255)
    if grown_px:
        mask = np.asarray(cv2.dilate(mask, np.ones((2 * grown_px + 1,) * 2, np.uint8)), np.uint8)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), soft_px)
    return np.asarray(soft, np.float32)[..., None]


def read_recipes(path: Path) -> list[Recipe]:
    """Return the recipes of a CSV file: name, portraits apart by spaces, blended (yes or no)."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Recipe(row["name"], tuple(row["portraits"].split()), row["blended"] == "yes")
            for row in csv.DictReader(file)
        ]


@click.command(short_help="Build the built-in gallery out of synthetic portraits.")
@click.argument("portraits", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--recipes", type=click.Path(exists=True, path_type=Path), default=RECIPES)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def command(portraits: Path, recipes: Path, out: Path) -> None:
    """Morph the synthetic PORTRAITS by the recipes, and write them as a gallery."""
    reader = Factory(Config(min_face=40)).portrait_reader
    chosen = read_recipes(recipes)
    needed = sorted({stem for recipe in chosen for stem in recipe.portraits})
    with click.progressbar(needed, label="reading portraits") as stems:
        faces = {stem: _aligned(portraits / f"{stem}.webp", reader) for stem in stems}
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        with click.progressbar(chosen, label="morphing") as recipes_left:
            for recipe in recipes_left:
                paths.append(Path(folder) / f"{recipe.name}.png")
                image = morphed([faces[stem] for stem in recipe.portraits], recipe)
                mesh = reader.fit(image, paths[-1])
                image = with_warm_stubble(with_irises_alike(image, mesh.points), mesh.points)
                cv2.imwrite(str(paths[-1]), image)
        write_gallery(read_portraits(paths, reader), out)
    click.echo(f"{len(chosen)} identities in {out}")


def _aligned(path: Path, reader: PortraitReader) -> Portrait:
    image = read_image(path)
    return upright(image, reader.fit(image, path).points)
