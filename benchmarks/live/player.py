"""Reads a stream back as a viewer would, and looks at every frame; runs in a process of its own.

Every frame is a line on standard output: its number, -1 where it shows none (a card, or a frame
that is covered whole); the monotonic clock; its time stamp in seconds; the connection, counted from
0; its painted pixels (-1 when they are not counted).
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import av
import cv2
import numpy as np
from av.error import FFmpegError

from benchmarks.live.clips import magenta, number_of

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
class Seen:
    """One frame that was read back."""

    number: int
    at_s: float
    time_s: float
    connection: int
    magenta: int

    @classmethod
    def parse(cls, line: str) -> Seen:
        """Read what :func:`watch` wrote."""
        number, at_s, time_s, connection, pixels = line.split()
        return cls(int(number), float(at_s), float(time_s), int(connection), int(pixels))


def watch(url: str, connection: int, *, count: bool, keep: Path | None = None) -> bool:
    """Read until the stream ends; tell whether there was anything.

    Args:
        url: to read.
        connection: its number, for the lines.
        count: also count the painted pixels.
        keep: folder for pictures of the frames that show any, to look at.

    Raises:
        FFmpegError: there is no server, or no stream, or it went.
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


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Watch for as long as the parent holds standard input open."""
    url, what, *keep = sys.argv[1:]
    folder = Path(keep[0]) if keep else None
    Thread(target=_end_with_parent, daemon=True).start()
    connection = 0
    while True:
        try:
            connection += watch(url, connection, count=what == "magenta", keep=folder)
        except (FFmpegError, OSError):
            connection += 1
        time.sleep(_AGAIN_S)


if __name__ == "__main__":
    main()
