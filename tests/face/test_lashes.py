"""The line of lashes: under shut lids only, where they meet, wherever the face is."""

import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face import lashes
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32, U8

PORTRAIT = load_builtin()[0]
HEIGHT, WIDTH = PORTRAIT.portrait.shape[:2]
IN_PLACE = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
EYES = (lm.RIGHT_EYE, lm.LEFT_EYE)


def mesh(shut: float) -> F32:
    """Return the portrait's mesh with its lids lowered: 0 as it is, 1 until they meet."""
    points = np.ascontiguousarray(PORTRAIT.mesh.points[:, :2])
    lowered = points.copy()
    for eye in EYES:
        upper, lower = list(eye[1:8]), list(eye[:8:-1])
        lowered[upper] += shut * (points[lower] - points[upper])
    return lowered


def darkened(shut: float, to_image: F32 = IN_PLACE, blur_px: float = 0.0) -> U8:
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    lashes.draw(image, mesh(shut), to_image, blur_px)
    return 200 - image


def test_open_eyes_get_none() -> None:
    assert not darkened(0.0).any()


def test_shut_eyes_are_dark_where_the_lids_meet_and_nowhere_else() -> None:
    dark = darkened(1.0)[:, :, 0]
    away = np.ones_like(dark, bool)
    for eye in EYES:
        line = mesh(1.0)[list(eye[:9])]
        width = float(np.hypot(*(line[8] - line[0])))
        x, y = np.rint(line[4]).astype(int)
        assert dark[y, x] > 100
        x0, y0 = np.floor(line.min(axis=0) - 0.25 * width).astype(int)
        x1, y1 = np.ceil(line.max(axis=0) + 0.25 * width).astype(int)
        away[y0:y1, x0:x1] = False
    assert not dark[away].any()


def test_lids_that_close_darken_step_by_step() -> None:
    sums = [int(darkened(shut).sum()) for shut in (0.0, 0.6, 0.7, 0.8, 0.9)]
    assert sums == sorted(sums)
    assert 0 < sums[2] < sums[4]


def test_a_blurred_frame_gets_a_soft_line() -> None:
    sharp, soft = darkened(1.0), darkened(1.0, blur_px=3.0)
    assert soft.max() < sharp.max()
    assert int(soft.astype(int).sum()) == pytest.approx(int(sharp.astype(int).sum()), rel=0.1)


@pytest.mark.parametrize("shift", [(-WIDTH, 0), (0, -HEIGHT), (WIDTH, HEIGHT)])
def test_a_face_outside_the_picture_is_not_drawn(shift: tuple[float, float]) -> None:
    assert not darkened(1.0, np.column_stack([IN_PLACE[:, :2], shift]).astype(np.float32)).any()


def test_an_eye_at_the_edge_is_drawn_as_far_as_it_is_there() -> None:
    middle = mesh(1.0)[lm.RIGHT_EYE[4]]
    dark = darkened(1.0, np.column_stack([IN_PLACE[:, :2], (-middle[0], 0)]).astype(np.float32))
    assert dark[round(middle[1]), 0, 0] > 100
