"""What is in front of a face is shown only where the face itself agrees with the network."""

from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.tracking.occlusion import (
    HAIR,
    HAIR_ENDS_PX,
    HAND,
    SIDE,
    SKIN,
    THING,
    OcclusionMemory,
    filled,
)
from streamanon.types import F32, OCCLUSION_CLASSES, U8, Mesh
from testkit.staged import CALM, LAUGHING, frame, mesh_of

PLACE = np.array([(0, 0), (SIDE, 0), (0, SIDE)], np.float32)
BLUE = np.array((160, 90, 20), np.uint8)


def cut(image: U8, mesh: Mesh) -> tuple[U8, F32]:
    """Return the crop of a face and its mesh there."""
    corners = lm.roi_from_mesh(mesh.points)
    return crop_square(as_picture(image), corners, SIDE), lm.in_square(mesh.points, corners, SIDE)


@cache
def face(index: int) -> tuple[U8, F32]:
    return cut(frame(index), mesh_of(index))


@cache
def somebody_else() -> tuple[U8, F32]:
    identity = load_builtin()[0]
    return cut(identity.portrait, identity.mesh)


def claimed(kind: int, where: U8) -> F32:
    """Return the answer of a network that is certain of one kind in some place."""
    classes = np.zeros((len(OCCLUSION_CLASSES), SIDE, SIDE), np.float32)
    classes[kind], classes[SKIN] = where, 1 - where
    return classes


def part_of(hull: U8) -> U8:
    """Return the lower part of a face, and what is below it."""
    rows = np.arange(SIDE)[:, None] > np.flatnonzero(hull.any(axis=1))[-1] - SIDE / 4
    return np.asarray(rows & (np.arange(SIDE) > 0), np.uint8)


class Watched:
    """A face over time; what is shown of each frame, 25 a second."""

    def __init__(self) -> None:
        self.memory, self.time_s = OcclusionMemory(), 0.0

    def shown(
        self, crop: U8, classes: F32, points: F32, after_s: float = 0.04, place: F32 = PLACE
    ) -> F32:
        self.time_s += after_s
        found = self.memory.look(crop, classes, points, place, self.time_s)
        if found is None:
            return np.zeros((SIDE, SIDE), np.float32)
        confirmed = np.maximum(found.things * found.strength, found.hair)
        return np.asarray(np.minimum(found.seen, confirmed), np.float32)

    def learn(self, index: int = CALM) -> None:
        crop, points = face(index)
        for _ in range(20):
            assert not self.shown(crop, claimed(SKIN, np.ones_like(crop[..., 0])), points).any()


def behind(colour: U8, where: U8) -> U8:
    return np.where(where[:, :, None] > 0, colour, face(CALM)[0]).astype(np.uint8)


def bar() -> U8:
    """Something upright that reaches over the mouth from below."""
    where = np.zeros((SIDE, SIDE), np.uint8)
    where[:, 50:76] = part_of(filled(face(CALM)[1][:468]))[:, :26]
    return where


@pytest.mark.parametrize("kind", [HAND, THING])
def test_what_changes_a_face_and_comes_from_outside_is_shown_after_some_frames(kind: int) -> None:
    points, where = face(CALM)[1], bar()
    watched = Watched()
    watched.learn()
    covered, classes = behind(BLUE, where), claimed(kind, where)
    got = [watched.shown(covered, classes, points) for _ in range(10)]
    inside = cv2.erode(where, np.ones((3, 3))) > 0
    assert not got[0].any()
    assert got[-1][inside].mean() > 0.9
    assert got[-1][(where == 0) & (filled(points[:468]) > 0)].mean() < 0.05


