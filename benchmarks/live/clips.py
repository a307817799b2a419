"""Clips to play as a camera: numbered, so that frames can be identified, and with painted faces.

The number stands along the upper edge as black and white blocks, which survive any encoder. The
paint is a chequer of magenta and green on cheeks and nose: the detector and the mesh still find the
face, every method takes the paint away completely, and such a pixel is a pixel of a raw face.
"""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.speed.clips import cut, paint
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource
from streamanon.types import F32, U8, Mesh

STRIP_PX = 16
"""Height of the number."""

_BITS, _CHECK_BITS = 16, 4
_MOST = 1 << (_BITS - _CHECK_BITS)
_CHECK_PX = 6
_HEADROOM_PX = 96
"""Rows between the number and the face's picture: no cover reaches the number."""

_PAINTED = (
    (118, 119, 50, 36, 205, 101),
    (347, 348, 280, 266, 425, 330),
    (6, 197, 195, 5, 4, 45, 275, 220, 440),
)
"""Mesh points around what is painted: cheeks and nose. None is near the edge of the mesh, where a
replacement is soft."""

_MAGENTA, _GREEN = (255, 0, 255), (0, 255, 0)
_CAMERA = {"crf": "14", "preset": "veryfast", "tune": "zerolatency", "forced-idr": "1"}
KEYFRAME_S = 0.5
"""Seconds between keyframes, as cameras are set up for live viewing."""


def write_numbered(path: Path, images: Iterable[U8], rate: Fraction | int) -> None:
    """Encode pictures as a camera would, each with its number.

    Args:
        path: file to write, an MPEG-TS (.ts).
        images: (h, w, 3) uint8 BGR; their uppermost rows are overwritten.
        rate: frames a second.
    """
    options = {**_CAMERA, "g": str(max(1, round(rate * KEYFRAME_S)))}
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=rate, options=options)
        for number, image in enumerate(images):
            numbered = np.ascontiguousarray(image)
            if number == 0:
                stream.height, stream.width = numbered.shape[:2]
                stream.pix_fmt = "yuv420p"
            _write_number(numbered, number)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered, format="bgr24")))
        container.mux(stream.encode())


def scene(clip: Path, height: int, faces: int, frames: int) -> Iterable[U8]:
    """Yield a scene made of the footage of one person (:mod:`benchmarks.speed.clips`)."""
    footage = cut(clip, frames)
    for index in range(frames):
        yield paint(footage, index, height, faces)


def painted(clip: Path, frames: int) -> Iterable[U8]:
    """Yield the first frames of a clip of one person, with headroom, the face painted."""
    factory = Factory(Config())
    source = VideoSource(clip)
    mesh: Mesh | None = None
    try:
        for frame in source:
            if frame.index == frames:
                break
            for _ in range(1 if mesh else 3):
                roi = lm.roi_from_mesh(mesh.points) if mesh else _first_roi(factory, frame.picture)
                mesh = factory.mesher.fit(frame.picture, roi)
            assert mesh is not None
            yield _with_headroom(_painted(whole_bgr(frame.picture), mesh))
    finally:
        source.close()


def write_painted_pair(folder: Path, clip: Path, frames: int) -> tuple[Path, Path]:
    """Write a painted clip, and the same 1.5 times as large.

    Args:
        folder: folder for the two files.
        clip: clip of one person.
        frames: number of frames to take from its start.
    """
    images = list(painted(clip, frames))
    larger = [
        cv2.resize(image, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_NEAREST) for image in images
    ]
    paths = folder / "painted.ts", folder / "larger.ts"
    write_numbered(paths[0], images, 24)
    write_numbered(paths[1], (np.asarray(image, np.uint8) for image in larger), 24)
    return paths


def number_of(luma: NDArray[np.uint8]) -> int | None:
    """Read the number of a picture; None if it has no valid number.

    Args:
        luma: (h, w) luma plane of the picture.
    """
    width = luma.shape[1] // _BITS
    rows = luma[STRIP_PX // 4 : 3 * STRIP_PX // 4, : width * _BITS]
    blocks = rows.reshape(rows.shape[0], _BITS, width)[:, :, width // 4 : -(width // 4)]
    means = blocks.mean(axis=(0, 2))
    if (np.abs(means - 128) < 40).any():
        return None
    word = sum(int(mean > 128) << bit for bit, mean in enumerate(means))
    number = word >> _CHECK_BITS
    return number if word & (1 << _CHECK_BITS) - 1 == _check(number) else None


def magenta(image: U8) -> int:
    """Count the magenta pixels of a (h, w, 3) uint8 BGR picture that have green ones near.

    Magenta alone is not counted: damaged data that still decodes can have any colour.
    """
    blue, green, red = cv2.split(image)
    lit = np.minimum(blue, red)
    found = (lit > 170) & (green < 90)
    near = cv2.dilate(
        ((green > 170) & (np.maximum(blue, red) < 90)).astype(np.uint8),
        np.ones((2 * _CHECK_PX + 1, 2 * _CHECK_PX + 1), np.uint8),
    )
    return int((found & (near > 0)).sum())


def _check(number: int) -> int:
    """Return a check of 4 bits that is never all black or all white with its number."""
    return (number ^ number >> 4 ^ number >> 8 ^ 0b0101) & 0b1111


def _write_number(image: U8, number: int) -> None:
    word = (number % _MOST) << _CHECK_BITS | _check(number % _MOST)
    width = image.shape[1] // _BITS
    image[:STRIP_PX] = 0
    for bit in range(_BITS):
        if word >> bit & 1:
            image[:STRIP_PX, bit * width : (bit + 1) * width] = 255


def _first_roi(factory: Factory, picture: Any) -> F32:
    faces = factory.detector.detect(picture)
    if not faces:
        raise UsageError("the clip shows no face in its first frame: use another one")
    box = faces[0].box
    middle, half = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max()) * 0.75
    corners = np.array([(-half, -half), (half, -half), (-half, half)], np.float32)
    return np.asarray(middle + corners, np.float32)


def _painted(image: U8, mesh: Mesh) -> U8:
    points = mesh.points[:, :2]
    mask = np.zeros(image.shape[:2], np.uint8)
    for outline in _PAINTED:
        hull = cv2.convexHull(points[list(outline)].astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
    x, y = points[1].astype(int)
    rows, columns = np.indices(mask.shape)
    even = ((rows - y) // _CHECK_PX + (columns - x) // _CHECK_PX) % 2 == 0
    colours = np.where(even[..., None], np.array(_MAGENTA), np.array(_GREEN))
    return np.where(mask[..., None] > 0, colours, image).astype(np.uint8)


def _with_headroom(image: U8) -> U8:
    height, width = image.shape[:2]
    canvas = np.full((height + _HEADROOM_PX, width, 3), 40, np.uint8)
    canvas[_HEADROOM_PX:] = image
    return canvas
