"""Pixels in memory as raw frames: any iterable of arrays, with or without times, or a capture.

Arrays are (height, width, 3) uint8 in OpenCV's order, blue, green, red. Each is copied when it is
taken, so that a buffer may be used again for the next one. RGB is not recognised as such: faces
are found in it, less surely, and the new skin has the wrong colour.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from numbers import Real
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.errors import MediaError, StreamanonError, UsageError, named_error_line
from streamanon.imaging.picture import as_picture
from streamanon.types import Frame, Picture

Arrays: TypeAlias = (
    "Iterable[NDArray[Any]] | Iterable[tuple[float, NDArray[Any]]] | cv2.VideoCapture"
)
"""Pictures in order, or pairs of a time in seconds and a picture, or an open capture."""

Rate: TypeAlias = "float | Fraction | None"
"""Frames a second, or None where it is not known."""

USUAL_RATE = 30.0
"""Frames a second when neither the caller nor the capture specifies them."""

_MAX_RATE = 1000.0
_TICK = Fraction(1, 1_000_000_000)
"""Seconds a tick of frames that come with times."""

_MAX_DENOMINATOR = 1001
"""Makes 30000/1001 of 29.97002997."""

_HINTS = {
    1: "cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) makes it so",
    4: "cv2.cvtColor(image, cv2.COLOR_BGRA2BGR) makes it so",
}


def image_picture(image: object, name: str = "image") -> Picture:
    """Copy a (h, w, 3) uint8 BGR array, which need not be contiguous, into a picture.

    Raises:
        UsageError: it is something else; the message calls it by its name.
    """
    if not isinstance(image, np.ndarray):
        raise UsageError(f"{name} is of type {type(image).__name__}: wanted a numpy array")
    channels = 1 if image.ndim == 2 else image.shape[2] if image.ndim == 3 else 0
    if image.ndim != 3 or channels != 3 or not image.size:
        hint = _HINTS.get(channels, "height first, channels last")
        raise UsageError(
            f"{name} has the shape {image.shape}: wanted (height, width, 3) in BGR, {hint}"
        )
    if image.dtype != np.uint8:
        raise UsageError(f"{name} is {image.dtype}: wanted uint8, 0 to 255, convert it")
    return as_picture(np.ascontiguousarray(image))


def array_frames(source: Arrays, fps: Rate = None) -> Iterator[Frame]:
    """Return an iterator that takes frames from a source one by one, on demand.

    Frames without times have the rate, or else that of the capture, or 30 a second. A failure of
    the source is raised in place of the frame, with the original as its cause.

    Raises:
        UsageError: the source or the rate cannot be used.
    """
    if fps is not None and not (isinstance(fps, Real) and 0 < fps < math.inf):
        raise UsageError(f"fps is {fps!r}: wanted a number above 0")
    if isinstance(source, cv2.VideoCapture):
        if not source.isOpened():
            raise UsageError("the capture is not open: check the name or number it was given")
        reported = source.get(cv2.CAP_PROP_FPS)
        fps = fps or (reported if 0 < reported <= _MAX_RATE else None)
        return _frames(_captured(source), fps)
    if isinstance(source, (str, bytes)) or not isinstance(source, Iterable):
        raise UsageError(
            f"the source is of type {type(source).__name__}: wanted an iterable of arrays or a "
            "cv2.VideoCapture"
        )
    if isinstance(source, np.ndarray) and source.ndim < 4:
        raise UsageError(f"frames have the shape {source.shape}: one picture is for image()")
    return _frames(iter(source), fps)


def _captured(capture: cv2.VideoCapture) -> Iterator[object]:
    """Yield what a capture reads until it reads no more."""
    while True:
        found, image = capture.read()
        if not found:
            return
        yield image


def _frames(items: Iterable[object], fps: Rate) -> Iterator[Frame]:
    """Turn arrays, or pairs, into frames, all of one size and one kind."""
    exact = Fraction(fps or USUAL_RATE)
    interval = 1 / (exact.limit_denominator(_MAX_DENOMINATOR) or exact)
    size: tuple[int, int] | None = None
    base, pts = interval, -1
    for index, item in enumerate(_explained(items)):
        name = f"frame {index}"
        time_s, image = item if isinstance(item, tuple) and len(item) == 2 else (None, item)
        picture = image_picture(image, name)
        here = (picture.width, picture.height)
        timed = time_s is not None
        if timed and fps:
            raise UsageError(f"{name} has a time, and fps was given: leave one of them out")
        if size is None:
            size, base = here, _TICK if timed else interval
        if here != size:
            raise UsageError(
                f"{name} is {here[0]}x{here[1]}, those before it {size[0]}x{size[1]}: call "
                "frames() again for each size"
            )
        if timed != (base == _TICK):
            raise UsageError(f"{name} is not like those before it: either all have a time, or none")
        now = _ticks(time_s, name) if timed else index
        if index and now <= pts:
            raise UsageError(f"{name} is at {time_s} s, not after the one before it: sort them")
        pts = now
        yield Frame(index, picture, pts, base)
    if size is None:
        raise MediaError("no frame came: check what the iterable or the capture reads from")


def _explained(items: Iterable[object]) -> Iterator[object]:
    """Yield items; an error of the iterable becomes the cause of a MediaError."""
    try:
        yield from items
    except StreamanonError:
        raise
    except Exception as error:
        raise MediaError(f"the iterable of frames failed: {named_error_line(error)}") from error


def _ticks(time_s: object, name: str) -> int:
    """Return a time in ticks."""
    if not isinstance(time_s, Real) or not math.isfinite(time_s):
        raise UsageError(f"{name} has the time {time_s!r}: wanted seconds as a number")
    return round(Fraction(float(time_s)) / _TICK)
