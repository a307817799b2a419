"""The demo clip with its face painted, so that a raw face can be counted in pixels.

Luma stays, so that detector and mesh see a face. Chroma turns into checks of magenta and green,
which no portrait of the gallery has, and which every honest cover mixes to grey.
"""

from functools import lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8
from testkit.networks import mesh_fitter
from testkit.paths import DEMO

SIZE = (640, 480)
FRAMES = 45

SHOWS = 250
"""Loud pixels from which on a raw face shows: a hundredth of one."""

_CHECK_PX = 16
_INSIDE = 0.65
"""Of the mesh: paint misleads it in tests, so that its edge lies a little beside."""

_LOUD = 60


@lru_cache(maxsize=1)
def painted_frames() -> tuple[NDArray[np.uint8], ...]:
    """Return frames of the clip, each (720, 640) uint8: the planes of 4:2:0, as PyAV has them."""
    fitter, frames = mesh_fitter(), []
    roi = np.array([(60, 10), (520, 10), (60, 470)], np.float32)
    with av.open(str(DEMO)) as container:
        for frame in container.decode(video=0):
            image = np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)[:, 120:600]
            image = np.asarray(cv2.resize(image, SIZE), np.uint8)
            mesh = fitter.fit(as_picture(image), roi)
            roi = lm.roi_from_mesh(mesh.points)
            frames.append(_painted(image, mesh.points[:, :2]))
            if len(frames) == FRAMES:
                break
    return tuple(frames)


def painted_images() -> list[U8]:
    """Return the frames of the clip as (480, 640, 3) uint8 BGR."""
    return [
        np.asarray(cv2.cvtColor(one, cv2.COLOR_YUV2BGR_I420), np.uint8) for one in painted_frames()
    ]


def _painted(image: U8, points: F32) -> NDArray[np.uint8]:
    planes = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8)
    hull = cv2.convexHull(np.ascontiguousarray(points, np.float32))
    middle = hull.mean(axis=0)
    inside = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, np.rint(middle + _INSIDE * (hull - middle)).astype(np.int32), 255)
    small = inside[::2, ::2] > 0
    rows, columns = np.indices(small.shape) // (_CHECK_PX // 2)
    checks = np.where((rows + columns) % 2, 220, 30).astype(np.uint8)
    width, height = SIZE
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    chroma[:, small] = checks[small]
    return planes


def loud_pixels(image: U8) -> int:
    """Count the pixels of a (h, w, 3) uint8 BGR image that are magenta or green as the paint is."""
    _, red, blue = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb).astype(np.int16))
    u, v = blue - 128, red - 128
    return int(((np.minimum(u, v) > _LOUD) | (np.maximum(u, v) < -_LOUD)).sum())


def magenta_pixels(image: U8) -> int:
    """Count the magenta pixels of a (h, w, 3) uint8 BGR image."""
    blue, green, red = (image[..., channel].astype(int) for channel in range(3))
    return int(((blue > 150) & (red > 150) & (green < 100)).sum())


def write_y4m(path: Path) -> None:
    """Write the painted clip as a file that Chromium takes for a camera."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{SIZE[0]} H{SIZE[1]} F30:1 Ip A1:1 C420mpeg2\n".encode())
        for planes in painted_frames():
            file.write(b"FRAME\n" + planes.tobytes())
