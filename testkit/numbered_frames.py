"""Frames that carry their number as bars, so that it can be read back from any output."""

import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from streamanon.protocols import Sink
from streamanon.sinks.live.sink import LiveSink
from streamanon.types import U8, ColourSpace, ContainerTags, MediaInfo, Picture, SafeFrame
from testkit.waiting import wait_until

SIZE = (320, 240)
_BITS, _BAR_PX = 16, 16
_MAX_QUEUED = 32
_DARK, _BRIGHT = 40, 210


def stream_info(size: tuple[int, int] = SIZE) -> MediaInfo:
    """Return what a camera of BT.709 colours would say."""
    tags = ContainerTags(0, "yuv420p", primaries=1, transfer=1, matrix=1, colour_range=1)
    return MediaInfo(
        "camera",
        *size,
        ColourSpace("bt709"),
        Fraction(1, 90_000),
        Fraction(30),
        live=True,
        container=tags,
    )


def counted(index: int, pts: int | None = None) -> SafeFrame:
    """Return a frame with its number; 30 a second unless the time is given, in ticks of 1/90000."""
    width, height = SIZE
    luma = np.full((height, width), 120, np.uint8)
    for bit in range(_BITS):
        bar = slice(bit * _BAR_PX, (bit + 1) * _BAR_PX)
        luma[: 2 * _BAR_PX, bar] = _BRIGHT if index >> bit & 1 else _DARK
    chroma = (height // 2, width // 2)
    planes = (luma, np.full(chroma, 110, np.uint8), np.full(chroma, 150, np.uint8))
    picture = Picture(planes, ColourSpace("bt709"))
    return SafeFrame(index, picture, 3000 * index if pts is None else pts, Fraction(1, 90_000))


def number(frame: av.VideoFrame) -> int:
    """Read the number of a frame, in any pixel format."""
    grey = frame.reformat(format="gray").to_ndarray()
    bars = grey[_BAR_PX, _BAR_PX // 2 : _BITS * _BAR_PX : _BAR_PX]
    return sum(1 << bit for bit, value in enumerate(bars) if value > (_DARK + _BRIGHT) / 2)


def feed(sink: Sink, start: int, *, until: Callable[[], bool], at_most_s: float = 60.0) -> int:
    """Write frames at 30 a second until a condition is met; return the next number.

    Args:
        sink: output to write to.
        start: number of the first frame.
        until: condition, asked before every frame.
        at_most_s: longest time it may take.
    """
    began, index = time.monotonic(), start
    while not until():
        assert time.monotonic() - began < at_most_s, "it did not happen in time"
        sink.write(counted(index))
        index += 1
        time.sleep(max(0.0, began + (index - start) / 30 - time.monotonic()))
    return index


def write_all(sink: LiveSink, frames: Iterable[SafeFrame]) -> None:
    """Write frames as fast as the outputs take them, so that none is dropped."""
    outputs = [output for _, several in sink._encoders for output in several]
    for frame in frames:
        sink.write(frame)
        wait_until(lambda: max(len(output._queue) for output in outputs) < _MAX_QUEUED)


def some(frames: int) -> Callable[[], bool]:
    """Return a condition that is met after so many frames."""
    left = iter(range(frames))
    return lambda: next(left, None) is None


def grab(screen: Path) -> U8:
    """Return the screen of Xvfb as (600, 800, 3) uint8 BGR; it is kept as an XWD file."""
    data = screen.read_bytes()
    header, colours = (int.from_bytes(data[at : at + 4], "big") for at in (0, 76))
    pixels = np.frombuffer(data, np.uint8, 800 * 600 * 4, header + 12 * colours)
    return pixels.reshape(600, 800, 4)[..., :3]
