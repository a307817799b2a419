"""Cutting squares out of pictures, against pixels whose place is known."""

import cv2
import numpy as np
import pytest

from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8, ColourSpace, Picture


def ramp(width: int, height: int) -> U8:
    """A BGR image that tells where each of its pixels is: B is x, G is y."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([x, y, np.zeros_like(x)], axis=2).astype(np.uint8)


def square(x: float, y: float, side: float, degrees: float = 0) -> F32:
    turn = np.radians(degrees)
    across = np.array([np.cos(turn), np.sin(turn)]) * side
    return np.array(
        [(x, y), (x + across[0], y + across[1]), (x - across[1], y + across[0])], np.float32
    )


def test_an_upright_square_of_the_same_size_is_copied_exactly() -> None:
    image = ramp(200, 150)
    assert np.array_equal(
        crop_square(as_picture(image), square(31, 22, 64), 64), image[22:86, 31:95]
    )


@pytest.mark.parametrize("degrees", [0, 30, 135, -90])
@pytest.mark.parametrize("side", [20, 64, 100, 180])
def test_each_pixel_comes_from_its_place(degrees: float, side: float) -> None:
    corners = square(125, 125, 0)[:1] - (square(0, 0, side, degrees)[1:].sum(axis=0) / 2)
    corners = (corners + square(0, 0, side, degrees)).astype(np.float32)
    image = crop_square(as_picture(ramp(250, 250)), corners, 64)
    across, down = (corners[1] - corners[0]) / 64, (corners[2] - corners[0]) / 64
    step = np.arange(8, 56, 8)
    for row in step:
        for column in step:
            place = corners[0] + column * across + row * down
            if (place > 2).all() and (place < 247).all():
                assert image[row, column, :2] == pytest.approx(place, abs=1.5)


def test_beyond_the_picture_its_edge_is_repeated() -> None:
    image = crop_square(as_picture(ramp(100, 80)), square(-30, 40, 64), 64)
    assert (image[:30, :28, 0] == 0).all()
    assert image[:, :, 1].max() == 79
    beyond = crop_square(as_picture(ramp(100, 80)), square(500, 500, 64), 64)
    assert (beyond[..., 0] >= 98).all()
    assert (beyond[..., 1] >= 78).all()


def test_fine_texture_is_averaged_and_not_aliased() -> None:
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    small = crop_square(as_picture(stripes), square(0, 0, 512), 64)
    assert np.abs(small[4:-4, 4:-4].astype(int) - 100).max() < 15


def test_subsampled_planes_give_the_same_as_rgb() -> None:
    blurred = np.asarray(cv2.GaussianBlur(ramp(256, 256), (0, 0), 3), np.uint8)
    i420 = cv2.cvtColor(blurred, cv2.COLOR_BGR2YUV_I420)
    yuv = np.asarray(i420, np.uint8)
    blue, red = yuv[256:].reshape(2, 128, 128)
    picture = Picture((yuv[:256], blue, red), ColourSpace("bt601"))
    corners = square(60, 40, 120, 15)
    first, second = (
        crop_square(picture, corners, 64),
        crop_square(as_picture(blurred), corners, 64),
    )
    assert np.abs(first.astype(int) - second.astype(int)).mean() < 3


def test_a_picture_of_one_pixel_fills_the_square() -> None:
    assert (
        crop_square(as_picture(np.full((1, 1, 3), 77, np.uint8)), square(0, 0, 8), 16) == 77
    ).all()
