from fractions import Fraction

import numpy as np
import pytest

from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import placeholder_frame
from streamanon.safety.placeholder import draw_placeholder
from streamanon.types import ColourSpace, MediaInfo

STUDIO = ColourSpace("bt709")
COLOURS = [
    STUDIO,
    ColourSpace("bt601", full_range=True, chroma_shift=(1, 0)),
    ColourSpace("bt2020", depth=10, chroma_shift=(0, 0)),
]


@pytest.mark.parametrize("colour", COLOURS, ids=["420", "full 422", "10 bit 444"])
@pytest.mark.parametrize("size", [(1280, 720), (321, 243), (16, 16)])
def test_a_card_looks_the_same_in_every_colour_space(
    colour: ColourSpace, size: tuple[int, int]
) -> None:
    picture = draw_placeholder(size, colour, ("NO SIGNAL", "12:34:56"))
    assert (picture.width, picture.height) == size
    image = whole_bgr(picture)
    reference = whole_bgr(draw_placeholder(size, STUDIO, ("NO SIGNAL", "12:34:56")))
    assert np.abs(image[0, 0].astype(int) - (48, 40, 36)).max() <= 3
    assert np.abs(image.astype(int).mean(axis=2) - reference.mean(axis=2)).mean() < 2


def test_the_text_is_in_the_middle_and_inside() -> None:
    image = whole_bgr(draw_placeholder((640, 360), STUDIO, ("NO SIGNAL", "12:34:56"))).mean(axis=2)
    rows, columns = np.nonzero(image > 100)
    assert image.max() > 200
    assert abs((rows.min() + rows.max()) / 2 - 180) < 30
    assert abs((columns.min() + columns.max()) / 2 - 320) < 5
    assert columns.min() > 32


def test_a_line_that_is_too_long_is_made_smaller() -> None:
    image = whole_bgr(draw_placeholder((320, 240), STUDIO, ("W" * 24,))).mean(axis=2)
    columns = np.nonzero(image > 100)[1]
    assert 10 < columns.min() < columns.max() < 310


def test_the_time_shows() -> None:
    first, second = (
        draw_placeholder((640, 360), STUDIO, ("NO SIGNAL", f"12:34:5{digit}")).planes[0]
        for digit in (1, 6)
    )
    changed = np.nonzero(first != second)
    assert 0 < len(changed[0]) < 2000


def test_a_card_is_a_frame_of_its_stream_without_faces() -> None:
    info = MediaInfo("camera", 64, 48, STUDIO, Fraction(1, 90_000), Fraction(30), live=True)
    frame = placeholder_frame(info, ("NO SIGNAL",), 7, 123)
    assert (frame.index, frame.pts, frame.time_base) == (7, 123, Fraction(1, 90_000))
    assert (frame.picture.width, frame.picture.height, frame.treated) == (64, 48, ())
