"""What is drawn larger and averaged moves by fractions of a pixel, and stays in its image."""

import cv2
import numpy as np
import pytest

from streamanon.imaging.supersampling import SHIFT, SupersampledRegion

SQUARE = np.array([[20, 30], [26, 30], [26, 36], [20, 36]], np.float32)


def _centre(moved: float) -> float:
    outline = (SQUARE + np.array([moved, 0])).astype(np.float32)
    close = SupersampledRegion.around(outline, 2.0, (64, 64))
    assert close is not None
    cv2.fillPoly(close.canvas, [close.fixed_point(outline)], 255, cv2.LINE_8, SHIFT)
    image = np.zeros((64, 64), np.float64)
    image[close.place] = close.downsampled()
    return float((image.sum(axis=0) * np.arange(64)).sum() / image.sum())


@pytest.mark.parametrize("moved", [0.25, 0.5, 1.75])
def test_it_moves_by_fractions_of_a_pixel(moved: float) -> None:
    assert _centre(moved) - _centre(0) == pytest.approx(moved, abs=0.1)


@pytest.mark.parametrize("beside", [(-80, 0), (80, 0), (0, -80), (0, 80)])
def test_there_is_none_outside(beside: tuple[int, int]) -> None:
    assert SupersampledRegion.around((SQUARE + beside).astype(np.float32), 2.0, (64, 64)) is None


def test_it_ends_where_the_image_ends() -> None:
    close = SupersampledRegion.around((SQUARE - (22, 0)).astype(np.float32), 2.0, (64, 64))
    assert close is not None
    assert close.box == (0, 28, 7, 39)
    assert close.downsampled().shape == (11, 7)
