"""What lies around a face meets the new outline, and shows nothing of the old face."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES
from streamanon.face.surroundings import Surroundings, fit
from streamanon.imaging.picture import as_picture
from testkit.networks import mesh_fitter
from testkit.staged import CALM, LAUGHING, clip_frames, turned_points
from testkit.staged import fit as fit_mesh

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.types import F32, U8

MAGENTA = (255, 0, 255)


@cache
def calm() -> tuple[U8, F32]:
    image = clip_frames((CALM, LAUGHING))[CALM]
    return image, fit_mesh(mesh_fitter(), image).points


def silhouette(points: F32, shape: tuple[int, ...], grown_px: int = 0) -> U8:
    drawn = np.zeros(shape[:2], np.uint8)
    hull = cv2.convexHull(points[:468, :2].astype(np.float32))
    cv2.fillConvexPoly(drawn, np.rint(np.asarray(hull) * 16).astype(np.int32), 255, cv2.LINE_8, 4)
    return np.asarray(cv2.dilate(drawn, np.ones((2 * grown_px + 1,) * 2, np.uint8)), np.uint8)


def scaled(points: F32, across: float, down: float) -> F32:
    middle = points[:468].mean(axis=0)
    return np.asarray(
        (points - middle) * np.array([across, down, 1], np.float32) + middle, np.float32
    )


def shifted(points: F32) -> F32:
    return np.asarray(points + np.array([9, -6, 0], np.float32), np.float32)


def jaw(points: F32) -> F32:
    wide = points.copy()
    low = np.clip((points[:, 1] - points[lm.NOSE_TIP, 1]) / 60, 0, 1)
    wide[:, 0] += 0.15 * low * (points[:, 0] - points[lm.CHIN, 0])
    return wide


def plain(pixels: U8) -> bool:
    """Tell whether pixels are the background's; filling rounds."""
    return bool((np.abs(pixels.astype(int) - 60) <= 2).all())


SHAPES: dict[str, Callable[[F32], F32]] = {
    "narrower": lambda points: scaled(points, 0.88, 1.0),
    "wider": lambda points: scaled(points, 1.12, 1.0),
    "smaller": lambda points: scaled(points, 0.85, 0.85),
    "shorter": lambda points: scaled(points, 1.05, 0.88),
    "elsewhere": shifted,
    "another jaw": jaw,
}


def over(image: U8, around: Surroundings, shown: U8) -> U8:
    x0, y0, x1, y1 = around.box
    result = image.copy()
    result[y0:y1, x0:x1] = np.where(around.moved[:, :, None] > 0, shown, image[y0:y1, x0:x1])
    return result


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_of_the_old_face_shows_beside_the_new_one(name: str) -> None:
    image, points = calm()
    new = SHAPES[name](points)
    painted = np.full_like(image, 60)
    painted[silhouette(points, image.shape) > 0] = MAGENTA
    around = fit(as_picture(painted), points, new, [], 1.0)
    assert around is not None
    shown = over(painted, around, around.shown)
    beside = silhouette(new, image.shape) == 0
    assert plain(shown[beside])


@pytest.mark.parametrize("name", SHAPES)
def test_the_middle_of_the_old_face_is_nowhere(name: str) -> None:
    image, points = calm()
    new = SHAPES[name](points)
    painted = np.full_like(image, 60)
    middle = points[:468].mean(axis=0)
    painted[silhouette((points - middle) * np.float32(0.6) + middle, image.shape) > 0] = MAGENTA
    around = fit(as_picture(painted), points, new, [], 1.0)
    assert around is not None
    assert plain(over(painted, around, around.shown))
    assert (over(painted, around, around.fitted)[:, :, 0] == 255).any()


def test_the_new_outline_is_met_by_what_was_at_the_old_one() -> None:
    image, points = calm()
    new = scaled(points, 0.9, 1.0)
    marked = np.full_like(image, 60)
    marked[silhouette(points, image.shape, 6) > 0] = 200
    around = fit(as_picture(marked), points, new, [], 1.0)
    assert around is not None
    shown = over(marked, around, around.shown)
    ring = (silhouette(new, image.shape, 2) > 0) & (silhouette(new, image.shape, 1) == 0)
    assert (shown[ring] > 150).mean() > 0.97
    far = silhouette(points, image.shape, 14) == 0
    assert (shown[far] == 60).all()


