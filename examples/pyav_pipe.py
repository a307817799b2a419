"""Decode with PyAV, anonymise, encode with PyAV: your own filters before and after.

    python examples/pyav_pipe.py examples/demo.mp4 safe.mp4

Each frame goes in with its time and comes out with it, so that video of a varying frame rate keeps
its rhythm. ``anonymiser.file`` keeps sound, rotation, colour tags and more; use it where you do not
need the frames in between.
"""

import sys
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

import streamanon

TICK = Fraction(1, 90_000)


def decoded(path: str) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the frames of a file with their times in seconds."""
    with av.open(path) as container:
        for frame in container.decode(video=0):
            if frame.time is not None:
                yield frame.time, frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)


def main(source: str, target: str) -> int:
    """Anonymise a file and return how many frames were written."""
    count = 0
    with streamanon.Anonymiser() as anonymiser, av.open(target, "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "20"})
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", TICK
        for safe in anonymiser.frames(decoded(source), faces=True):
            frame = av.VideoFrame.from_ndarray(safe.image, format="bgr24")
            frame.pts, frame.time_base = round(safe.time_s / TICK), TICK
            if not count:
                stream.width, stream.height = frame.width, frame.height
            container.mux(stream.encode(frame))
            count += 1
        container.mux(stream.encode())
    return count


if __name__ == "__main__":
    print(f"{main(*sys.argv[1:3])} frames written")
