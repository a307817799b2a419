"""Learn ``face_shape.npz``: what expressions and turning do to a mesh, and a face without them.

    python -m training shape lfw.tar video_frames.tar aaf.tar synthetic.tar --out face_shape.npz

Meshes and blendshapes are those of the product's own fitter. The expression basis is a ridge
regression of meshes on blendshapes *within* people: of the differences of a face from the mean of
the same person's faces. A regression over people takes their features for expressions, as narrow
eyes for a squint; within people the neutral that is left re-identifies 84 % of 102 people from
another photograph, with another expression, and over people 70 %.

What turning does is what then still differs from everybody's face, on average, the more a head is
turned (least squares; every few degrees count the same, although few heads are turned far).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from streamanon.errors import UsageError
from streamanon.face.shape import Pose, mirrored
from training.data.entries import Entry, read_entries
from training.data.prepare import central_mesh

RIDGE = 5.0
"""Added to the normal equations: what blendshapes that never move in the data are held back by."""

MIN_FACING = 0.9
"""Cosine of the angle away from the camera below which a face is turned: 26 degrees."""

LEVEL = 0.42
"""Sine of the pitch, 25 degrees, above which a turned face is left out."""

STEP, FEWEST = 0.07, 5
"""Step of the sine of yaws that count the same together, and of how many faces at least."""


@dataclass(frozen=True)
class CanonicalFaces:
    """Faces in canonical pose.

    Attributes:
        points: (n, 478 * 3) float64 canonical, see :mod:`streamanon.face.shape`.
        blendshapes: (n, 52) float64.
        person: (n,) number of the person.
        facing: (n,) cosine of the angle away from the camera.
        aside: (n,) sine of the yaw.
    """

    points: NDArray[np.float64]
    blendshapes: NDArray[np.float64]
    person: NDArray[np.intp]
    facing: NDArray[np.float64]
    aside: NDArray[np.float64]

    def ahead(self) -> CanonicalFaces:
        """Return those that look into the camera, with people numbered from 0."""
        kept = self.facing >= MIN_FACING
        person = np.unique(self.person[kept], return_inverse=True)[1]
        rest = (self.facing[kept], self.aside[kept])
        return CanonicalFaces(self.points[kept], self.blendshapes[kept], person, *rest)


def look_at(entries: Iterable[Entry]) -> CanonicalFaces:
    """Return the faces of pictures, not nodding much; none of people kept for testing.

    Raises:
        UsageError: none looks into the camera.
    """
    points, blendshapes, people, angles = [], [], [], []
    for entry in entries:
        found = central_mesh(entry, blendshapes=True)
        if isinstance(found, str):
            continue
        mesh = found[1]
        pose = Pose.of(mesh.points)
        level = pose.facing >= MIN_FACING or abs(pose.turn[2, 1]) <= LEVEL
        if level and mesh.blendshapes is not None:
            points.append(pose.canonical(mesh.points).ravel())
            blendshapes.append(mesh.blendshapes)
            people.append(entry.person)
            angles.append((pose.facing, pose.aside))
    facing, aside = np.array(angles, np.float64).reshape(-1, 2).T
    if not (facing >= MIN_FACING).any():
        raise UsageError("no picture shows a face that looks into the camera: name other sets")
    _, person = np.unique(people, return_inverse=True)
    seen = (np.array(points, np.float64), np.array(blendshapes, np.float64))
    return CanonicalFaces(*seen, person, facing, aside)


def fit(faces: CanonicalFaces) -> dict[str, NDArray[Any]]:
    """Return the arrays of the model, as :meth:`streamanon.face.shape.ShapeModel.of` takes them.

    Args:
        faces: observations of people, some of them seen several times.
    """
    turned, faces = faces, faces.ahead()
    counts = np.bincount(faces.person)
    moved = faces.points - _of_person(faces.points, faces.person)
    coefficients = faces.blendshapes - _of_person(faces.blendshapes, faces.person)
    normal = coefficients.T @ coefficients + RIDGE * np.eye(coefficients.shape[1])
    expression = np.linalg.solve(normal, coefficients.T @ moved)
    neutral = faces.points - faces.blendshapes @ expression
    mean = np.average(neutral, axis=0, weights=1 / counts[faces.person])
    away = neutral - _of_person(neutral, faces.person)
    several = counts[faces.person] > 1
    freedom = several.sum() - (counts > 1).sum()
    square = (away[several] ** 2).sum() / max(freedom, 1) / (away.shape[1] // 3)
    return {
        "mean": mean.reshape(-1, 3).astype(np.float32),
        "expression": expression.reshape(len(expression), -1, 3).astype(np.float16),
        "spread": np.array(np.sqrt(square), np.float32),
        "turning": _turning(turned, mean, expression.astype(np.float64)).astype(np.float16),
    }


def _turning(
    faces: CanonicalFaces, mean: NDArray[np.float64], expression: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return (2, 478, 3): what the sine of the yaw, and its square, add to canonical faces.

    Args:
        faces: faces turned by any angle, and not.
        mean: (478 * 3,) canonical, everybody's neutral.
        expression: (52, 478 * 3) canonical, what a blendshape of 1 adds.
    """
    away = (faces.points - faces.blendshapes @ expression - mean).reshape(-1, 478, 3)
    left = faces.aside < 0
    away[left] = mirrored(away[left])
    far = np.abs(faces.aside)
    steps = (far / STEP).astype(np.intp)
    shares = 1 / np.maximum(np.bincount(steps), FEWEST)[steps]
    powers = np.stack([far, far**2])
    normal = powers * shares @ powers.T + 1e-9 * np.eye(2)
    return np.linalg.solve(normal, powers * shares @ away.reshape(len(away), -1)).reshape(2, 478, 3)


def explained(faces: CanonicalFaces, expression: NDArray[Any]) -> float:
    """Return the share of the variance within people that an expression basis explains."""
    moved = faces.points - _of_person(faces.points, faces.person)
    coefficients = faces.blendshapes - _of_person(faces.blendshapes, faces.person)
    left = moved - coefficients @ expression.reshape(len(expression), -1).astype(np.float64)
    return float(1 - (left**2).sum() / (moved**2).sum())


def _of_person(values: NDArray[np.float64], person: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return, for each row, the mean over the rows of the same person."""
    sums = np.zeros((int(person.max()) + 1, values.shape[1]))
    np.add.at(sums, person, values)
    return np.asarray((sums / np.bincount(person)[:, None])[person], np.float64)


@click.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def command(inputs: tuple[Path, ...], out: Path) -> None:
    """Learn the model of face shapes from tar files or folders of faces and write it to OUT."""
    faces = look_at(entry for path in inputs for entry in read_entries(path))
    model = fit(faces)
    mean, expression, spread, turning = (
        model[name] for name in ("mean", "expression", "spread", "turning")
    )
    np.savez_compressed(out, mean=mean, expression=expression, spread=spread, turning=turning)
    ahead = faces.ahead()
    click.echo(
        f"{len(ahead.person)} faces of {ahead.person.max() + 1} people; blendshapes explain "
        f"{explained(ahead, model['expression']):.0%} of what changes within people, the neutral "
        f"differs by {float(model['spread']):.2f} units from sight to sight; "
        f"{len(faces.person) - len(ahead.person)} turned faces"
    )
