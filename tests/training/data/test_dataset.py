"""From shards to samples."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.network_input import CROP, EYES_DOWN, AlignedFace
from streamanon.types import U8
from training.data import variation
from training.data.dataset import PairDataset, collate, kept_for_validation
from training.data.loader import batches
from training.data.pairs import Kind
from training.data.shards import Faces

MIDDLE = (slice(36, 96), slice(40, 88))


def of_kind(faces: Faces, kind: Kind) -> PairDataset:
    mix = tuple(1.0 if kind == each else 0.0 for each in Kind)
    return PairDataset(faces, mix=(mix[0], mix[1], mix[2]), seed=3)


def same(a: dict[str, NDArray[Any]], b: dict[str, NDArray[Any]]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def test_a_sample_is_the_same_in_every_process(faces: Faces) -> None:
    one, other = PairDataset(faces, seed=5), PairDataset(faces, seed=5)
    other[3]
    assert same(one[11], other[11])
    assert not same(one[11], one[12])
    assert not same(one[11], PairDataset(faces, seed=6)[11])


def test_the_truth_is_known_of_the_same_person_only(faces: Faces) -> None:
    for kind in Kind:
        assert bool(of_kind(faces, kind)[0]["same_person"]) == (kind != Kind.CROSS)


@pytest.mark.parametrize("kind", [Kind.SELF, Kind.SAME])
def test_a_condition_of_the_same_person_lands_on_its_own_features(faces: Faces, kind: Kind) -> None:
    """The warp brings condition and source into register, although the light differs."""
    pairs, better = of_kind(faces, kind), 0
    for number in range(24):
        sample = pairs[number]
        target, warped, condition = (
            sample[name][MIDDLE].mean(axis=2).ravel() for name in ("target", "warped", "condition")
        )
        alike = np.corrcoef(target, warped)[0, 1]
        better += alike > np.corrcoef(target, condition)[0, 1]
        assert alike > 0.3
    assert better >= 16


def test_a_photograph_is_no_condition_of_itself_unchanged(faces: Faces) -> None:
    pairs = of_kind(faces, Kind.SELF)
    for number in range(6):
        sample = pairs[number]
        moved = np.abs(sample["points"] - sample["condition_points"])
        assert moved.mean() > 0.5
        difference = np.abs(sample["target"].astype(float) - sample["warped"])[MIDDLE]
        assert difference.mean() > 2


def test_sources_are_seen_in_lights_that_photographs_of_faces_rarely_have(faces: Faces) -> None:
    colours, brightness = [], []
    pairs = PairDataset(faces, seed=4)
    for sample in (pairs[number] for number in range(80)):
        target, stored = sample["target"], faces.face(int(sample["source_row"])).image
        before, after = (
            cv2.cvtColor(image, cv2.COLOR_BGR2HSV).reshape(-1, 3).mean(axis=0) + 1
            for image in (stored, target)
        )
        colours.append(after[1] / before[1])
        brightness.append(after[2] / before[2])
    assert np.mean(np.array(colours) < 0.75) > 0.05
    assert np.mean(np.array(brightness) < 0.75) > 0.05


@pytest.fixture
def face(faces: Faces) -> AlignedFace:
    return faces.face(0)


def test_the_mirror_swaps_left_and_right(face: AlignedFace) -> None:
    twin = variation.mirrored(face)
    assert np.array_equal(variation.MIRROR[variation.MIRROR], np.arange(478))
    assert variation.MIRROR[lm.RIGHT_EYE_OUTER] == lm.LEFT_EYE_OUTER
    assert np.allclose(twin.points[lm.RIGHT_IRIS_CENTRE, 0], 127 - face.points[473, 0])
    five = lm.five_points(twin.points)
    assert five[0, 0] < five[1, 0]
    assert np.array_equal(variation.mirrored(twin).image, face.image)
    assert np.array_equal(variation.mirrored(twin).points, face.points)


def test_a_bent_face_keeps_picture_and_mesh_together(face: AlignedFace) -> None:
    random = np.random.default_rng(1)
    for _ in range(5):
        changed = variation.bent(face, random)
        five = lm.five_points(changed.points)
        assert five[:2, 1].mean() == pytest.approx(EYES_DOWN, abs=0.05)
        assert np.abs(changed.points - face.points)[:, :2].mean() > 0.5
        for point in (lm.RIGHT_IRIS_CENTRE, lm.LEFT_IRIS_CENTRE, lm.NOSE_TIP, lm.CHIN):
            before, after = (
                each.image[
                    round(float(each.points[point, 1])), round(float(each.points[point, 0]))
                ].astype(float)
                for each in (face, changed)
            )
            assert np.abs(before - after).mean() < 40


def test_light_focus_and_wear_change_a_picture_a_little(face: AlignedFace) -> None:
    random = np.random.default_rng(2)
    changes: list[Callable[[U8], U8]] = [
        lambda image: variation.relit(image, random, 1.0),
        lambda image: variation.refocused(image, random),
        lambda image: variation.worn(image, random),
    ]
    for change in changes:
        for _ in range(10):
            image = change(face.image)
            assert image.shape == (CROP, CROP, 3)
            assert image.dtype == np.uint8
            assert 0.2 < np.abs(image.astype(float) - face.image).mean() < 110


def test_validation_keeps_people_whole(faces: Faces) -> None:
    shares = [kept_for_validation(faces, share) for share in (0.0, 0.5, 1.0)]
    assert not shares[0].any()
    assert shares[2].all()
    for person in set(faces.person.tolist()):
        assert len(set(shares[1][faces.person == person].tolist())) == 1


def test_batches_hold_the_samples_in_order_from_any_step(faces: Faces) -> None:
    pairs = PairDataset(faces, seed=9)
    first = list(itertools.islice(batches(pairs, 3, workers=0), 3))
    later = next(batches(pairs, 3, first_step=2, workers=1))
    wanted = collate([pairs[number] for number in (6, 7, 8)])
    for batch in (first[2], later):
        assert same({name: tensor.numpy() for name, tensor in batch.items()}, wanted)


def test_processes_share_a_step(faces: Faces) -> None:
    pairs = PairDataset(faces, seed=9)
    parts = [next(batches(pairs, 4, rank=rank, world=2, workers=0)) for rank in range(2)]
    rows = [part["source_row"].tolist() for part in parts]
    whole = next(batches(pairs, 4, workers=0))["source_row"].tolist()
    assert [row for each in zip(*rows, strict=True) for row in each] == whole


def test_a_turned_condition_shows_the_cheek_the_source_shows(faces: Faces) -> None:
    turned = dataclasses.replace(faces, pose=faces.pose.copy())
    turned.pose[:, 0] = np.where(np.arange(len(faces)) % 2, 30, -30)
    facing = turned.pose[:, 0] > 0
    pairs = of_kind(turned, Kind.SAME)
    for number in range(8):
        sample = pairs[number]
        flipped = []
        for row, points in (("source_row", "points"), ("condition_row", "condition_points")):
            original = faces.face(int(sample[row])).nodes
            flipped.append(not np.allclose(original, sample[points], atol=0.1))
        agree = facing[sample["source_row"]] == facing[sample["condition_row"]]
        assert (flipped[0] == flipped[1]) == agree
