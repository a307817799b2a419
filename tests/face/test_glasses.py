"""Glasses are drawn around the eyes of a face, and nowhere else."""

import cv2
import numpy as np
import pytest

from streamanon.face import glasses
from streamanon.face import landmarks as lm
from streamanon.types import F32, U8
from testkit import staged


def drawn(points: F32, style: glasses.Style = glasses.STYLES[0], darkness: float = 0.67) -> F32:
    """Return (h, w) float32: the share of light that is left of a white picture."""
    image = np.full_like(staged.frame(staged.CALM), 255)
    glasses.draw(image, points[:, :2], style, darkness)
    return np.asarray(image.mean(axis=2) / 255, np.float32)


@pytest.mark.parametrize("style", glasses.STYLES)
def test_a_rim_surrounds_each_eye_and_leaves_it_free(style: glasses.Style) -> None:
    points = staged.mesh_of(staged.CALM).points
    left = drawn(points, style)
    for outline in (lm.RIGHT_EYE, lm.LEFT_EYE):
        x, y = np.rint(points[list(outline), :2].mean(axis=0)).astype(int)
        size = int(lm.inter_ocular_px(points))
        assert left[y, x] > 0.95
        ways = (left[y, x - size : x], left[y, x : x + size], left[y - size : y, x])
        assert all(way.min() < 0.5 for way in (*ways, left[y : y + size, x]))


def test_nothing_is_drawn_on_the_mouth_or_above_the_brows() -> None:
    points = staged.mesh_of(staged.CALM).points
    left = drawn(points)
    assert left[int(points[list(lm.OUTER_LIPS), 1].min()) :].min() == 1
    assert left[: int(points[list(lm.RIGHT_BROW + lm.LEFT_BROW), 1].min()) - 5].min() == 1


def test_darkness_fades_them_in() -> None:
    points = staged.mesh_of(staged.CALM).points
    none, half, whole = (drawn(points, darkness=share).min() for share in (0.0, 0.33, 0.67))
    assert none == 1
    assert whole + 0.15 < half < none - 0.15


def test_they_follow_the_face() -> None:
    points = staged.mesh_of(staged.CALM).points
    shift = np.array([[1, 0, 12], [0, 1, 7]], np.float32)
    still, moved = drawn(points), drawn(points + np.array([12, 7, 0], np.float32))
    expected = cv2.warpAffine(still, shift, still.shape[::-1], borderValue=1)
    assert np.abs(moved - expected).max() < 0.05


def test_a_face_at_the_edge_of_a_picture_or_beside_it() -> None:
    points = staged.mesh_of(staged.CALM).points
    image: U8 = np.full((60, 60, 3), 200, np.uint8)
    glasses.draw(image, points[:, :2] - points[lm.RIGHT_EYE_OUTER, :2], glasses.STYLES[0], 0.67)
    assert image.min() < 120
    beside: U8 = np.full((60, 60, 3), 200, np.uint8)
    glasses.draw(beside, points[:, :2] + 2000, glasses.STYLES[0], 0.67)
    assert beside.min() == 200
