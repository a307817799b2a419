"""What is in front of a face is shown only where colours agree with the network."""

from functools import cache

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.tracking.occlusion import GLASSES, HAIR, HAND, SIDE, SKIN, THING, OcclusionMemory
from streamanon.types import F32, OCCLUSION_CLASSES, U8
from testkit.staged import CALM, LAUGHING, frame, mesh_of

MAGENTA = (255, 0, 255)


@cache
def face(index: int) -> tuple[U8, F32]:
    """Return the crop of a frame and the mesh in it."""
    corners = lm.roi_from_mesh(mesh_of(index).points)
    crop = crop_square(as_picture(frame(index)), corners, SIDE)
    return crop, lm.in_square(mesh_of(index).points, corners, SIDE)


def hull(points: F32) -> U8:
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(cv2.convexHull(points[:468])).astype(np.int32), 1)
    return drawn


def claimed(kind: int, where: U8 | None = None) -> F32:
    """Return the answer of a network that is certain of one kind, in some place or everywhere."""
    where = np.ones((SIDE, SIDE), np.uint8) if where is None else where
    classes = np.zeros((len(OCCLUSION_CLASSES), SIDE, SIDE), np.float32)
    classes[kind], classes[SKIN] = where, 1 - where
    return classes


def shown(memory: OcclusionMemory, crop: U8, classes: F32, points: F32, time_s: float = 0) -> F32:
    found = memory.look(crop, classes, points, time_s)
    if found is None:
        return np.zeros((SIDE, SIDE), np.float32)
    return np.minimum(found.seen, np.maximum(found.things, found.thin))


def part_of(face_mask: U8) -> U8:
    """Return the lower half of a face and what is below it."""
    rows = np.arange(SIDE)[:, None] > np.flatnonzero(face_mask.any(axis=1))[-1] - SIDE / 3
    return np.asarray(rows & (np.arange(SIDE) > 0), np.uint8)


@pytest.mark.parametrize("index", [CALM, LAUGHING])
@pytest.mark.parametrize(("kind", "most"), [(HAND, 0), (THING, 0), (HAIR, 0.1), (GLASSES, 0.1)])
def test_a_network_that_takes_a_face_for_something_else_shows_hardly_any_of_it(
    kind: int, most: float, index: int
) -> None:
    crop, points = face(index)
    inside = hull(points)
    memory = OcclusionMemory()
    for place in (part_of(inside), inside):
        got = shown(memory, crop, claimed(kind, place), points)
        assert (got * inside).sum() <= most * inside.sum()


@pytest.mark.parametrize("kind", [HAIR, GLASSES, HAND, THING])
def test_paint_on_a_face_is_face(kind: int) -> None:
    crop, points = face(CALM)
    inside = hull(points)
    painted = np.where(cv2.dilate(inside, np.ones((5, 5)))[:, :, None] > 0, MAGENTA, crop)
    got = shown(OcclusionMemory(), painted.astype(np.uint8), claimed(kind), points)
    assert (got * inside).max() == 0


@pytest.mark.parametrize("kind", [HAIR, THING])
def test_what_has_another_colour_and_comes_from_outside_is_shown(kind: int) -> None:
    crop, points = face(CALM)
    bar = np.zeros((SIDE, SIDE), np.uint8)
    bar[:, 36:48] = part_of(hull(points))[:, :12]
    covered = np.where(bar[:, :, None] > 0, np.array((160, 90, 20), np.uint8), crop)
    got = shown(OcclusionMemory(), covered, claimed(kind, bar), points)
    inside = (np.asarray(cv2.erode(bar, np.ones((3, 3)))) > 0) & (hull(points) > 0)
    assert got[inside].mean() > 0.9
    assert got[(bar == 0) & (hull(points) > 0)].mean() < 0.05


def test_a_hand_of_the_faces_colour_is_shown_where_the_face_is_known_without_it() -> None:
    crop, points = face(CALM)
    hand = part_of(hull(points)) * np.uint8(1)
    hand[:, 52:] = 0
    covered = crop.copy()
    covered[hand > 0] = np.clip(np.median(crop[hull(points) > 0], axis=0) * 1.35, 0, 255)
    inside = (hand & hull(points)) > 0
    memory = OcclusionMemory()
    assert shown(memory, covered, claimed(HAND, hand), points)[inside].max() == 0
    memory = OcclusionMemory()
    for index in range(20):
        shown(memory, crop, claimed(SKIN), points, index / 25)
    assert shown(memory, covered, claimed(HAND, hand), points, 0.8)[inside].mean() > 0.9


def test_a_face_that_is_hidden_altogether_is_not_believed() -> None:
    crop, points = face(CALM)
    memory = OcclusionMemory()
    for index in range(20):
        shown(memory, crop, claimed(SKIN), points, index / 25)
    everything = np.full_like(crop, (160, 90, 20))
    assert shown(memory, everything, claimed(THING), points, 0.8).max() == 0