def test_no_line_is_drawn_where_the_old_face_is_a_little_larger() -> None:
    """A face whose skin goes on beyond its mesh, before a dark background."""
    image, points = calm()
    bright = np.full_like(image, 20)
    bright[silhouette(points, image.shape, grown_px=14) > 0] = (150, 170, 210)
    new = scaled(points, 0.985, 0.985)
    around = fit(as_picture(bright), points, new, [], 0.0)
    assert around is not None
    shown = over(bright, around, around.shown)
    rim = silhouette(points, image.shape, grown_px=3) > silhouette(new, image.shape)
    assert np.abs(shown[rim].astype(int) - (150, 170, 210)).max() < 25


def test_far_from_the_face_nothing_moves() -> None:
    image, points = calm()
    around = fit(as_picture(image), points, scaled(points, 0.9, 0.95), [], 1.0)
    assert around is not None
    shown = over(image, around, around.shown)
    side = float(np.ptp(points[:468, :2], axis=0).max())
    far = silhouette(points, image.shape, round(0.5 * side)) == 0
    assert far.any()
    assert (shown[far] == image[far]).all()


def test_other_peoples_places_are_neither_touched_nor_fetched_from() -> None:
    image, points = calm()
    box = lm.face_box_from_mesh(points)
    other = np.array([box[2] + 12, box[1], box[2] + 90, box[3]], np.float32)
    painted = np.full_like(image, 60)
    x0, y0, x1, y1 = other.astype(int)
    painted[y0:y1, x0 : x1 + 1] = MAGENTA
    around = fit(as_picture(painted), points, scaled(points, 0.85, 1.0), [other], 1.0)
    assert around is not None
    left, top = around.box[:2]
    place = around.moved[y0 - top : y1 - top, x0 - left : x1 - left]
    assert place.size
    assert not place.any()
    shown = over(painted, around, around.shown)
    outside = np.ones(image.shape[:2], bool)
    outside[y0 - 1 : y1 + 1, x0 - 1 : x1 + 2] = False
    assert plain(shown[outside])


def test_with_no_strength_the_surroundings_stay() -> None:
    image, points = calm()
    around = fit(as_picture(image), points, points, [], 0.0)
    assert around is not None
    x0, y0, x1, y1 = around.box
    assert np.abs(around.fitted.astype(int) - image[y0:y1, x0:x1]).max() <= 1


@pytest.mark.parametrize("away", [(-1000.0, 0.0), (0.0, 1000.0), (5000.0, 5000.0)])
def test_a_face_outside_the_picture_has_no_surroundings(away: tuple[float, float]) -> None:
    image, points = calm()
    gone = (points + np.array([*away, 0], np.float32)).astype(np.float32)
    assert fit(as_picture(image), gone, gone, [], 1.0) is None


@pytest.mark.parametrize("edge", [-250.0, -330.0])
def test_a_face_cut_by_the_edge_is_filled_from_the_picture(edge: float) -> None:
    image, points = calm()
    cut = (points + np.array([edge, 0, 0], np.float32)).astype(np.float32)
    painted = np.full_like(image, 60)
    painted[silhouette(cut, image.shape) > 0] = MAGENTA
    new = scaled(cut, 0.85, 0.95)
    around = fit(as_picture(painted), cut, new, [], 1.0)
    if around is not None:
        shown = over(painted, around, around.shown)
        assert plain(shown[silhouette(new, image.shape) == 0])


def test_below_a_chin_that_the_picture_ends_at_there_is_skin() -> None:
    image, points = calm()
    painted = np.full_like(image, 220)
    skin = (90, 110, 160)
    painted[silhouette(points, image.shape) > 0] = skin
    last = int(points[lm.CHIN, 1]) - 6
    new = scaled(points, 1.0, 0.92) - np.array([0, 8, 0], np.float32)
    around = fit(as_picture(painted[:last]), points, new, [], 1.0)
    assert around is not None
    shown = over(painted[:last], around, around.shown)
    neck = shown[int(new[lm.CHIN, 1]) + 2 : last, int(new[lm.CHIN, 0])]
    assert len(neck) > 3
    assert (np.abs(neck.astype(int) - skin) < 25).all()


def _line(level: int) -> tuple[U8, int, F32]:
    """Return a picture with an upright line beside the face, where it is, and the face's mesh."""
    image, points = calm()
    points = (points - np.array([90, 0, 0])).astype(np.float32)
    box = lm.face_box_from_mesh(points)
    x = round(float(box[2]) + 0.2 * float((box[2:] - box[:2]).max()))
    lined = np.full_like(image, 60)
    lined[:, x - 2 : x + 3] = level
    return lined, x, points


