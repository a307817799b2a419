"""Reads a stream back as a viewer would, and examines every frame; runs in a process of its own.

Writes a line for every frame to standard output: its number, -1 if it shows none (a placeholder, or
a frame that is covered whole); the monotonic clock; its time stamp in seconds; the connection,
counted from 0; its painted pixels (-1 when they are not counted).
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from av.error import FFmpegError

from benchmarks.live.clips import magenta, number_of
from testkit.children import end_with_parent

_OPTIONS = {
    "rtsp_transport": "tcp",
    "fflags": "nobuffer",
    "flags": "low_delay",
    "probesize": "200000",
    "analyzeduration": "200000",
}
_TIMEOUT_S = (5.0, 3.0)
_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class PlayedFrame:
    """One frame that was read back."""

    number: int
    at_s: float
    time_s: float
    connection: int
    magenta: int

    @classmethod
    def parse(cls, line: str) -> PlayedFrame:
        """Parse a line that :func:`read_back` wrote."""
        number, at_s, time_s, connection, pixels = line.split()
        return cls(int(number), float(at_s), float(time_s), int(connection), int(pixels))


def read_back(url: str, connection: int, *, count: bool, keep: Path | None = None) -> bool:
    """Read until the stream ends; return whether there was any frame.

    Args:
        url: address to read.
        connection: number of this connection, for the output.
        count: True to count painted pixels, too.
        keep: folder for pictures of frames with painted pixels, for inspection.

    Raises:
        FFmpegError: there is no server or no stream, or the connection was lost.
    """
    seen = False
    with av.open(url, options=_OPTIONS, timeout=_TIMEOUT_S) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        for frame in container.decode(stream):
            at_s = time.monotonic()
            seen = True
            plane = frame.planes[0]
            luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            number = number_of(luma[: frame.height, : frame.width])
            image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) if count else None
            pixels = -1 if image is None else magenta(image)
            if keep and image is not None and pixels:
                keep.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(keep / f"{connection}-{frame.pts}.png"), image)
            shown = -1 if number is None else number
            print(shown, at_s, float(frame.time or 0), connection, pixels, flush=True)
    return seen


def main() -> None:
    """Read back for as long as the parent holds standard input open."""
    url, what, *keep = sys.argv[1:]
    folder = Path(keep[0]) if keep else None
    end_with_parent()
    connection = 0
    while True:
        try:
            connection += read_back(url, connection, count=what == "magenta", keep=folder)
        except (FFmpegError, OSError):
            connection += 1
        time.sleep(_AGAIN_S)


if __name__ == "__main__":
    main()
