"""Fit ``appearance.npz``: apparent age as a linear function of a face's embedding.

    python -m training.appearance --faces DIR --portraits DIR --out appearance.npz

``--faces`` holds All-Age-Faces (Cheng et al., 2019), whose file names ``NNNNNAaa.webp`` tell the
age; ``--portraits`` synthetic portraits whose apparent ages ``portrait_ages.csv`` holds, estimated
by looking. Faces are found and embedded as the product does it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.portrait import read_image
from streamanon.imaging.picture import as_picture

if TYPE_CHECKING:
    from streamanon.types import F32

FOLDS = 5
RIDGE = 3.0

PORTRAIT_AGES = Path(__file__).parent / "portrait_ages.csv"

PORTRAIT_WEIGHT = 10.0
"""What a portrait counts when age is fitted; a face of All-Age-Faces counts 1."""


@dataclass(frozen=True)
class Faces:
    """Embedded faces of one set.

    Attributes:
        embedding: (n, 128) float32 unit vectors.
        age: (n,) float32 years.
    """

    embedding: F32
    age: F32


def load(folder: Path, factory: Factory) -> Faces:
    """Return the faces found in a folder of All-Age-Faces or of portraits."""
    with PORTRAIT_AGES.open(encoding="utf-8", newline="") as file:
        ages_by_name = {row["portrait"]: float(row["years"]) for row in csv.DictReader(file)}
    rows = []
    for path in sorted(folder.glob("*.webp")):
        picture = as_picture(read_image(path))
        found = factory.detector.detect(picture)
        if not found or found[0].points is None:
            continue
        mesh = factory.mesher.fit(picture, lm.roi_from_points(found[0].points))
        embedding = factory.embedder.embed(picture, lm.five_points(mesh.points))
        rows.append((embedding, ages_by_name.get(path.stem) or float(path.stem.split("A")[1])))
    embeddings, ages = zip(*rows, strict=True)
    return Faces(np.stack(embeddings), np.array(ages, np.float32))


def fit(embedding: F32, wanted: F32, weight: F32) -> F32:
    """Return (129,) float32, 128 weights and a bias: ridge regression with weighted rows."""
    rows = np.column_stack([embedding, np.ones(len(embedding))]).astype(np.float64)
    weighted = rows * weight[:, None]
    normal = weighted.T @ rows + RIDGE * np.eye(rows.shape[1])
    return np.asarray(np.linalg.solve(normal, weighted.T @ wanted), np.float32)


def cross_validated(embedding: F32, wanted: F32, weight: F32) -> F32:
    """Return (n,) float32: for each row the answer of a fit that has not seen it."""
    fold = np.random.default_rng(0).integers(FOLDS, size=len(wanted))
    answers = np.empty(len(wanted), np.float32)
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


@click.command()
@click.option("--faces", "faces_dir", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--portraits", "portraits_dir", required=True, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
def main(faces_dir: Path, portraits_dir: Path, out: Path) -> None:
    """Fit the probe, print how right it is on faces it has not seen, and write it to OUT."""
    factory = Factory(Config(min_face=40))
    faces, portraits = load(faces_dir, factory), load(portraits_dir, factory)
    np.savez(out, age=fit_age(faces, portraits))


if __name__ == "__main__":
    main()