def test_a_line_beside_the_face_stays_straight() -> None:
    bent = {}
    for level in (66, 230):
        lined, x, points = _line(level)
        around = fit(as_picture(lined), points, scaled(points, 0.8, 1.0), [], 1.0)
        assert around is not None
        light = over(lined, around, around.shown)[:, x - 12 : x + 12, 0].astype(float) - 60
        places = (light * np.arange(-12, 12)).sum(axis=1) / light.sum(axis=1)
        bent[level] = float(np.abs(places).max())
    assert bent[230] < 1
    assert bent[66] > 2 * bent[230]


@pytest.mark.parametrize("degrees", [-50, -38, 38, 50])
def test_features_in_the_rim_of_a_turned_head_are_nowhere(degrees: float) -> None:
    image, points = calm()
    points = turned_points(points, degrees)
    painted = np.full_like(image, 60)
    for feature in (lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.NOSE, lm.OUTER_LIPS):
        hull = cv2.convexHull(points[list(feature), :2].astype(np.int32))
        cv2.fillConvexPoly(painted, hull, MAGENTA)
    for shape in SHAPES.values():
        around = fit(as_picture(painted), points, shape(points), [], 1.0)
        assert around is not None
        assert plain(over(painted, around, around.shown))


@pytest.mark.parametrize("degrees", [-55, 55])
def test_little_is_seen_of_an_outline_that_the_mesh_of_a_turned_head_misses(degrees: float) -> None:
    image, points = calm()
    points = turned_points(points, degrees)
    painted = np.full_like(image, 60)
    missed = points + np.array([np.sign(degrees) * 5, 0, 0], np.float32)
    painted[silhouette(missed, image.shape) > 0] = MAGENTA
    around = fit(as_picture(painted), points, points, [], 1.0)
    assert around is not None
    shown = over(painted, around, around.shown)
    beside = silhouette(points, image.shape) == 0
    before, after = ((shot[beside][:, 1] < 30).sum() for shot in (painted, shown))
    assert before > 300
    assert after < 0.15 * before


@pytest.mark.parametrize("degrees", [-55, 55])
def test_of_a_turned_head_that_may_not_move_nothing_shows_before_nose_and_chin(
    degrees: float,
) -> None:
    image, points = calm()
    points = turned_points(points, degrees)
    painted = np.full_like(image, 60)
    painted[silhouette(points, image.shape) > 0] = MAGENTA
    around = fit(as_picture(painted), points, points, [], 0.0)
    assert around is not None
    place = np.zeros(image.shape[:2], np.uint8)
    for triangle in np.rint(points[:468, :2]).astype(np.int32)[TRIANGLES]:
        cv2.fillConvexPoly(place, triangle, 255)
    beside = cv2.dilate(place, np.ones((3, 3), np.uint8)) == 0
    assert (painted[beside][:, 1] == 0).sum() > 50
    assert plain(over(painted, around, around.shown)[beside])


def test_a_face_beside_others_hides_its_own_place() -> None:
    image, points = calm()
    box = lm.face_box_from_mesh(points)
    other = np.array([box[2] - 0.2 * (box[2] - box[0]), box[1], box[2] + 90, box[3]], np.float32)
    around = fit(as_picture(image), points, points, [other], 0.0)
    assert around is not None
    x0, y0, x1, y1 = around.box
    assert around.moved[silhouette(points, image.shape)[y0:y1, x0:x1] > 0].all()


def test_what_is_left_out_inside_the_new_face_is_filled_with_its_skin() -> None:
    """Brows reach to the rim, where the new face is not yet opaque: no hair or wall shows there."""
    image, points = calm()
    green = image.copy()
    green[silhouette(points, image.shape, 3) == 0] = (0, 255, 0)
    made = fit(as_picture(green), points, scaled(points, 1.08, 1.0), (), 1.0)
    assert made is not None
    x0, y0, x1, y1 = made.box
    inside = silhouette(points, image.shape)[y0:y1, x0:x1]
    inner = cv2.erode(inside, np.ones((9, 9), np.uint8)) > 0
    blue, greenness, red = cv2.split(made.shown.astype(int))
    assert ((greenness - (blue + red) / 2)[inner] < 40).all()
