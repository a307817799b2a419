"""What somebody shows between their lips."""

import cv2
import numpy as np
import pytest

from streamanon.face import mouth
from streamanon.face.mouth_inside import MOST_COLOURED, less_coloured, mouth_inside
from streamanon.face.warp import FaceSpace
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.types import U8, MouthInside

PEOPLE = {one.name: one for one in load_builtin()}


def inside(name: str, image: U8 | None = None) -> MouthInside | None:
    one = PEOPLE[name]
    image = one.portrait if image is None else image
    return mouth_inside(as_picture(np.ascontiguousarray(image)), one.mesh.points[:, :2])


def grey(image: U8) -> U8:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def dim(image: U8) -> U8:
    return np.asarray(image * 0.35, np.uint8)


@pytest.mark.parametrize("seen_as", [np.asarray, grey, dim])
@pytest.mark.parametrize("name", ["dana", "zoe", "greta", "efua"])
def test_teeth_are_seen_in_any_light_and_without_colour(name: str, seen_as: object) -> None:
    assert callable(seen_as)
    found = inside(name, seen_as(PEOPLE[name].portrait))
    assert found is not None
    assert found.upper > 0.6 * mouth.opening(PEOPLE[name].mesh.points[:, :2])


@pytest.mark.parametrize("seen_as", [np.asarray, dim])
@pytest.mark.parametrize("name", ["amara", "dion"])
def test_parted_lips_may_show_none(name: str, seen_as: object) -> None:
    assert callable(seen_as)
    found = inside(name, seen_as(PEOPLE[name].portrait))
    assert found is not None
    assert found.upper == found.lower == 0
    assert found.tongue < 0.5, "it is dark between them"


def test_nothing_is_measured_of_shut_lips_and_small_mouths() -> None:
    assert inside("jin") is None
    one, scale = PEOPLE["dana"], 0.05
    small = cv2.resize(one.portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    points = one.mesh.points[:, :2] * np.float32(scale)
    assert mouth_inside(as_picture(np.asarray(small, np.uint8)), points) is None


def test_a_mouth_at_the_edge_of_the_picture_is_measured_by_what_is_left_of_it() -> None:
    one = PEOPLE["dana"]
    points = one.mesh.points[:, :2].copy()
    middle = int(points[13, 0])
    cut = as_picture(np.ascontiguousarray(one.portrait[:, middle:]))
    points[:, 0] -= middle
    assert mouth_inside(cut, points) is not None
    points[:, 0] -= one.portrait.shape[1]
    assert mouth_inside(cut, points) is None


@pytest.mark.parametrize(
    ("shown", "rows"),
    [
        (MouthInside(0.2, 0.09, 0.0, mouth.EVEN_LIGHT), (True, True)),
        (MouthInside(0.2, 0.0, 0.0, mouth.EVEN_LIGHT), (True, False)),
        (MouthInside(0.0, 0.09, 0.0, mouth.EVEN_LIGHT), (False, True)),
        (MouthInside(0.0, 0.0, 0.0, mouth.EVEN_LIGHT), (False, False)),
    ],
)
def test_a_new_mouth_shows_the_rows_that_the_person_shows(
    shown: MouthInside, rows: tuple[bool, bool]
) -> None:
    column = drawn_column(shown)
    half = len(column) // 2
    assert (column[2:half].max() > 100, column[half:-2].max() > 70) == rows


def test_a_tongue_is_shown_instead_of_the_dark() -> None:
    dark, tongue = (
        drawn_column(MouthInside(0.0, 0.0, share, mouth.EVEN_LIGHT)) for share in (0.0, 1.0)
    )
    low = slice(len(dark) * 6 // 10, len(dark) * 9 // 10)
    assert tongue[low].mean() > dark[low].mean() + 20


def test_teeth_in_the_shade_are_dimmer() -> None:
    lit, shaded = (
        drawn_column(MouthInside(0.2, 0.0, 0.0, light)).max() for light in (mouth.EVEN_LIGHT, 0.8)
    )
    assert 0.6 * lit < shaded < 0.75 * lit


@pytest.mark.parametrize("paint", [(0.02, 1.0, 0.02), (1.0, 0.02, 1.0), (0.02, 0.02, 1.0)])
def test_no_paint_is_taken_for_the_colour_of_teeth(paint: tuple[float, float, float]) -> None:
    painted = inside("zoe", np.asarray(PEOPLE["zoe"].portrait * np.array(paint), np.uint8))
    if painted is not None and painted.teeth_bgr is not None:
        grey = painted.teeth_bgr.mean()
        assert np.abs(painted.teeth_bgr - grey).max() <= (MOST_COLOURED + 0.01) * grey
    vivid = less_coloured(np.array(paint) * 250)
    assert np.abs(vivid - vivid.mean()).max() == pytest.approx(
        MOST_COLOURED * vivid.mean(), rel=0.01
    )
    pale = np.array([150.0, 200.0, 230.0])
    np.testing.assert_allclose(less_coloured(pale), pale, rtol=1e-5)


@pytest.mark.parametrize("light", [(1.0, 1.0, 1.0), (0.3, 0.6, 0.95), (0.9, 0.6, 0.5)])
def test_teeth_have_the_colour_of_those_of_the_person(light: tuple[float, float, float]) -> None:
    lit = PEOPLE["zoe"].portrait * np.array(light)
    shown = inside("zoe", np.asarray(lit, np.uint8))
    assert shown is not None
    assert shown.teeth_bgr is not None
    drawn = drawn_mouth(shown)
    row = drawn[len(drawn) // 20 : len(drawn) // 4]
    new = np.median(row[row.sum(axis=1) > np.median(row.sum(axis=1))], axis=0)
    assert np.abs(new / new.mean() - shown.teeth_bgr / shown.teeth_bgr.mean()).max() < 0.12
    assert 0.8 < new.mean() / shown.teeth_bgr.mean() < 1.2


def test_teeth_in_a_picture_without_colour_have_none() -> None:
    shown = inside("zoe", grey(PEOPLE["zoe"].portrait))
    assert shown is not None
    assert np.ptp(drawn_mouth(shown), axis=1).max() <= 2


def drawn_column(shown: MouthInside) -> U8:
    """Return green in the middle of a mouth drawn wide open, from lip to lip."""
    return drawn_mouth(shown)[:, 1]


def drawn_mouth(shown: MouthInside) -> U8:
    """Return (n, 3) colours in the middle of a mouth drawn wide open, from lip to lip."""
    points = PEOPLE["dana"].mesh.points.copy()
    width = float(np.hypot(*(points[78, :2] - points[308, :2])))
    lower = [95, 88, 178, 87, 14, 317, 402, 318, 324]
    points[lower, 1] += 0.3 * width * (1 - np.linspace(-1, 1, len(lower)) ** 2)
    where = mouth.placement(FaceSpace.around(points), shown)
    assert where is not None
    image = np.full((*where.alpha.shape, 3), 150, np.uint8)
    offset = np.array([[1, 0, -where.corner[0]], [0, 1, -where.corner[1]]], np.float32)
    teeth = mouth.texture(PEOPLE["dana"].portrait, PEOPLE["dana"].mesh.points[:, :2])
    mouth.draw(image, where, offset, teeth, inside=shown)
    middle = image.shape[1] // 2
    return np.asarray(image[where.alpha[:, middle] > 0.9, middle])
