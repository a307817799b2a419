"""Videos written from arrays, and read back as arrays."""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from streamanon.types import U8


def write_video(
    path: Path,
    images: Iterable[NDArray[np.uint8]],
    *,
    form: str = "bgr24",
    rate: int = 25,
    crf: int = 8,
    pts: Callable[[int], int] = int,
) -> Path:
    """Encode pictures as H.264 in 4:2:0.

    Args:
        path: file to write.
        images: (h, w, 3) uint8 BGR, or planes in another of PyAV's formats.
        form: PyAV's name of their format.
        rate: frames per second.
        crf: constant rate factor.
        pts: returns the time of a picture in frames, from its number.
    """
    with av.open(str(path), "w") as container:
        options = {"crf": str(crf), "preset": "veryfast"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt = "yuv420p"
        for index, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format=form)
            if index == 0:
                stream.width, stream.height = frame.width, frame.height
            frame.pts = pts(index)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read_frames(path: Path, count: int | None = None) -> list[av.VideoFrame]:
    """Return the frames of a video, or the first of them."""
    with av.open(str(path)) as container:
        return list(islice(container.decode(video=0), count))


def bgr(frame: av.VideoFrame) -> U8:
    """Return a frame as (h, w, 3) uint8 BGR."""
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def read_images(path: Path, count: int | None = None) -> list[U8]:
    """Return the frames of a video, or the first of them, as (h, w, 3) uint8 BGR."""
    return [bgr(frame) for frame in read_frames(path, count)]
