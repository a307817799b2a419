"""Arrays as frames: what is taken, what is refused, and with which words."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from streamanon.errors import MediaError, ModelError, StreamanonError, UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.arrays import array_frames, image_picture
from streamanon.types import U8
from testkit.paths import DEMO


def _image(level: int = 0, size: tuple[int, int] = (6, 4)) -> U8:
    width, height = size
    return np.arange(level, level + width * height * 3, dtype=np.uint8).reshape(height, width, 3)


def test_pixels_are_copied_in_blue_green_red() -> None:
    image = _image()
    picture = image_picture(image)
    image[:] = 0
    assert np.array_equal(whole_bgr(picture), _image())


@pytest.mark.parametrize(
    "view",
    [
        lambda image: image[:, ::-1],
        lambda image: image[..., ::-1],
        lambda image: image[::2, ::2],
        np.asfortranarray,
        lambda image: np.broadcast_to(image[:1], image.shape),
    ],
)
def test_an_array_need_be_neither_contiguous_nor_writable(view: Any) -> None:
    image = view(_image())
    image.flags.writeable = False
    assert np.array_equal(whole_bgr(image_picture(image)), image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (None, "image is of type NoneType: wanted a numpy array"),
        ([[0]], "image is of type list: wanted a numpy array"),
        (np.zeros((4, 6), np.uint8), r"shape \(4, 6\): wanted .*COLOR_GRAY2BGR"),
        (np.zeros((4, 6, 1), np.uint8), "COLOR_GRAY2BGR"),
        (np.zeros((4, 6, 4), np.uint8), "COLOR_BGRA2BGR"),
        (np.zeros((3, 4, 6), np.uint8), "height first, channels last"),
        (np.zeros((1, 4, 6, 3), np.uint8), "height first, channels last"),
        (np.zeros((0, 6, 3), np.uint8), r"shape \(0, 6, 3\)"),
        (np.zeros((4, 6, 3), np.float32), "image is float32: wanted uint8"),
        (np.zeros((4, 6, 3), np.uint16), "image is uint16: wanted uint8"),
        (np.zeros((4, 6, 3), np.bool_), "image is bool: wanted uint8"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(image: object, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        image_picture(image)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("fps", "times"),
    [
        (None, [0, 1 / 30, 2 / 30]),
        (25, [0, 0.04, 0.08]),
        (Fraction(5, 2), [0, 0.4, 0.8]),
        (29.97002997, [0, 1001 / 30000, 2002 / 30000]),
        (0.0001, [0, 1e4, 2e4]),
    ],
)
def test_frames_have_the_times_of_their_rate(fps: float | None, times: list[float]) -> None:
    frames = list(array_frames([_image(level) for level in range(3)], fps))
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time_s for frame in frames] == pytest.approx(times)
    assert [int(frame.picture.planes[0][0, 0]) for frame in frames] == [0, 1, 2]


def test_pairs_keep_their_times() -> None:
    times: list[Any] = [-1.5, 0.0, np.float64(0.1), Fraction(1, 5), 7]
    frames = array_frames((time_s, _image()) for time_s in times)
    assert [frame.time_s for frame in frames] == pytest.approx([float(time) for time in times])


def test_a_stack_of_pictures_is_frames() -> None:
    assert len(list(array_frames(np.stack([_image(), _image()])))) == 2


def test_a_capture_is_read_to_its_end_with_its_rate_and_stays_open() -> None:
    capture = cv2.VideoCapture(str(DEMO))
    frames = array_frames(capture)
    first, second = next(frames), next(frames)
    assert (first.picture.width, first.picture.height) == (640, 360)
    assert second.time_s - first.time_s == pytest.approx(1 / capture.get(cv2.CAP_PROP_FPS))
    capture.set(cv2.CAP_PROP_POS_FRAMES, capture.get(cv2.CAP_PROP_FRAME_COUNT) - 3)
    assert 1 <= len(list(frames)) <= 4
    assert capture.isOpened()
    capture.release()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("clip.mp4", "is of type str: wanted an iterable of arrays or a cv2.VideoCapture"),
        (7, "is of type int"),
        (None, "is of type NoneType"),
        (np.zeros((4, 6, 3), np.uint8), r"one picture is for image\(\)"),
        (cv2.VideoCapture(), "the capture is not open"),
    ],
)
def test_what_gives_no_frames_is_refused_at_once(source: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        array_frames(source)


@pytest.mark.parametrize("fps", [0, -25, float("nan"), float("inf"), "25"])
def test_a_rate_that_is_none_is_refused_at_once(fps: Any) -> None:
    with pytest.raises(UsageError, match=r"fps is .*: wanted a number above 0"):
        array_frames([_image()], fps)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (_image(size=(4, 6)), "frame 1 is 4x6, those before it 6x4"),
        (_image()[..., 0], "frame 1 has the shape"),
        (None, "frame 1 is of type NoneType"),
        ((0.1, _image()), "frame 1 is not like those before it"),
        ((0.1, _image(), 3), "frame 1 is of type tuple"),
    ],
)
def test_a_frame_unlike_the_first_is_refused(second: Any, message: str) -> None:
    frames = array_frames([_image(), second])
    next(frames)
    with pytest.raises(UsageError, match=message):
        next(frames)


@pytest.mark.parametrize(
    ("time_s", "message"),
    [
        (0.5, "not after the one before it"),
        (0.2, "not after the one before it"),
        (float("nan"), "wanted seconds as a number"),
        (float("inf"), "wanted seconds as a number"),
        ("1", "wanted seconds as a number"),
    ],
)
def test_times_that_do_not_rise_are_refused(time_s: Any, message: str) -> None:
    frames = array_frames([(0.5, _image()), (time_s, _image())])
    next(frames)
    with pytest.raises(UsageError, match=f"frame 1 .*{message}"):
        next(frames)


def test_times_and_a_rate_are_too_much() -> None:
    with pytest.raises(UsageError, match="leave one of them out"):
        next(array_frames([(0.0, _image())], 25))


def _failing(error: BaseException) -> Iterator[U8]:
    yield _image()
    raise error


def test_the_error_of_an_iterable_is_the_cause() -> None:
    error = ValueError("the disk\nis full")
    frames = array_frames(_failing(error))
    next(frames)
    with pytest.raises(MediaError, match="iterable of frames failed: ValueError: the disk") as got:
        next(frames)
    assert got.value.__cause__ is error
    assert "\n" not in str(got.value)


@pytest.mark.parametrize("error", [ModelError("from another anonymiser"), KeyboardInterrupt()])
def test_errors_that_explain_themselves_pass(error: BaseException) -> None:
    frames = array_frames(_failing(error))
    next(frames)
    with pytest.raises(type(error)) as got:
        next(frames)
    assert got.value is error


def test_no_frame_at_all_is_an_error() -> None:
    with pytest.raises(StreamanonError, match="no frame came"):
        next(array_frames([]))
