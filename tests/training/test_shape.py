"""Learning what expressions do to faces, apart from whose faces they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from click.testing import CliRunner

from streamanon.errors import UsageError
from streamanon.face.shape import ShapeModel, mirrored
from training.data.entries import Entry
from training.shape import CanonicalFaces, command, explained, fit, look_at

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _people(sights_each: int) -> tuple[CanonicalFaces, NDArray[np.float64]]:
    """Return people whose features go along with how they usually look, as narrow eyes do."""
    random = np.random.default_rng(0)
    people = 200
    basis = random.normal(0, 1, (52, 478 * 3))
    features = random.normal(0, 1, (52, 478 * 3))
    usual = random.uniform(0, 0.5, (people, 52))
    person = np.repeat(np.arange(people), sights_each)
    now = np.clip(usual[person] + random.normal(0, 0.2, (len(person), 52)), 0, 1)
    points = usual[person] @ features + now @ basis + random.normal(0, 0.05, (len(person), 478 * 3))
    ahead = np.ones(len(person))
    return CanonicalFaces(points, now, person, ahead, 0 * ahead), basis


def test_expressions_are_learnt_apart_from_features() -> None:
    faces, basis = _people(sights_each=6)
    model = ShapeModel.of(fit(faces))
    learnt = model.expression.reshape(52, -1)
    assert np.corrcoef(learnt.ravel(), basis.ravel())[0, 1] > 0.98
    assert explained(faces, learnt) > 0.9
    assert model.mean.shape == (478, 3)


def test_people_count_once_however_often_they_were_seen() -> None:
    faces, _ = _people(sights_each=2)
    seldom = fit(faces)["mean"]
    often = np.concatenate([np.arange(len(faces.person)), np.zeros(400, int), np.ones(400, int)])
    more = CanonicalFaces(
        faces.points[often],
        faces.blendshapes[often],
        faces.person[often],
        faces.facing[often],
        faces.aside[often],
    )
    assert np.abs(fit(more)["mean"] - seldom).mean() < 0.1 * np.abs(seldom).mean()


def test_what_turning_does_to_meshes_is_learnt_from_either_side() -> None:
    faces, _ = _people(sights_each=6)
    random = np.random.default_rng(1)
    wanted = random.normal(0, 5, (2, 478, 3))
    aside = random.choice([0.0, 0.5, -0.6, 0.7, -0.8], len(faces.person), p=[0.6, *[0.1] * 4])
    far = np.abs(aside)[:, None, None]
    added = far * wanted[0] + far**2 * wanted[1]
    added[aside < 0] = mirrored(added[aside < 0])
    points = faces.points + added.reshape(len(added), -1)
    facing = np.cos(np.arcsin(aside))
    turned = CanonicalFaces(points, faces.blendshapes, faces.person, facing, aside)
    model = ShapeModel.of(fit(turned))
    assert np.corrcoef(model.turning.ravel(), wanted.ravel())[0, 1] > 0.95
    assert np.abs(model.turning[0] + model.turning[1] - wanted.sum(axis=0)).mean() < 1


def test_the_command_writes_a_model_that_loads(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "face_shape.npz"
    result = CliRunner().invoke(command, [str(photos), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "faces of" in result.output
    with np.load(out) as stored:
        model = ShapeModel.of(stored)
    assert model.expression.shape == (52, 478, 3)
    assert model.spread > 0


def test_pictures_without_faces_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.png"
    path.write_bytes(b"no picture")
    with pytest.raises(UsageError, match="no picture shows a face"):
        look_at([Entry("empty.png", "nobody", path)])
    with pytest.raises(UsageError, match="no picture shows a face"):
        look_at([Entry("kept.png", "somebody", path, held_out=True)])
