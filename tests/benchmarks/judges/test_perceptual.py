"""LPIPS: nothing for the same picture, and more the more a picture is spoilt."""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from benchmarks.judges.perceptual import ShiftTolerantLpips
from streamanon.identities.portrait import read_image
from streamanon.types import U8
from testkit.paths import PHOTOS


def _noise(image: U8, strength: int) -> U8:
    away = np.random.default_rng(0).normal(0, 4 * strength, image.shape)
    return np.asarray(np.clip(image + away, 0, 255), np.uint8)


def _blur(image: U8, strength: int) -> U8:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), strength / 2), np.uint8)


def _shift(image: U8, strength: int) -> U8:
    return np.roll(image, strength, axis=1)


@pytest.mark.parametrize("spoilt", [_noise, _blur, _shift])
def test_lpips_grows_with_the_damage(spoilt: Callable[[U8, int], U8]) -> None:
    photograph = read_image(PHOTOS / "london_001_neutral.webp")
    image = np.asarray(cv2.resize(photograph, (64, 64), interpolation=cv2.INTER_AREA), np.uint8)
    lpips = ShiftTolerantLpips()
    assert lpips(image, image) == 0
    distances = [lpips(image, spoilt(image, strength)) for strength in (1, 2, 4)]
    assert all(after > before for before, after in pairwise([0.0, *distances]))


def test_lpips_minds_a_blur_more_than_a_shift() -> None:
    """As people do, and PSNR does not."""
    photograph = read_image(PHOTOS / "london_001_neutral.webp")
    image = np.asarray(cv2.resize(photograph, (64, 64), interpolation=cv2.INTER_AREA), np.uint8)
    lpips = ShiftTolerantLpips()
    shifted, blurred = _shift(image, 1), _blur(image, 2)
    assert cv2.PSNR(image, shifted) < cv2.PSNR(image, blurred)
    assert lpips(image, shifted) < lpips(image, blurred) / 4
