import cv2
import numpy as np
import pytest

from streamanon.tracking.scene_cuts import CutDetector
from streamanon.types import U8, ColourSpace, Picture

YUV = {8: ColourSpace("bt709"), 10: ColourSpace("bt709", depth=10)}


def _texture(seed: int, low: int, high: int) -> U8:
    """Return a (480, 854) luma plane of soft blobs between two levels."""
    noise = np.random.default_rng(seed).random((12, 20)).astype(np.float32)
    large = cv2.resize(noise, (854, 480), interpolation=cv2.INTER_CUBIC)
    return np.asarray(low + np.clip(large, 0, 1) * (high - low), np.uint8)


def _picture(luma: U8, depth: int = 8) -> Picture:
    grey = np.full((240, 427), 128, np.uint8)
    if depth == 8:
        return Picture((luma, grey, grey), YUV[8])
    planes = [
        np.asarray(plane, np.uint16) * np.uint16(1 << (depth - 8)) for plane in (luma, grey, grey)
    ]
    return Picture((planes[0], planes[1], planes[2]), YUV[depth])


def _cuts(lumas: list[U8], depth: int = 8) -> list[int]:
    detector = CutDetector()
    return [i for i, luma in enumerate(lumas) if detector.is_cut(_picture(luma, depth))]


@pytest.mark.parametrize("depth", [8, 10])
def test_a_new_shot_is_a_cut_and_nothing_else_is(depth: int) -> None:
    first, second = _texture(1, 20, 120), _texture(2, 90, 230)
    assert _cuts([first] * 5 + [second] * 5 + [first] * 3, depth) == [5, 10]


def test_a_pan_is_no_cut() -> None:
    wide = np.hstack([_texture(1, 20, 200), _texture(2, 20, 200)])
    assert _cuts([np.ascontiguousarray(wide[:, x : x + 854]) for x in range(0, 850, 50)]) == []


def test_a_fade_is_no_cut() -> None:
    full = _texture(1, 20, 220)
    assert _cuts([np.asarray(full * (i / 25), np.uint8) for i in range(26)]) == []


@pytest.mark.parametrize("flash", ["brighter", "white", "dark", "black"])
def test_a_flash_is_no_cut_and_a_cut_behind_it_is_one(flash: str) -> None:
    first, second = _texture(1, 40, 160), _texture(2, 90, 230)
    lit = {
        "brighter": np.clip(first * 3.0, 0, 255),
        "white": np.full_like(first, 255),
        "dark": first * 0.04,
        "black": np.zeros_like(first),
    }[flash].astype(np.uint8)
    assert _cuts([first] * 5 + [lit] * 3 + [first] * 5) == []
    assert _cuts([first] * 5 + [lit] * 3 + [second] * 5) == [8]


def test_a_part_that_changes_at_once_is_noticed_without_a_cut() -> None:
    still, other = _texture(1, 40, 200), _texture(2, 40, 200)
    part = still.copy()
    part[120:240, 213:427] = other[120:240, 213:427]
    detector = CutDetector()
    noticed = []
    for index, luma in enumerate([still] * 5 + [part] * 5):
        assert not detector.is_cut(_picture(luma))
        noticed += [index] if detector.abrupt else []
    assert noticed == [5]


def test_noise_is_no_cut() -> None:
    rng, still = np.random.default_rng(0), _texture(1, 40, 200)
    noisy = [
        np.asarray(np.clip(still + rng.normal(0, 25, still.shape), 0, 255), np.uint8)
        for _ in range(8)
    ]
    assert _cuts(noisy) == []


def test_the_smallest_picture_has_no_cut() -> None:
    detector = CutDetector()
    dot = np.full((1, 1), 200, np.uint8)
    picture = Picture((dot, dot, dot), YUV[8])
    assert not detector.is_cut(picture)
    assert not detector.is_cut(picture)
