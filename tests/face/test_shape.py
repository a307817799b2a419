"""Shape apart from motion, on photographs of two people, neutral and smiling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mesh import Blendshapes
from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES
from streamanon.face.shape import (
    ENOUGH,
    MAX_CHANGE,
    MAX_CORRECTED,
    MOUTH_FROM,
    MOUTH_WIDTH,
    SMILE,
    ExpressionKeeper,
    NeutralEstimate,
    Pose,
    ShapeModel,
    away_from_outline,
    mirrored,
    reshaped,
    shape_for,
)
from streamanon.imaging.picture import as_picture
from testkit.networks import mesh_fitter
from testkit.paths import PHOTOS
from testkit.staged import CALM, LAUGHING, clip_frames, fit

if TYPE_CHECKING:
    from streamanon.types import F32


@dataclass(frozen=True)
class Sight:
    points: F32
    blendshapes: F32


@pytest.fixture(scope="module")
def model() -> ShapeModel:
    with np.load(weights.path("face_shape.npz")) as stored:
        return ShapeModel.of(stored)


@pytest.fixture(scope="module")
def sights() -> dict[str, Sight]:
    fitter, found = mesh_fitter(), {}
    for path in sorted(PHOTOS.glob("*.webp")):
        image = cv2.imread(str(path))
        assert image is not None
        height, width = image.shape[:2]
        roi = np.array([(0, 0), (width, 0), (0, height)], np.float32)
        for _ in range(3):
            mesh = fitter.fit(as_picture(np.asarray(image, np.uint8)), roi, blendshapes=True)
            roi = lm.roi_from_mesh(mesh.points)
        assert mesh.blendshapes is not None
        found[path.stem.split("_", 1)[1]] = Sight(mesh.points, mesh.blendshapes)
    return found


def test_children_have_another_mean_shape_that_they_grow_out_of(model: ShapeModel) -> None:
    with np.load(weights.path("childhood.npz")) as children:
        known = replace(model, childhood=children["shape"].astype(np.float32))
    sizes = [float(np.abs(known.at_age(years) - model.mean).mean()) for years in (2, 5, 9, 14)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0
    for years in (16, 40, 80):
        np.testing.assert_array_equal(known.at_age(years), model.mean)
    young, old = known.at_age(3), model.mean
    length = [float(np.linalg.norm(one[lm.CHIN] - one[1])) for one in (young, old)]
    assert length[0] < length[1] - 0.2


def neutral(model: ShapeModel, sight: Sight) -> F32:
    return model.neutral(sight.points, sight.blendshapes)


def gap(one: F32, two: F32) -> float:
    return float(np.sqrt(((one - two) ** 2).sum(axis=1).mean()))


def _lips_apart(points: F32) -> float:
    return float(np.linalg.norm(points[14, :2] - points[13, :2]))


def test_a_pose_brings_a_mesh_to_the_canonical_face_and_back(sights: dict[str, Sight]) -> None:
    points = sights["001_neutral"].points
    pose = Pose.of(points)
    canonical = pose.canonical(points)
    assert gap(canonical[:468], VERTICES * np.array([1, -1, -1], np.float32)) < 0.8
    assert np.allclose(pose.placed(canonical) + pose.shift, points, atol=1e-2)
    assert pose.facing > 0.97
    yaw, pitch, _ = lm.head_pose(points)
    expected = np.cos(np.radians(yaw)) * np.cos(np.radians(pitch))
    assert pose.facing == pytest.approx(float(expected), abs=1e-3)


def test_the_neutral_tells_people_apart_and_not_their_smiles(
    model: ShapeModel, sights: dict[str, Sight]
) -> None:
    neutrals = {name: neutral(model, sight) for name, sight in sights.items()}
    raw = {name: Pose.of(one.points).canonical(one.points) for name, one in sights.items()}
    for person in ("001", "002"):
        same = gap(neutrals[f"{person}_neutral"], neutrals[f"{person}_smiling"])
        assert same < 0.7 * gap(raw[f"{person}_neutral"], raw[f"{person}_smiling"])
        assert same < 0.7 * gap(neutrals[f"{person}_neutral"], neutrals["man"])


@pytest.mark.parametrize("yaw_deg", [-50, -30, 30, 50])
def test_a_turned_head_has_the_shape_that_it_has_from_ahead(
    model: ShapeModel, yaw_deg: float
) -> None:
    angle = np.radians(yaw_deg)
    sine, cosine = np.sin(angle), np.cos(angle)
    turn = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])
    far = abs(sine)
    added = far * model.turning[0] + far**2 * model.turning[1]
    seen = model.mean + (mirrored(added) if yaw_deg < 0 else added)
    points = np.asarray(20 * seen @ turn.T + (300, 200, 0), np.float32)
    assert lm.head_pose(points)[0] == pytest.approx(yaw_deg, abs=4)
    found = model.neutral(points, np.zeros(52, np.float32))
    assert gap(found, model.mean) < 0.3 * gap(seen, model.mean)


def test_with_ones_own_shape_nothing_changes(model: ShapeModel, sights: dict[str, Sight]) -> None:
    sight = sights["001_smiling"]
    own = neutral(model, sight)
    assert np.abs(reshaped(sight.points, own, own) - sight.points).max() < 1e-3


def test_the_shape_becomes_the_others_and_the_smile_stays(
    model: ShapeModel, sights: dict[str, Sight]
) -> None:
    sight, other = sights["001_smiling"], neutral(model, sights["man"])
    own = neutral(model, sight)
    points = reshaped(sight.points, own, other)
    became = Pose.of(points).canonical(points) - np.tensordot(
        sight.blendshapes, model.expression, axes=1
    )
    assert gap(became, other) < 0.35 * gap(own, other)
    for before, after in zip(lm.head_pose(sight.points), lm.head_pose(points), strict=True):
        assert after == pytest.approx(before, abs=1.0)
    assert _lips_apart(points) == pytest.approx(_lips_apart(sight.points), rel=0.15)


def test_shut_eyes_stay_shut_and_open_ones_become_the_others(
    model: ShapeModel, sights: dict[str, Sight]
) -> None:
    sight, other = sights["001_neutral"], neutral(model, sights["man"]).copy()
    own = neutral(model, sight)
    upper, lower = list(lm.RIGHT_EYE[1:8]), list(lm.RIGHT_EYE[:8:-1])
    wider = 0.5 * (own[lower, 1] - own[upper, 1])
    other[upper] = own[upper] - np.outer(wider, [0, 0.5, 0]).astype(np.float32)
    other[lower] = own[lower] + np.outer(wider, [0, 0.5, 0]).astype(np.float32)
    scale = Pose.of(sight.points).scale
    grown = reshaped(sight.points, own, other)
    more = grown[lower, 1] - grown[upper, 1] - (sight.points[lower, 1] - sight.points[upper, 1])
    assert more.mean() == pytest.approx(scale * wider.mean(), rel=0.25)
    shut = sight.points.copy()
    shut[upper] = shut[lower]
    still = reshaped(shut, own, other)
    assert np.abs(still[lower] - still[upper]).max() < 0.05 * scale


def test_irises_move_with_their_eyes(model: ShapeModel, sights: dict[str, Sight]) -> None:
    sight = sights["001_neutral"]
    own = neutral(model, sight)
    other = own.copy()
    other[list(lm.LEFT_EYE), 0] += 0.4
    points = reshaped(sight.points, own, other)
    moved = points - sight.points
    assert np.allclose(moved[473:478], moved[list(lm.LEFT_EYE)].mean(axis=0), atol=0.5)
    assert np.abs(moved[468:473]).max() < 0.5


def test_a_mouth_stays_as_open_as_it_is(model: ShapeModel, sights: dict[str, Sight]) -> None:
    image = clip_frames((CALM, LAUGHING))[LAUGHING]
    mesh = fit(mesh_fitter(), image)
    own, other = (neutral(model, sights[name]) for name in ("001_neutral", "002_smiling"))
    parted = other.copy()
    parted[list(range(13, 19)), 1] += 0.5
    before = _lips_apart(mesh.points)
    assert before > 5
    assert _lips_apart(reshaped(mesh.points, own, parted)) == pytest.approx(before, rel=0.1)


def test_an_outline_that_must_stay_stays(model: ShapeModel, sights: dict[str, Sight]) -> None:
    sight, other = sights["001_neutral"], neutral(model, sights["man"])
    inwards = away_from_outline(model.mean)
    assert inwards[list(lm.FACE_OVAL)].max() == 0
    assert inwards[lm.NOSE_TIP] == 1
    points = reshaped(sight.points, neutral(model, sight), other, inwards)
    assert np.abs((points - sight.points)[list(lm.FACE_OVAL)]).max() < 1e-3
    assert np.abs(points - sight.points).max() > 1


def test_an_estimate_is_not_misled_by_single_sights(model: ShapeModel) -> None:
    random = np.random.default_rng(0)
    truth = model.mean + random.normal(0, 0.2, model.mean.shape).astype(np.float32)
    noise = model.spread / np.sqrt(3)
    estimate = NeutralEstimate(model.spread)
    for index in range(60):
        sight = truth + random.normal(0, noise, truth.shape).astype(np.float32)
        if index % 10 == 5:
            sight = sight + np.float32(3)
        known = estimate.add(sight, 0.98)
    assert gap(known, truth) < 0.35 * model.spread


def test_a_turned_head_counts_little(model: ShapeModel) -> None:
    seen, turned = model.mean, model.mean + np.float32(0.05)
    estimate = NeutralEstimate(model.spread)
    estimate.add(seen, 1.0)
    known = estimate.add(turned, float(np.cos(np.radians(50))))
    assert gap(known, seen) < 0.1 * gap(turned, seen)


def test_a_track_that_is_only_seen_from_the_side_has_an_estimate(model: ShapeModel) -> None:
    estimate = NeutralEstimate(model.spread)
    for _ in range(3):
        known = estimate.add(model.mean, 0.0)
    assert np.allclose(known, model.mean)


def test_the_shape_given_has_nothing_of_the_persons_own(
    model: ShapeModel, sights: dict[str, Sight]
) -> None:
    own = neutral(model, sights["001_neutral"])
    apart = own - model.mean
    for name in ("002_neutral", "man", "001_smiling"):
        given = shape_for(own, neutral(model, sights[name]), model.mean)
        shared = float(((given - model.mean) * apart).sum() / (apart * apart).sum())
        assert shared < -0.99 * ENOUGH


def test_a_mouth_stays_about_as_wide_as_it_was(model: ShapeModel) -> None:
    wide = model.mean.copy()
    lips = list({*lm.OUTER_LIPS, *lm.INNER_LIPS})
    wide[lips, 0] *= 1.5
    for own, other, limit in (
        (model.mean, wide, MOUTH_WIDTH[1]),
        (wide, model.mean, MOUTH_WIDTH[0]),
    ):
        given = shape_for(own, other, model.mean)
        corners = [
            shape[lm.LEFT_MOUTH_CORNER] - shape[lm.RIGHT_MOUTH_CORNER] for shape in (given, own)
        ]
        ratio = np.linalg.norm(corners[0]) / np.linalg.norm(corners[1])
        assert ratio == pytest.approx(limit, rel=0.02)


def test_a_shape_changes_no_more_than_a_head_bears(model: ShapeModel) -> None:
    random = np.random.default_rng(0)
    apart, other = random.normal(0, 0.16, (2, *model.mean.shape)).astype(np.float32)
    own = model.mean + apart
    given = shape_for(own, model.mean + other, model.mean)
    shared = float(((given - model.mean) * apart).sum() / (apart * apart).sum())
    assert shared < -0.99 * ENOUGH
    assert np.sqrt(((given - own) ** 2).sum() / len(own)) < 1.01 * MAX_CHANGE


def test_a_shape_that_is_the_opposite_already_is_only_gone_beyond(model: ShapeModel) -> None:
    random = np.random.default_rng(0)
    apart = random.normal(0, 0.1, model.mean.shape).astype(np.float32)
    given = shape_for(model.mean + apart, model.mean - apart, model.mean)
    assert np.allclose(given, model.mean - 1.5 * apart, atol=1e-5)


def test_a_strange_face_is_not_turned_into_its_whole_opposite(model: ShapeModel) -> None:
    random = np.random.default_rng(0)
    apart = random.normal(0, 3, model.mean.shape).astype(np.float32)
    apart[[lm.RIGHT_MOUTH_CORNER, lm.LEFT_MOUTH_CORNER]] = 0
    given = shape_for(model.mean + apart, model.mean, model.mean)
    assert gap(given, model.mean - 0.25 * apart) < 0.4


def test_a_smile_that_blendshapes_do_not_see_is_no_shape(model: ShapeModel) -> None:
    smile = model.expression[[44, 45]].sum(axis=0)
    unseen = np.zeros(52, np.float32)
    plain, smiling = (
        model.neutral(model.mean + share * smile, unseen)
        for share in (np.float32(0), np.float32(1))
    )
    assert gap(plain, smiling) < 0.1 * gap(model.mean, model.mean + smile)


@pytest.mark.parametrize("name", ["001_smiling", "man"])
def test_a_shape_with_hanging_corners_of_the_mouth_makes_nobody_frown(
    model: ShapeModel, sights: dict[str, Sight], name: str
) -> None:
    blendshapes = Blendshapes(OnnxRuntimeBackend(weights.path("face_blendshapes.onnx")))
    sight = sights[name]
    own = neutral(model, sight)
    hanging = own - 1.2 * (model.expression[list(SMILE)].sum(axis=0))
    keeper = ExpressionKeeper(model, blendshapes)
    keeper.look(sight.points, sight.blendshapes, own, hanging)

    def wrong(shape: F32) -> float:
        given = blendshapes(reshaped(sight.points, own, shape))
        return float(np.abs(given - sight.blendshapes)[MOUTH_FROM:].sum())

    assert wrong(hanging + keeper.correction) < 0.5 * wrong(hanging)
    assert np.sqrt((keeper.correction**2).sum() / 478) <= MAX_CORRECTED + 1e-6


def test_a_shape_that_keeps_the_expression_is_not_corrected(
    model: ShapeModel, sights: dict[str, Sight]
) -> None:
    blendshapes = Blendshapes(OnnxRuntimeBackend(weights.path("face_blendshapes.onnx")))
    sight = sights["001_smiling"]
    own = neutral(model, sight)
    keeper = ExpressionKeeper(model, blendshapes)
    keeper.look(sight.points, blendshapes(sight.points), own, own)
    assert np.abs(keeper.correction).max() < 0.02
