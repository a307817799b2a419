"""Corners of a portrait's mouth: where the line between the lips ends."""

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.identities.mouth_corners import REACH, with_true_corners
from streamanon.types import F32, U8
from testkit.networks import mesh_fitter
from testkit.photos import read_photo
from testkit.staged import fit

CORNERS = [lm.RIGHT_MOUTH_CORNER, lm.LEFT_MOUTH_CORNER]


def painted(left: float, right: float) -> tuple[U8, F32]:
    """A grey face with a dark line from x = left to right, and a mesh whose mouth is 120..280."""
    image = np.full((300, 400, 3), 170, np.uint8)
    cv2.line(image, (round(left), 200), (round(right), 200), (60, 60, 60), 5)
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = (200, 20)
    points[CORNERS, :2] = ((120, 200), (280, 200))
    return image, points


@pytest.mark.parametrize(("left", "right"), [(120, 280), (112, 280), (110, 292), (125, 275)])
def test_corners_go_to_the_ends_of_the_line(left: float, right: float) -> None:
    image, points = painted(left, right)
    moved = with_true_corners(image, points)
    assert moved[CORNERS, 0] == pytest.approx([left, right], abs=3.5)
    assert moved[CORNERS, 1] == pytest.approx([200, 200], abs=1.5)


def test_a_mouth_without_a_line_and_what_is_far_from_it_stay() -> None:
    image, points = painted(110, 292)
    assert np.array_equal(with_true_corners(np.full_like(image, 170), points), points)
    far = np.delete(np.arange(len(points)), CORNERS)
    assert np.hypot(*(points[far, :2] - points[CORNERS[0], :2]).T).min() > 4 * REACH * 160
    assert np.abs(with_true_corners(image, points) - points)[far].max() < 0.1


def test_a_line_that_goes_on_as_a_fold_does_not_take_the_corner_along() -> None:
    image, points = painted(30, 370)
    moved = with_true_corners(image, points)
    assert np.abs(moved[CORNERS, 0] - points[CORNERS, 0]).max() <= 0.1 * 160 + 0.5


def test_a_photograph_keeps_its_mouth() -> None:
    image = read_photo("london_001_neutral")
    points = fit(mesh_fitter(), image).points
    moved = with_true_corners(image, points)
    width = np.hypot(*(points[CORNERS[0], :2] - points[CORNERS[1], :2]))
    assert np.hypot(*(moved - points)[:, :2].T).max() < 0.11 * width
