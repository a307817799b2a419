"""Learn ``childhood.npz``: how children's faces differ in shape, and how to tell a child.

    python -m training childhood aaf.tar --adults lfw.tar --out childhood.npz

Pictures with ages are those of All-Age-Faces, whose names end in the age (``00028A02``). The shape
is the mean neutral (:mod:`streamanon.face.shape`) of children less that of young adults. Who is a
child is a ridge regression on the product's embeddings, where children count as much as adults; the
age that a network reads off a child of ten is that of an adult too often.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click
import numpy as np

from streamanon import weights
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face.shape import CHILD_YEARS, ShapeModel, mirrored
from streamanon.factory import Factory
from training import appearance
from training.data.entries import Entry, read_entries
from training.data.prepare import central_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from streamanon.types import F32

YOUNG = (20, 30)
"""Ages of those whose mean shape children's are compared with."""

ROUND_YEARS = 1
"""Pictures of children count for an age that differs by no more years."""

CHILD_UNTIL, ADULT_FROM = 11, 18
"""Oldest child and youngest adult that the probe learns from."""

RIDGE = 0.002

MOST_ADULTS = 3000
"""Pictures of people without an age in their names that are used, all adults."""

LEVEL_DEG = 18.0
"""Angles to either side, up and down, within which a shape is looked at."""


@dataclass(frozen=True)
class People:
    """Faces and how old they are.

    Attributes:
        neutral: (n, 478, 3) float32 canonical.
        embedding: (n, 128) float32 unit vectors.
        years: (n,) int64 ages.
        level: (n,) bool, whether the face looks into the camera.
    """

    neutral: F32
    embedding: F32
    years: NDArray[np.int64]
    level: NDArray[np.bool_]


def age_in_name(name: str) -> int | None:
    """Return the age that a picture of All-Age-Faces has in its name; None for other names."""
    found = re.search(r"A(\d\d)$", PurePosixPath(name).stem)
    return int(found[1]) if found else None


def look_at(entries: Iterable[Entry], model: ShapeModel, factory: Factory) -> People:
    """Return the faces of pictures; who has no age in the name counts as of ADULT_FROM."""
    neutrals, embeddings, years, level = [], [], [], []
    for entry in entries:
        found = central_mesh(entry, blendshapes=True)
        if isinstance(found, str):
            continue
        picture, mesh = found
        assert mesh.blendshapes is not None
        yaw, pitch, _ = lm.head_pose(mesh.points)
        age = age_in_name(entry.name)
        neutrals.append(model.neutral(mesh.points, mesh.blendshapes))
        embeddings.append(factory.embedder.embed(picture, lm.five_points(mesh.points)))
        years.append(ADULT_FROM if age is None else age)
        level.append(max(abs(yaw), abs(pitch)) < LEVEL_DEG)
    return People(np.stack(neutrals), np.stack(embeddings), np.array(years), np.array(level))


def shapes(people: People) -> F32:
    """Return (k, 478, 3): what children of CHILD_YEARS differ by from young adults.

    Raises:
        UsageError: there are no children of an age, or no young adults.
    """
    away = [_mean_shape(people, age - ROUND_YEARS, age + ROUND_YEARS) for age in CHILD_YEARS]
    differences = np.stack(away) - _mean_shape(people, *YOUNG)
    return np.asarray((differences + mirrored(differences)) / 2, np.float32)


def _mean_shape(people: People, youngest: int, oldest: int) -> F32:
    wanted = people.level & (people.years >= youngest) & (people.years <= oldest)
    if not wanted.any():
        raise UsageError(f"no picture shows anybody of {youngest} to {oldest} years: add some")
    return np.asarray(people.neutral[wanted].mean(axis=0), np.float32)


def fit(embedding: F32, child: NDArray[np.bool_]) -> F32:
    """Return (129,) float32, 128 weights and a bias: about 1 for a child, about -1 for an adult."""
    weight = np.where(child, 0.5 / child.sum(), 0.5 / (~child).sum())
    return appearance.fit(embedding, np.where(child, 1.0, -1.0), weight, RIDGE)


def separated(embedding: F32, child: NDArray[np.bool_]) -> float:
    """Return how often a child looks more like one than an adult, both not learnt from."""
    even = np.arange(len(child)) % 2 == 0
    probe = fit(embedding[even], child[even])
    score = embedding[~even] @ probe[:-1] + probe[-1]
    children, adults = score[child[~even]], score[~child[~even]]
    return float((children[:, None] > adults).mean())


@click.command()
@click.argument("pictures", type=click.Path(exists=True, path_type=Path))
@click.option("--adults", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def command(pictures: Path, adults: Path, out: Path) -> None:
    """Learn from PICTURES that have ages in their names how children differ, and write it to OUT.

    ADULTS is a set of other people, hardly any of them children.
    """
    factory = Factory(Config(min_face=40))
    with np.load(weights.path("face_shape.npz")) as stored:
        model = ShapeModel.of(stored)
    with_ages = [one for one in read_entries(pictures) if age_in_name(one.name) is not None]
    others = [one for one in appearance.few_of_each(read_entries(adults)) if not one.held_out]
    people = look_at([*with_ages, *others[:MOST_ADULTS]], model, factory)
    clear = (people.years <= CHILD_UNTIL) | (people.years >= ADULT_FROM)
    embedding, child = people.embedding[clear], people.years[clear] <= CHILD_UNTIL
    np.savez_compressed(out, shape=shapes(people).astype(np.float16), probe=fit(embedding, child))
    click.echo(
        f"{child.sum()} children and {(~child).sum()} adults; of a child and an adult not learnt "
        f"from, the child looks more like one in {separated(embedding, child):.1%}"
    )
