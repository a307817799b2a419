"""Recovery of originals: codes, geometry, pairs, and that a resumed run repeats another."""

import secrets
from pathlib import Path

import numpy as np
import pytest
import torch

from streamanon.face import maps
from streamanon.identities.portrait import read_image
from streamanon.types import U8
from testkit.paths import PHOTOS
from training.data.variation import MIRROR
from training.recovery.command import Batches, Trainer
from training.recovery.model import (
    CODE,
    GEOMETRY,
    SIDE_PX,
    Appearance,
    Codec,
    Geometry,
    from_bytes,
    scrambled,
    to_bytes,
)
from training.recovery.pairs import Pair, Pairs, pair_of_image
from training.recovery.texture import drawn


@pytest.fixture(scope="module")
def pair() -> Pair:
    """A photograph and what the product makes of it."""
    found = pair_of_image(read_image(PHOTOS / "london_001_neutral.webp"), "warp")
    assert found
    return found


@pytest.fixture(scope="module")
def pairs(pair: Pair) -> Pairs:
    """Pairs that differ in light and shape."""
    random = np.random.default_rng(0)
    made = []
    for number in range(200):
        light = random.uniform(0.6, 1.0)
        original, anonymised = (
            np.asarray(one * light, np.uint8) for one in (pair.original, pair.anonymised)
        )
        offsets = pair.offsets + random.normal(0, 0.1, pair.offsets.shape).astype(np.float32)
        made.append((f"person {number}", Pair(original, anonymised, pair.points, offsets)))
    return Pairs.of(made)


@pytest.fixture(scope="module")
def geometry(pairs: Pairs) -> Geometry:
    """How meshes of originals differ from those of what they became."""
    return Geometry.fit(pairs.offsets)


@pytest.fixture(scope="module")
def appearance(pairs: Pairs) -> Appearance:
    """What originals look like, given what they became."""
    return Appearance.fit(*textures(pairs))


def textures(pairs: Pairs) -> list[U8]:
    """Textures of originals and of what they became."""
    both = zip(*(pairs[row].textures for row in range(len(pairs))), strict=True)
    return [np.stack(several) for several in both]


def test_a_pair_shows_two_people_in_one_place(pair: Pair) -> None:
    assert pair.original.shape == pair.anonymised.shape == (SIDE_PX, SIDE_PX, 3)
    changed = np.abs(pair.original.astype(int) - pair.anonymised).max(2)
    assert changed[SIDE_PX // 2, SIDE_PX // 2] > 0
    assert np.median(changed[:4]) < 12 < np.median(changed[24:40, 24:40])  # hair hardly is
    assert pair.points[:, :2].min() > 0
    assert pair.points[:, :2].max() < SIDE_PX


def test_codes_are_bytes_that_only_the_right_key_gives_back() -> None:
    variables = np.random.default_rng(1).standard_normal((500, CODE)).astype(np.float32)
    code = to_bytes(variables)
    assert np.abs(from_bytes(code) - variables)[np.abs(variables) < 2].max() < 0.05
    assert np.array_equal(to_bytes(from_bytes(code)), code)
    counts = np.bincount(code.ravel(), minlength=256)
    assert counts.min() / counts.mean() > 0.8
    key = secrets.token_bytes(32)
    assert np.array_equal(scrambled(scrambled(code[0], key), key), code[0])
    wrong = scrambled(scrambled(code[0], key), secrets.token_bytes(32))
    assert (wrong != code[0]).mean() > 0.9


def test_geometry_brings_the_mesh_of_the_original_back(pairs: Pairs, geometry: Geometry) -> None:
    code = geometry.code(pairs.offsets)
    assert code.shape == (len(pairs), GEOMETRY)
    assert np.median(np.abs(code), axis=0) == pytest.approx(0.6745, abs=0.1)  # of a normal one
    left = geometry.mesh(code[0], pairs.points[0]) - pairs.points[0]
    none = geometry.mesh(np.zeros(GEOMETRY, np.float32), pairs.points[0]) - pairs.points[0]
    assert np.abs(left - none).max() > 0.1


def test_a_face_that_is_laid_out_and_drawn_again_is_the_same(pair: Pair) -> None:
    original, _ = pair.textures
    again = drawn(original, pair.mesh, pair.anonymised, pair.points)
    face = maps.hole(pair.mesh, SIDE_PX, -4) > 0
    away, before = (
        np.abs(one[face].astype(float) - pair.original[face]).mean()
        for one in (again, pair.anonymised)
    )
    assert away < before / 3
    assert np.abs(again[:4].astype(int) - pair.anonymised[:4]).mean() < before / 3


def test_a_mirrored_pair_has_the_same_face_in_a_mirror(pair: Pair) -> None:
    mirrored = pair.mirrored()
    assert np.array_equal(mirrored.original[:, ::-1], pair.original)
    turned = mirrored.mesh[:, :2] * [-1, 1] + [SIDE_PX - 1, 0]
    assert np.abs(turned[MIRROR] - pair.mesh[:, :2]).max() < 0.2


def test_codes_bring_the_linear_part_of_originals_back(
    pairs: Pairs, appearance: Appearance
) -> None:
    original, anonymised = textures(pairs)
    code = appearance.code(original, anonymised)
    found = appearance.texture(anonymised[0], code[0]).astype(float)
    away = np.abs(found - original[0]).mean()
    assert away < 0.2 * np.abs(original[0].astype(float) - anonymised[0]).mean()


def test_a_run_that_is_resumed_repeats_another(
    pairs: Pairs, geometry: Geometry, appearance: Appearance, tmp_path: Path
) -> None:
    whole, resumed = (Trainer(geometry, appearance, 100) for _ in range(2))
    batches = Batches(pairs, whole.codec, np.ones(len(pairs), np.bool_))
    whole.train(batches[0])
    torch.save(whole.state(), tmp_path / "state.pt")
    whole.train(batches[1])
    resumed.resume(torch.load(tmp_path / "state.pt", weights_only=True))
    resumed.train(batches[1])
    one, other = (trainer.codec.pack()["recovery"] for trainer in (whole, resumed))
    assert all(torch.equal(one[key], other[key]) for key in one)
    codec = Codec.unpack(whole.codec.pack())
    code = codec.code(pairs[0])
    made = codec.recover(pairs.anonymised[0], pairs.points[0], code)
    assert made.shape == (SIDE_PX, SIDE_PX, 3)
    assert made.std() > 0
