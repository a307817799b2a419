"""Whatever pictures a live stream brings, they come in the size and colours of the first."""

import gc
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from streamanon.imaging.picture import whole_bgr
from streamanon.sources.live.frame_converter import FrameConverter
from streamanon.types import Picture

LAYOUTS = (
    "yuv420p",
    "yuvj420p",
    "yuvj422p",
    "yuyv422",
    "nv12",
    "rgb24",
    "bgr0",
    "yuv420p10le",
    "yuv444p",
)
BGR = (200, 120, 40)


def _painted(layout: str, width: int = 96, height: int = 64) -> av.VideoFrame:
    """One colour with a bright block in the middle."""
    image = np.full((height, width, 3), BGR, np.uint8)
    image[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 240
    return av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=layout)


def _seen(
    converter: FrameConverter, frame: av.VideoFrame, aspect: Fraction | None = None
) -> Picture:
    picture = Picture(converter.planes(frame, aspect), converter.colour)
    assert (picture.width, picture.height) == (converter.width, converter.height)
    assert all(plane.flags.c_contiguous for plane in picture.planes)
    return picture


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_keeps_its_colours(layout: str) -> None:
    frame = _painted(layout)
    converter = FrameConverter(frame, None)
    assert converter.tags.pixel_format == "yuv420p"
    assert converter.colour.chroma_shift == (1, 1)
    assert converter.colour.depth == 8
    shown = whole_bgr(_seen(converter, frame))
    np.testing.assert_allclose(shown[4, 4], BGR, atol=6)
    np.testing.assert_allclose(shown[32, 48], (240, 240, 240), atol=6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("first", ["yuv420p", "yuvj422p"])
def test_a_change_of_layout_keeps_the_colours_announced(first: str, layout: str) -> None:
    converter = FrameConverter(_painted(first), None)
    shown = whole_bgr(_seen(converter, _painted(layout)))
    np.testing.assert_allclose(shown[4, 4], BGR, atol=6)


def test_pictures_as_announced_pass_bit_for_bit_and_as_copies() -> None:
    frame = _painted("yuv420p")
    stored = frame.to_ndarray()
    planes = FrameConverter(frame, None).planes(frame, None)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    np.testing.assert_array_equal(planes[0], stored[:64])
    np.testing.assert_array_equal(planes[1].ravel(), stored[64:80].ravel())


def test_odd_sizes_lose_their_last_row_and_column() -> None:
    frame = _painted("bgr24", 97, 65)
    converter = FrameConverter(frame, None)
    assert (converter.width, converter.height) == (96, 64)
    np.testing.assert_allclose(whole_bgr(_seen(converter, frame))[4, 4], BGR, atol=6)


@pytest.mark.parametrize(
    ("size", "bars"),
    [
        ((64, 64), "sides"),
        ((192, 64), "above"),
        ((192, 128), ""),
        ((48, 32), ""),
        ((31, 97), "sides"),
    ],
)
def test_another_size_is_shown_whole_with_black_around_it(size: tuple[int, int], bars: str) -> None:
    converter = FrameConverter(_painted("yuv420p"), None)
    shown = whole_bgr(_seen(converter, _painted("yuv420p", *size))).astype(int)
    middle = shown[32, 48]
    np.testing.assert_allclose(middle, (240, 240, 240), atol=8)
    black = {"sides": shown[32, :4], "above": shown[:4, 48]}
    for where, pixels in black.items():
        assert (pixels.max() < 8) == (where == bars), where


def test_pixels_that_are_not_square_are_reckoned_with() -> None:
    converter = FrameConverter(_painted("yuv420p"), None)
    # 48 x 64 stored, shown twice as wide: 96 x 64
    shown = whole_bgr(_seen(converter, _painted("yuv420p", 48, 64), Fraction(2)))
    np.testing.assert_allclose(shown[4, 4], BGR, atol=6)


def test_a_change_of_matrix_and_range_is_undone() -> None:
    tall = _painted("yuv420p", 1280, 720).reformat(dst_colorspace=1)  # untagged: BT.709 by its size
    converter = FrameConverter(tall, None)
    assert converter.colour == replace(converter.colour, matrix="bt709", full_range=False)
    shown = whole_bgr(_seen(converter, _painted("yuvj420p", 640, 360)))
    np.testing.assert_allclose(shown[4, 4], BGR, atol=6)


def test_pictures_are_let_go_at_once() -> None:
    """What waits for Python's collector waits ever longer, and is megabytes a picture."""
    converter = FrameConverter(_painted("yuv420p"), None)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            _seen(converter, _painted("yuv420p"))
        assert gc.collect() == 0
    finally:
        gc.enable()