@pytest.mark.parametrize(("frames", "at_once"), [(4, True), (14, False)])
def test_what_was_shown_lately_comes_back_at_once(frames: int, at_once: bool) -> None:  # noqa: FBT001
    points, where = face(CALM)[1], bar()
    watched = Watched()
    watched.learn()
    covered, bare = behind(BLUE, where), face(CALM)[0]
    for _ in range(10):
        watched.shown(covered, claimed(HAND, where), points)
    for _ in range(frames):
        got = watched.shown(bare, claimed(SKIN, np.ones_like(where)), points)
    assert not got.any()
    back = [watched.shown(covered, claimed(HAND, where), points) for _ in range(2)]
    inside = cv2.erode(where, np.ones((3, 3))) > 0
    assert (back[1][inside].mean() > 0.9) == at_once


def test_a_shadow_beside_a_hand_is_face() -> None:
    points, where = face(CALM)[1], bar()
    shadow = np.zeros_like(where)
    top = int(np.flatnonzero(where.any(axis=1))[0])
    shadow[top - 12 : top, 50:76] = 1
    covered = behind(BLUE, where)
    covered[shadow > 0] = (12, 14, 20)
    watched = Watched()
    watched.learn()
    got = [watched.shown(covered, claimed(HAND, where | shadow), points) for _ in range(10)]
    assert got[-1][cv2.erode(where, np.ones((3, 3))) > 0].mean() > 0.9
    assert got[-1][cv2.erode(shadow, np.ones((5, 5))) > 0].max() < 0.1


@pytest.mark.parametrize("kind", [HAIR, HAND, THING])
@pytest.mark.parametrize("index", [CALM, LAUGHING])
def test_a_network_that_is_wrong_shows_nothing_of_a_face_that_looks_as_usual(
    kind: int, index: int
) -> None:
    crop, points = face(index)
    hull = filled(points[:468])
    watched = Watched()
    watched.learn(index)
    for where in (part_of(hull), np.ones_like(hull)):
        for _ in range(10):
            got = watched.shown(crop, claimed(kind, where), points)
            assert got[hull > 0].mean() < 0.01


@pytest.mark.parametrize("doubt", ["never seen", "frames lost", "moved", "somebody else"])
def test_nothing_is_shown_of_a_face_that_may_be_another(doubt: str) -> None:
    (crop, points), where = face(CALM), bar()
    if doubt == "somebody else":
        crop, points = somebody_else()
    watched = Watched()
    if doubt != "never seen":
        watched.learn()
    covered = np.where(where[:, :, None] > 0, BLUE, crop).astype(np.uint8)
    place = PLACE + np.float32(30 if doubt == "moved" else 0)
    after_s = 0.3 if doubt == "frames lost" else 0.04
    for _ in range(15):
        got = watched.shown(covered, claimed(HAND, where), points, after_s, place)
        after_s = 0.04
        assert got.max() == 0


def test_a_strange_look_is_forgiven_once_and_a_stranger_never() -> None:
    points, where = face(CALM)[1], bar()
    inside = cv2.erode(where, np.ones((3, 3))) > 0
    covered, classes = behind(BLUE, where), claimed(HAND, where)
    at = np.rint(points[:468]).astype(int)
    rows = np.sort(at[where[at[:, 1], at[:, 0]] == 0, 1])
    for share, forgiven in ((0.13, (True, False)), (0.2, (False, False))):
        strange = covered.copy()
        above = np.arange(SIDE)[:, None] <= rows[int(share * len(rows))] - 2
        strange[above & (where == 0)] //= 4
        watched = Watched()
        watched.learn()
        for _ in range(10):
            watched.shown(covered, classes, points)
        got = [watched.shown(strange, classes, points)[inside].mean() > 0.5 for _ in range(2)]
        assert tuple(got) == forgiven


def test_paint_that_appears_on_a_face_is_face() -> None:
    points = face(CALM)[1]
    hull = filled(points[:468])
    watched = Watched()
    watched.learn()
    painted = behind(BLUE, np.asarray(cv2.dilate(hull, np.ones((5, 5))), np.uint8))
    for where in (part_of(hull), np.ones_like(hull)):
        for _ in range(10):
            assert watched.shown(painted, claimed(HAND, where), points).max() == 0


