"""The mesh warp on real frames with the real mesh network and recogniser."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import U8, Mesh, Treatment
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


@pytest.mark.parametrize(("times", "least", "most"), [(1.08, 0.0, 0.3), (1.6, 0.7, 1.2)])
def test_light_follows_slowly_and_jumps_at_once(times: float, least: float, most: float) -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    brighter = np.asarray(cv2.convertScaleAbs(image, alpha=times), np.uint8)
    anonymiser = WarpAnonymiser()
    levels = []
    for index, shown in enumerate((image, image, image, brighter)):
        patch = anonymiser.replace(scene(shown, mesh, IDENTITY, index))[0]
        assert patch is not None
        levels.append(float(patch.image[patch.alpha > 0.99].mean()))
    assert levels[2] == pytest.approx(levels[0], abs=1.0)
    shot = scene(brighter, mesh, IDENTITY)
    (fresh,) = WarpAnonymiser().replace(shot)
    assert fresh is not None
    wanted = float(fresh.image[fresh.alpha > 0.99].mean()) - levels[2]
    assert wanted > 5
    assert least <= (levels[3] - levels[2]) / wanted < most


def test_a_head_that_turns_away_fades_into_its_cover() -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    anonymiser = Factory(Config(method="warp")).anonymiser()
    gaps, replaced = [], []
    for index, degrees in enumerate(range(46, 62)):
        head = turned(mesh, degrees)
        shot = scene(image, head, IDENTITY, index)
        safe = compose(shot, anonymiser.replace(shot))
        x0, y0, x1, y1 = lm.face_box_from_mesh(head.points).astype(int)
        cover = whole_bgr(compose(shot, [None]).picture)
        gaps.append(float(cv2.absdiff(whole_bgr(safe.picture), cover)[y0:y1, x0:x1].mean()))
        replaced.append(safe.treated[0].treatment is Treatment.REPLACED)
    assert replaced == sorted(replaced, reverse=True)
    end = replaced.index(False)
    assert gaps[end] == 0
    assert gaps[end - 1] < 0.6 * gaps[0]
    assert max(one - two for one, two in pairwise(gaps[:end])) < 0.25 * gaps[0]
