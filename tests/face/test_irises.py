"""Irises are taken out of portraits and drawn where the source looks."""

import numpy as np
import pytest

from streamanon.face import irises
from streamanon.face import landmarks as lm
from streamanon.face.irises import Irises, without_irises
from streamanon.face.warp import FaceSpace
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, U8, Identity

EYES = ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE))


@pytest.fixture(scope="module")
def portrait() -> Identity:
    return next(one for one in load_builtin() if one.name == "lena")


def looking(points: F32, along: float) -> F32:
    """Put the irises of a face on the way from one corner of their eyes, 0, to the other, 1."""
    moved = points.copy()
    for lids, iris in EYES:
        first, second = points[lids[0]], points[lids[8]]
        middle = points[[*lids[1:8], *lids[9:]], 1].mean()
        to = first + along * (second - first)
        to[1] = middle
        moved[iris : iris + 5] += to - points[iris]
    return moved


def light(image: U8, points: F32) -> list[float]:
    """Return the brightness in the middle of each iris of a mesh."""
    places = [np.rint(points[iris, :2]).astype(int) for _, iris in EYES]
    return [float(image[y - 3 : y + 4, x - 3 : x + 4].mean()) for x, y in places]


@pytest.mark.parametrize("along", [0.3, 0.5, 0.7])
def test_irises_are_drawn_where_the_source_has_them_and_nowhere_else(
    portrait: Identity, along: float
) -> None:
    points = portrait.mesh.points
    source = looking(points, along)
    white = without_irises(portrait.portrait, points)
    drawn = white.copy()
    space = FaceSpace.around(source)
    irises.draw(drawn, Irises.of(portrait.portrait, points), space, space.to_frame, 0)
    shown, was = light(drawn, source), light(white, source)
    assert all(dark < 0.75 * bright for dark, bright in zip(shown, was, strict=True))
    moved = np.abs(drawn.astype(int) - white).max(axis=2) > 6
    x = np.nonzero(moved)[1]
    for lids, iris in EYES:
        width = float(np.hypot(*(points[lids[8], :2] - points[lids[0], :2])))
        near = np.abs(x - source[iris, 0]) < 0.6 * width
        own = Irises.of(portrait.portrait, points).along[lids is lm.LEFT_EYE] * width
        assert np.median(x[near]) == pytest.approx(float(source[iris, 0]), abs=0.12 * width)
        assert np.ptp(x[near]) < 3 * own


def test_a_portrait_without_irises_is_white_between_its_lids_only(portrait: Identity) -> None:
    points = portrait.mesh.points
    white = without_irises(portrait.portrait, points)
    before, after = (light(image, points) for image in (portrait.portrait, white))
    assert all(bright > 1.5 * dark for dark, bright in zip(before, after, strict=True))
    away = np.ones(white.shape[:2], bool)
    for lids, iris in EYES:
        reach = np.hypot(*(points[lids[8], :2] - points[lids[0], :2]))
        x, y = points[iris, :2].astype(int)
        side = int(reach)
        away[y - side : y + side, x - side : x + side] = False
    assert np.array_equal(white[away], portrait.portrait[away])


def test_nothing_is_drawn_on_shut_eyes(portrait: Identity) -> None:
    points = portrait.mesh.points.copy()
    for lids, _ in EYES:
        points[list(lids[1:8])] = points[list(lids[:8:-1])]
    image = np.full_like(portrait.portrait, 200)
    space = FaceSpace.around(points)
    irises.draw(image, Irises.of(portrait.portrait, points), space, space.to_frame, 0)
    assert (image == 200).all()


def test_an_eye_that_leaves_the_picture_is_drawn_as_far_as_it_is_inside(portrait: Identity) -> None:
    points = portrait.mesh.points.copy()
    points[:, 0] -= points[lm.RIGHT_IRIS_CENTRE, 0]
    image = np.full_like(portrait.portrait, 200)
    space = FaceSpace.around(points)
    irises.draw(image, Irises.of(portrait.portrait, portrait.mesh.points), space, space.to_frame, 1)
    assert image.min() < 150
