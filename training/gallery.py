"""Build the built-in gallery: people who do not exist, morphed out of synthetic portraits.

Each identity takes its finest detail (pores, lashes, hair) from one portrait and its proportions
from two or three of the same apparent sex, so that it is none of them. Proportions are made
symmetric, irises alike, stubble of the skin's hue. Colours are the mean of all portraits and their
mirror images, which evens out light from one side. Where hair or cloth hangs over the forehead of
the first portrait, the skin of another is taken. Children are made of young adults
(:mod:`training.childlike`). ``gallery.csv`` holds the recipe of each, chosen by measurement (no
hair left on foreheads, no two adults alike) and by looking.

Faces are warped linearly over a Delaunay triangulation of their meshes, and their bands of spatial
frequency blended apart (Burt and Adelson, "A Multiresolution Spline With Application to Image
Mosaics", ACM Transactions on Graphics 2(4), 1983).
"""

from __future__ import annotations

import csv
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import cv2
import numpy as np

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES
from streamanon.factory import Factory
from streamanon.identities.gallery import read_portraits, write_gallery
from streamanon.identities.portrait import PortraitReader, read_image
from training.childlike import childlike
from training.portrait import Portrait, blurred, hull, soft_mask, upright

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streamanon.types import F32, U8

RECIPES = Path(__file__).parent / "gallery.csv"

AGES = RECIPES.with_name("portrait_ages.csv")
"""How old the portraits look, in years, estimated by looking: the network for apparent age is off
by seven years on average, and a young head with an old face is seen at once."""

DESCENTS = ("east asian", "african")
"""What :attr:`streamanon.types.Identity.descent` tells apart, judged by looking."""

LOW_PX, FINE_PX = 16.0, 2.2
"""Standard deviations of the Gaussians between the low, middle and fine bands."""

CALMED, FROM_LEVELS = 0.55, 10.0
"""Highlights of the skin lose this share of what exceeds so many levels of 255."""

WARMED, STUBBLE_PX = 0.65, 5.0
"""Share of what stubble lacks of the skin's colour that it gets, and how coarse that is."""

DARK_SKIN = (48.0, 58.0)
"""Lightness of skin up to which stubble is not bluish, and from which it is."""

_CHEEKS = [50, 205, 280, 425, 101, 330]
_BELOW_NOSE = (98, 327, *(point for point in lm.FACE_OVAL if VERTICES[point, 1] < VERTICES[2, 1]))


@dataclass(frozen=True)
class Recipe:
    """What an identity is made of.

    Attributes:
        name: name of the identity.
        portraits: file stems; the first gives the finest detail.
        blended: take the middle band from all portraits, so that features are mixed, too.
        years: age of a child to make of it (:mod:`training.childlike`), or None.
        descent: what the first portrait looks like, "east asian", "african", or neither.
    """

    name: str
    portraits: tuple[str, ...]
    blended: bool
    years: float | None = None
    descent: str = ""

    def age(self, ages: Mapping[str, float]) -> float:
        """Return how old the identity looks, by how old its portraits do, in years."""
        if self.years is not None:
            return self.years
        return sum(ages[portrait] for portrait in self.portraits) / len(self.portraits)

    @property
    def shares_of_descent(self) -> F32:
        """(2,) float32, :attr:`streamanon.types.Identity.descent`."""
        return np.array([self.descent == one for one in DESCENTS], np.float32)

    @property
    def shares(self) -> F32:
        """How much each portrait counts, (n,) float32 that add up to 1."""
        shares = np.ones(len(self.portraits), np.float32)
        shares[0] = 1 if self.blended else len(shares) - 1
        return np.asarray(shares / shares.sum(), np.float32)


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
        soft_mask([hull(points, part)], soft, grown)
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
    return blurred(image, inside, FINE_PX) - blurred(image, inside, LOW_PX)


def read_recipes(path: Path) -> list[Recipe]:
    """Return the recipes of a CSV file.

    Its columns are name, portraits apart by spaces, blended (yes), years and descent.
    """
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Recipe(
                row["name"],
                tuple(row["portraits"].split()),
                row["blended"] == "yes",
                float(row["years"]) if row["years"] else None,
                row["descent"],
            )
            for row in csv.DictReader(file)
        ]


def read_ages(path: Path) -> dict[str, float]:
    """Return the ages in years of a CSV file: portrait, years."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["portrait"]: float(row["years"]) for row in csv.DictReader(file)}


@click.command(short_help="Build the built-in gallery out of synthetic portraits.")
@click.argument("portraits", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--recipes", type=click.Path(exists=True, path_type=Path), default=RECIPES)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def command(portraits: Path, recipes: Path, out: Path) -> None:
    """Morph the synthetic PORTRAITS by the recipes, and write them as a gallery."""
    factory = Factory(Config(min_face=40))
    reader, model = factory.portrait_reader, factory.shape_model
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
                if recipe.years is not None:
                    image = childlike(image, mesh.points, recipe.years, model)
                cv2.imwrite(str(paths[-1]), image)
        of_adults = [
            path for path, recipe in zip(paths, chosen, strict=True) if recipe.years is None
        ]
        # To a recogniser children are alike: none is left out for looking like another.
        children = [reader.read(path) for path in paths if path not in of_adults]
        ages = read_ages(AGES)
        recipe_of = {recipe.name: recipe for recipe in chosen}
        described = [
            replace(
                identity,
                years=recipe_of[identity.name].age(ages),
                descent=recipe_of[identity.name].shares_of_descent,
            )
            for identity in (*read_portraits(of_adults, reader), *children)
        ]
        write_gallery(sorted(described, key=lambda one: one.name), out)
    click.echo(f"{len(chosen)} identities in {out}")


def _aligned(path: Path, reader: PortraitReader) -> Portrait:
    image = read_image(path)
    return upright(image, reader.fit(image, path).points)
