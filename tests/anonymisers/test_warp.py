"""The mesh warp on real frames with the real mesh network and recogniser."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import U8, Mesh, Subject, Treatment
from testkit.staged import CALM, LAUGHING, frame, mesh_of, scene, turned

IDENTITY = load_builtin()[0]


def run(image: U8, mesh: Mesh) -> U8:
    """Anonymise a picture."""
    shot = scene(image, mesh, IDENTITY)
    safe = compose(shot, WarpAnonymiser().replace(shot))
    assert [done.treatment for done in safe.treated] == [Treatment.REPLACED]
    return whole_bgr(safe.picture)


def test_nothing_of_the_open_mouth_or_the_eyes_is_the_sources() -> None:
    image, mesh = frame(LAUGHING), mesh_of(LAUGHING)
    painted = image.copy()
    for outline in (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
        hull = cv2.convexHull(mesh.points[list(outline), :2].astype(np.int32))
        cv2.fillConvexPoly(painted, hull, (255, 0, 255))
    result = run(painted, mesh).astype(int)
    magenta = (result[:, :, 0] - result[:, :, 1] > 60) & (result[:, :, 2] - result[:, :, 1] > 60)
    assert not magenta.any()
    assert np.abs(result - run(image, mesh)).mean() < 1.0


def test_an_open_mouth_is_not_skin() -> None:
    image, mesh = frame(LAUGHING), mesh_of(LAUGHING)
    result = run(image, mesh)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [mesh.points[list(lm.INNER_LIPS), :2].astype(np.int32)], 1)
    level = cv2.cvtColor(result, cv2.COLOR_BGR2GRAY)[inside > 0]
    assert level.min() < 50


def test_a_flash_does_not_flash_the_face() -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    flash = cv2.convertScaleAbs(image, alpha=1.6)
    anonymiser = WarpAnonymiser()
    levels = []
    for index, shown in enumerate((image, image, np.asarray(flash, np.uint8))):
        patch = anonymiser.replace(scene(shown, mesh, IDENTITY, index))[0]
        assert patch is not None
        levels.append(float(patch.image[patch.alpha > 0.99].mean()))
    assert levels[1] == pytest.approx(levels[0], abs=1.0)
    assert levels[2] < 1.15 * levels[1]


def test_a_head_turned_far_is_covered_and_comes_back_later_than_it_left() -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    anonymiser = WarpAnonymiser()
    yaws, shown = [], []
    for index, degrees in enumerate((0, 20, 60, 0)):
        head = turned(mesh, degrees)
        yaws.append(abs(lm.head_pose(head.points)[0]))
        shown.append(anonymiser.replace(scene(image, head, IDENTITY, index))[0] is not None)
    assert yaws[1] < 38
    assert yaws[2] > 44
    assert shown == [True, True, False, True]
    for degrees in range(60, 0, -1):
        head = turned(mesh, degrees)
        back = anonymiser.replace(scene(image, head, IDENTITY, 100 - degrees))[0] is not None
        if degrees == 60:
            assert not back
        if back:
            assert abs(lm.head_pose(head.points)[0]) <= 38
            return
    pytest.fail("the face never came back")


def test_what_cannot_be_warped_is_handed_back() -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    whole = scene(image, mesh, IDENTITY)
    subject = whole.subjects[0]
    tiny = replace(mesh, points=(mesh.points * np.float32(0.1)))
    broken = replace(mesh, points=np.full_like(mesh.points, np.nan))
    away = replace(mesh, points=mesh.points + np.array([5000, 0, 0], np.float32))
    for bad in (None, tiny, broken, away):
        track = replace(subject.track, face=replace(subject.track.face, mesh=bad))
        assert WarpAnonymiser().replace(replace(whole, subjects=(Subject(track, IDENTITY),))) == [
            None
        ]
    assert WarpAnonymiser().replace(replace(whole, subjects=(Subject(subject.track),))) == [None]