@pytest.mark.parametrize("alike", [True, False])
def test_hair_over_a_forehead_has_the_colour_of_the_hair_around(alike: bool) -> None:  # noqa: FBT001
    points = face(CALM)[1]
    hull = filled(points[:468])
    row = int(points[lm.FOREHEAD, 1])
    where = np.zeros((SIDE, SIDE), np.uint8)
    where[row - 8 : row + 11, 52:76] = 1
    crop = behind(np.array((30, 35, 40), np.uint8), where)
    if not alike:
        crop[(where > 0) & (hull > 0)] = BLUE
    got = Watched().shown(crop, claimed(HAIR, where), points)
    inside = (cv2.erode(where, np.ones((3, 3))) > 0) & (hull > 0)
    assert (got[inside].mean() > 0.9) if alike else (got[hull > 0].mean() < 0.02)


def test_hair_beside_a_face_ends_softly_above_the_nostrils() -> None:
    points = face(CALM)[1]
    hull = filled(points[:468])
    left, right = np.flatnonzero(hull.any(axis=0))[[0, -1]]
    where = np.zeros((SIDE, SIDE), np.uint8)
    where[:, left - 8 : left + (right - left) // 6] = 1
    crop = behind(np.array((30, 35, 40), np.uint8), where)
    got = Watched().shown(crop, claimed(HAIR, where), points)
    inside = (cv2.erode(where, np.ones((3, 3))) > 0) & (cv2.erode(hull, np.ones((5, 5))) > 0)
    nostrils = int(points[list(lm.NOSE), 1].max())
    by_row = [got[row][inside[row]].mean() for row in range(nostrils - HAIR_ENDS_PX, nostrils)]
    assert by_row[0] > 0.9
    assert by_row[-1] < 0.1
    assert max(above - below for above, below in pairwise(by_row)) < 0.1


def test_a_face_is_looked_at_seldom_where_nothing_is_confirmed_for_long() -> None:
    (crop, points), where = face(CALM), bar()
    watched = Watched()
    watched.learn()
    for _ in range(5):
        assert not watched.shown(crop, claimed(HAND, where), points).any()
    assert watched.memory.is_due(watched.time_s + 0.04)
    for _ in range(20):
        assert not watched.shown(crop, claimed(HAND, where), points).any()
    assert not watched.memory.is_due(watched.time_s + 0.04)
    assert watched.memory.is_due(watched.time_s + 0.08)
    for _ in range(5):
        watched.shown(behind(BLUE, where), claimed(HAND, where), points, after_s=0.08)
    assert watched.memory.is_due(watched.time_s + 0.04)


def test_a_thing_is_drawn_in_plain_colours_where_the_network_alone_sees_it() -> None:
    points, where = face(CALM)[1], bar()
    found = OcclusionMemory().look(behind(BLUE, where), claimed(THING, where), points, PLACE, 0.0)
    assert found is not None
    over = found.plain > 0.5
    assert over[cv2.erode(where, np.ones((3, 3))) > 0].all()
    assert not over[cv2.dilate(where, np.ones((5, 5))) == 0].any()
    assert not found.beside[filled(points[:468]) > 0].any()
    assert not found.things.any()


@pytest.mark.parametrize("doubt", ["hand", "colour of the face", "inside the face"])
def test_what_may_be_face_is_drawn_in_no_plain_colours_but_tells_nothing_of_light(
    doubt: str,
) -> None:
    (crop, points), where = face(CALM), bar()
    if doubt == "inside the face":
        where = np.zeros_like(where)
        where[70:90, 50:70] = 1
    kind = HAND if doubt == "hand" else THING
    covered = crop if doubt == "colour of the face" else behind(BLUE, where)
    memory = OcclusionMemory()
    assert memory.look(covered, claimed(kind, where), points, PLACE, 0.0) is None
    assert memory.at_points is not None
    assert memory.at_points.max() == 1
