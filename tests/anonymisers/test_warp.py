"""The mesh warp on real frames with the real mesh network and recogniser."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import U8, Identity, Mesh, Subject, Treatment
from testkit.staged import CALM, LAUGHING, clip_frames, fit, scene, turned


@pytest.fixture(scope="module")
def frames() -> dict[int, U8]:
    return clip_frames()


@pytest.fixture(scope="module")
def identity() -> Identity:
    return load_builtin()[0]


def run(image: U8, mesh: Mesh, identity: Identity, frames: int = 1) -> U8:
    """Anonymise the same picture for some frames and return the last result."""
    anonymiser = WarpAnonymiser()
    for index in range(frames):
        shot = scene(image, mesh, identity, index)
        safe = compose(shot, anonymiser.replace(shot))
    assert [done.treatment for done in safe.treated] == [Treatment.REPLACED]
    return whole_bgr(safe.picture)


@pytest.mark.parametrize("index", [CALM, LAUGHING])
def test_the_face_becomes_another_persons_in_the_same_pose(
    index: int,
    frames: dict[int, U8],
    mesher: MeshFitter,
    embedder: MobileFaceNetEmbedder,
    identity: Identity,
) -> None:
    image = frames[index]
    mesh = fit(mesher, image)
    result = run(image, mesh, identity)
    again = fit(mesher, result)
    moved = np.linalg.norm(again.points[:468, :2] - mesh.points[:468, :2], axis=1)
    assert moved.mean() < 0.06 * lm.inter_ocular_px(mesh.points)
    before, after = (
        embedder.embed(as_picture(shown), lm.five_points(fitted.points))
        for shown, fitted in ((image, mesh), (result, again))
    )
    assert float(before @ after) < 0.3
    assert float(identity.embedding @ after) > float(before @ after)
    outside = np.ones(image.shape[:2], bool)
    x0, y0, x1, y1 = lm.face_box_from_mesh(mesh.points).astype(int)
    outside[y0 - 4 : y1 + 4, x0 - 4 : x1 + 4] = False
    assert (result[outside] == image[outside]).all()


def test_nothing_of_the_open_mouth_or_the_eyes_is_the_sources(
    frames: dict[int, U8], mesher: MeshFitter, identity: Identity
) -> None:
    image = frames[LAUGHING]
    mesh = fit(mesher, image)
    painted = image.copy()
    for outline in (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
        hull = cv2.convexHull(mesh.points[list(outline), :2].astype(np.int32))
        cv2.fillConvexPoly(painted, hull, (255, 0, 255))
    result = run(painted, mesh, identity).astype(int)
    magenta = (result[:, :, 0] - result[:, :, 1] > 60) & (result[:, :, 2] - result[:, :, 1] > 60)
    assert not magenta.any()
    assert np.abs(result - run(image, mesh, identity)).mean() < 1.0


def test_an_open_mouth_is_not_skin(
    frames: dict[int, U8], mesher: MeshFitter, identity: Identity
) -> None:
    image = frames[LAUGHING]
    mesh = fit(mesher, image)
    result = run(image, mesh, identity)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(inside, [mesh.points[list(lm.INNER_LIPS), :2].astype(np.int32)], 1)
    level = cv2.cvtColor(result, cv2.COLOR_BGR2GRAY)[inside > 0]
    assert level.min() < 50


def test_a_flash_does_not_flash_the_face(
    frames: dict[int, U8], mesher: MeshFitter, identity: Identity
) -> None:
    image = frames[CALM]
    mesh = fit(mesher, image)
    flash = cv2.convertScaleAbs(image, alpha=1.6)
    anonymiser = WarpAnonymiser()
    levels = []
    for index, shown in enumerate((image, image, np.asarray(flash, np.uint8))):
        patch = anonymiser.replace(scene(shown, mesh, identity, index))[0]
        assert patch is not None
        levels.append(float(patch.image[patch.alpha > 0.99].mean()))
    assert levels[1] == pytest.approx(levels[0], abs=1.0)
    assert levels[2] < 1.15 * levels[1]


def test_a_head_turned_far_is_covered_and_comes_back_later_than_it_left(
    frames: dict[int, U8], mesher: MeshFitter, identity: Identity
) -> None:
    image = frames[CALM]
    mesh = fit(mesher, image)
    anonymiser = WarpAnonymiser()
    yaws, shown = [], []
    for index, degrees in enumerate((0, 20, 60, 0)):
        head = turned(mesh, degrees)
        yaws.append(abs(lm.head_pose(head.points)[0]))
        shown.append(anonymiser.replace(scene(image, head, identity, index))[0] is not None)
    assert yaws[1] < 38
    assert yaws[2] > 44
    assert shown == [True, True, False, True]
    for degrees in range(60, 0, -1):
        head = turned(mesh, degrees)
        back = anonymiser.replace(scene(image, head, identity, 100 - degrees))[0] is not None
        if degrees == 60:
            assert not back
        if back:
            assert abs(lm.head_pose(head.points)[0]) <= 38
            return
    pytest.fail("the face never came back")


def test_what_cannot_be_warped_is_handed_back(
    frames: dict[int, U8], mesher: MeshFitter, identity: Identity
) -> None:
    image = frames[CALM]
    mesh = fit(mesher, image)
    whole = scene(image, mesh, identity)
    subject = whole.subjects[0]
    tiny = replace(mesh, points=(mesh.points * np.float32(0.1)))
    broken = replace(mesh, points=np.full_like(mesh.points, np.nan))
    away = replace(mesh, points=mesh.points + np.array([5000, 0, 0], np.float32))
    for bad in (None, tiny, broken, away):
        track = replace(subject.track, face=replace(subject.track.face, mesh=bad))
        assert WarpAnonymiser().replace(replace(whole, subjects=(Subject(track, identity),))) == [
            None
        ]
    assert WarpAnonymiser().replace(replace(whole, subjects=(Subject(subject.track),))) == [None]
