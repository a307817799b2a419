"""Regions of planes in and out of BGR."""

import av
import numpy as np
import pytest

from streamanon.imaging import picture as pic
from streamanon.types import ColourSpace, Picture

SPACES = [
    ("yuv420p", ColourSpace("bt601")),
    ("yuv420p", ColourSpace("bt709")),
    ("yuv420p", ColourSpace("bt709", full_range=True)),
    ("yuv422p", ColourSpace("bt709", chroma_shift=(1, 0))),
    ("yuv444p", ColourSpace("bt2020", chroma_shift=(0, 0))),
    ("yuv420p10le", ColourSpace("bt709", depth=10)),
]


def smooth_image() -> np.ndarray:
    rows, columns = np.mgrid[0:64, 0:96]
    return (
        np.stack([40 + columns * 1.5, 200 - rows * 2, 60 + rows + columns], axis=2)
        .clip(0, 255)
        .astype(np.uint8)
    )


def as_picture(image: np.ndarray, pix_fmt: str, colour: ColourSpace) -> Picture:
    """Encode BGR into planes with FFmpeg's own scaler, an independent implementation."""
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
        format=pix_fmt,
        src_color_range=2,
        dst_colorspace={"bt601": 5, "bt709": 1, "bt2020": 9}[colour.matrix],
        dst_color_range=2 if colour.full_range else 1,
    )
    dtype = np.dtype(np.uint8 if colour.depth == 8 else np.uint16)
    planes = tuple(
        np.frombuffer(bytes(plane), dtype).reshape(plane.height, -1)[:, : plane.width].copy()
        for plane in frame.planes
    )
    return Picture(planes, colour)


@pytest.mark.parametrize(("pix_fmt", "colour"), SPACES)
def test_reading_agrees_with_ffmpeg(pix_fmt: str, colour: ColourSpace) -> None:
    image = smooth_image()
    error = np.abs(pic.whole_bgr(as_picture(image, pix_fmt, colour)).astype(int) - image)
    assert error.mean() < 1.6
    assert error.max() <= 8


@pytest.mark.parametrize(("pix_fmt", "colour"), SPACES)
def test_blending_back_keeps_the_rest_bit_exact(pix_fmt: str, colour: ColourSpace) -> None:
    before = as_picture(smooth_image(), pix_fmt, colour)
    after = pic.copy_picture(before)
    box = pic.clip_box(after, (17, 11, 61, 47))
    alpha = np.zeros((box[3] - box[1], box[2] - box[0]), np.float32)
    alpha[8:-8, 8:-8] = 1
    red = np.full((*alpha.shape, 3), (0, 0, 220), np.uint8)
    pic.blend_bgr(after, box, red, alpha)
    shown = pic.whole_bgr(after)[box[1] + 12 : box[3] - 12, box[0] + 12 : box[2] - 12]
    assert np.abs(shown.astype(int) - (0, 0, 220)).max() <= 3
    shift_x, shift_y = colour.chroma_shift
    for index, (old, new) in enumerate(zip(before.planes, after.planes, strict=True)):
        sx, sy = (shift_x, shift_y) if index else (0, 0)
        changed = old != new
        changed[
            (box[1] + 8) >> sy : (box[3] - 8) >> sy, (box[0] + 8) >> sx : (box[2] - 8) >> sx
        ] = 0
        assert not changed.any()


@pytest.mark.parametrize(("pix_fmt", "colour"), SPACES)
def test_whole_pixels_are_laid_as_beside_mixed_ones(pix_fmt: str, colour: ColourSpace) -> None:
    rng = np.random.default_rng(0)
    whole = as_picture(smooth_image(), pix_fmt, colour)
    mixed = pic.copy_picture(whole)
    box = (16, 10, 66, 48)
    image = rng.integers(0, 256, (38, 50, 3), np.uint8)
    alpha = rng.integers(0, 2, (38, 50)).astype(np.float32)
    pic.blend_bgr(whole, box, image, alpha)
    alpha[:2, :2] = 0.5
    pic.blend_bgr(mixed, box, image, alpha)
    for one, other in zip(whole.planes, mixed.planes, strict=True):
        same = one == other
        sy, sx = 64 // one.shape[0], 96 // one.shape[1]
        same[10 // sy : 12 // sy, 16 // sx : 18 // sx] = True
        assert same.all()


def test_boxes_grow_to_whole_chroma_samples_and_stay_inside() -> None:
    picture = as_picture(smooth_image(), "yuv420p", ColourSpace("bt601"))
    assert pic.clip_box(picture, (3.2, 5.9, 7.1, 9.0)) == (2, 4, 8, 10)
    assert pic.clip_box(picture, (-5, -5, 500, 500)) == (0, 0, 96, 64)
    x0, y0, x1, y1 = pic.clip_box(picture, (200, 200, 300, 300))
    assert x1 <= x0 or y1 <= y0 or (x1 - x0) * (y1 - y0) == 0


def test_thumbnail_keeps_colour() -> None:
    image = smooth_image()
    picture = as_picture(image, "yuv420p", ColourSpace("bt709"))
    small = pic.thumbnail(picture, (24, 16))
    assert small.shape == (16, 24, 3)
    assert np.abs(small.mean(axis=(0, 1)) - image.mean(axis=(0, 1))).max() < 3


@pytest.mark.parametrize(("pix_fmt", "colour"), SPACES)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_is_of_one_grey(pix_fmt: str, colour: ColourSpace, grey: int) -> None:
    blank = pic.blank_picture((95, 63), colour, grey)
    assert np.abs(pic.whole_bgr(blank).astype(int) - grey).max() <= 1
    assert len(set(map(id, blank.planes))) == 3
    same = as_picture(np.full((64, 96, 3), grey, np.uint8), pix_fmt, colour)
    assert [plane.dtype for plane in blank.planes] == [plane.dtype for plane in same.planes]
    assert [plane.shape for plane in pic.blank_picture((96, 64), colour).planes] == [
        plane.shape for plane in same.planes
    ]
    assert pic.blank_picture((96, 64), ColourSpace("bt709")).planes[0][0, 0] == 16
