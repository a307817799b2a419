"""Fit ``appearance.npz``: apparent age and skin as linear functions of a face's embedding.

    python -m training.appearance --faces DIR --portraits DIR --lfw lfw.tar --out appearance.npz

``--faces`` holds All-Age-Faces (Cheng et al., 2019), whose file names ``NNNNNAaa.webp`` tell the
age; ``--portraits`` synthetic portraits whose apparent ages ``portrait_ages.csv`` holds, estimated
by looking. Faces are found and embedded as the product does it. Skin is that of the portraits,
which are evenly lit, and with a small weight that of LFW, whose light differs from picture to
picture: of 200 portraits it is predicted with a correlation of 0.83 in lightness.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import click
import numpy as np

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.tracking.identity_assigner import skin_lab
from training.data.entries import Entry, read_entries
from training.data.prepare import central_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from streamanon.types import F32

AAF_AGE = re.compile(r"\d+A(\d+)")
"""Names of the files of All-Age-Faces, without suffix."""

FOLDS = 5
RIDGE = 3.0

PORTRAIT_AGES = Path(__file__).parent / "portrait_ages.csv"

PORTRAIT_WEIGHT = 10.0
"""What a portrait counts when age is fitted; a face of All-Age-Faces counts 1."""


SKIN_WEIGHT = 0.3
"""What a face of LFW counts when skin is fitted; a portrait counts 3."""

PER_PERSON = 2
"""Pictures taken of each person of LFW."""


@dataclass(frozen=True)
class Faces:
    """Embedded faces of one set.

    Attributes:
        embedding: (n, 128) float32 unit vectors.
        skin: (n, 3) float32 CIELAB of the cheeks, as they are lit.
        age: (n,) float32 years; NaN where it is not known.
    """

    embedding: F32
    skin: F32
    age: F32


def load(entries: Iterable[Entry], factory: Factory) -> Faces:
    """Return the faces in the middle of pictures: of All-Age-Faces, of portraits or of LFW."""
    with PORTRAIT_AGES.open(encoding="utf-8", newline="") as file:
        ages_by_name = {row["portrait"]: float(row["years"]) for row in csv.DictReader(file)}
    rows = []
    for entry in entries:
        found = central_mesh(entry)
        if isinstance(found, str):
            continue
        picture, mesh = found
        skin = skin_lab(picture, mesh)
        if skin is None:
            continue
        stem = PurePosixPath(entry.name).stem
        of_aaf = AAF_AGE.fullmatch(stem)
        age = ages_by_name.get(stem) or (float(of_aaf[1]) if of_aaf else np.nan)
        rows.append((factory.embedder.embed(picture, lm.five_points(mesh.points)), skin, age))
    embeddings, skins, ages = zip(*rows, strict=True)
    return Faces(np.stack(embeddings), np.stack(skins), np.array(ages, np.float32))


def few_of_each(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield at most PER_PERSON pictures of each person."""
    seen: Counter[str] = Counter()
    for entry in entries:
        seen[entry.person] += 1
        if seen[entry.person] <= PER_PERSON:
            yield entry


def fit(embedding: F32, wanted: F32, weight: F32) -> F32:
    """Return (129, ...) float32, 128 weights and a bias: ridge regression with weighted rows."""
    rows = np.column_stack([embedding, np.ones(len(embedding))]).astype(np.float64)
    weighted = rows * weight[:, None]
    normal = weighted.T @ rows + RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(normal, weighted.T @ wanted), np.float32)


def cross_validated(embedding: F32, wanted: F32, weight: F32) -> F32:
    """Return float32 like what is wanted: for each row the answer of a fit that has not seen it."""
    fold = np.random.default_rng(0).integers(FOLDS, size=len(wanted))
    answers = np.empty_like(wanted)
    for held in range(FOLDS):
        seen, unseen = fold != held, fold == held
        probe = fit(embedding[seen], wanted[seen], weight[seen])
        answers[unseen] = embedding[unseen] @ probe[:-1] + probe[-1]
    return answers


def fit_age(faces: Faces, portraits: Faces) -> F32:
    """Return the (129,) probe of age in years and print how right it is."""
    embedding = np.concatenate([faces.embedding, portraits.embedding])
    age = np.concatenate([faces.age, portraits.age])
    split = len(faces.age)
    weight = np.ones_like(age)
    weight[split:] = PORTRAIT_WEIGHT
    answers = cross_validated(embedding, age, weight)
    for name, part in (("faces", slice(split)), ("portraits", slice(split, None))):
        error = np.abs(answers[part] - age[part]).mean()
        correlation = np.corrcoef(answers[part], age[part])[0, 1]
        click.echo(f"age of {name}: {error:.1f} years off, correlation {correlation:.2f}")
    return fit(embedding, age, weight)


def fit_skin(portraits: Faces, photographs: Faces) -> F32:
    """Return the (129, 3) probe of CIELAB in even light and print how right it is on portraits."""
    embedding = np.concatenate([portraits.embedding, photographs.embedding])
    skin = np.concatenate([portraits.skin, photographs.skin])
    split = len(portraits.skin)
    weight = np.full(len(skin), SKIN_WEIGHT, np.float32)
    weight[:split] = 3.0
    answers = cross_validated(embedding, skin, weight)[:split]
    for name, answer, wanted in zip("Lab", answers.T, portraits.skin.T, strict=True):
        click.echo(f"{name} of portraits: correlation {np.corrcoef(answer, wanted)[0, 1]:.2f}")
    return fit(embedding, skin, weight)


@click.command()
@click.option("--faces", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--portraits", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--lfw", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(faces: Path, portraits: Path, lfw: Path, out: Path) -> None:
    """Fit the probes, print how right they are on faces not seen, and write them to OUT."""
    factory = Factory(Config(min_face=40))
    synthetic = load(read_entries(portraits), factory)
    age = fit_age(load(read_entries(faces), factory), synthetic)
    skin = fit_skin(synthetic, load(few_of_each(read_entries(lfw)), factory))
    np.savez(out, age=age, skin=skin)


if __name__ == "__main__":
    main()
