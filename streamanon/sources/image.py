"""Still pictures, decoded with OpenCV."""

from __future__ import annotations

import re
import struct
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from streamanon.errors import MediaError, UsageError
from streamanon.imaging.orientation import Orientation, from_exif
from streamanon.types import ColourSpace, Frame, MediaInfo, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamanon.types import Plane

_TIFF_HEADER = rb"II\*\0|MM\0\*"
_EXIF = re.compile(rb"(?:Exif\0\0|eXIf|EXIF....)(?=" + _TIFF_HEADER + rb")", re.DOTALL)
"""How EXIF begins in JPEG (and in some WebP), in PNG and in WebP; a TIFF header follows."""
_ORIENTATION = 0x0112
"""The tag, EXIF 2.32 table 4."""


class ImageSource:
    """Yields one picture, upright, as planes of B, G and R; what is transparent lies over white."""

    def __init__(self, path: Path) -> None:
        """Decode a picture.

        Raises:
            UsageError: there is no such file.
            MediaError: it is not one whole still picture.
        """
        self._picture = _picture(path)
        self._info = MediaInfo(
            name=path.name,
            width=self._picture.width,
            height=self._picture.height,
            colour=self._picture.colour,
            time_base=Fraction(1),
            rate=Fraction(1),
            frame_count=1,
            path=path,
        )

    @property
    def info(self) -> MediaInfo:
        """What is known of the picture."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the only frame."""
        yield Frame(0, self._picture, 0, self._info.time_base)

    def close(self) -> None:
        """Do nothing: the file was closed after it was read."""


def _picture(path: Path) -> Picture:
    if not path.exists():
        raise UsageError(f"input {path} does not exist: check the name")
    if path.is_dir():
        raise UsageError(f"input {path} is a folder: name a picture")
    try:
        data = path.read_bytes()
    except PermissionError as error:
        raise UsageError(f"input {path} may not be read: check its permissions") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}): check the disk") from error
    array = _decoded(data, path)
    if array.ndim == 2:
        array = array[:, :, None].repeat(3, axis=2)
    if array.dtype not in (np.uint8, np.uint16) or array.shape[2] not in (3, 4):
        raise MediaError(
            f"{path} has {array.shape[2]} channels of {array.dtype}: wanted grey, RGB or RGBA of "
            "8 or 16 bits, convert it"
        )
    if array.shape[2] == 4:
        array = _over_white(array)
    # libtiff has turned it already
    is_tiff = re.match(_TIFF_HEADER, data)
    orientation = Orientation() if is_tiff else from_exif(_exif_orientation(data))
    planes: tuple[Plane, ...] = tuple(
        orientation.upright(array[:, :, channel]).copy() for channel in range(3)
    )
    depth = 8 if array.dtype == np.uint8 else 16
    return Picture(planes, ColourSpace("rgb", full_range=True, depth=depth, chroma_shift=(0, 0)))


def _over_white(array: Plane) -> Plane:
    """Return a (h, w, 4) picture as viewers show it: a face can hide in its transparency, too."""
    full = np.float32(np.iinfo(array.dtype).max)
    share = array[:, :, 3:] / full
    seen = np.rint(full + (array[:, :, :3] - full) * share)
    return seen.astype(np.uint8) if array.dtype == np.uint8 else seen.astype(np.uint16)


def _decoded(data: bytes, path: Path) -> Plane:
    """Return the stored samples, (h, w) or (h, w, channels).

    Raises:
        MediaError: there are none, or they are more than one picture.
    """
    stored = np.frombuffer(data, np.uint8)
    try:
        pages = [] if not data else cv2.imdecodemulti(stored, cv2.IMREAD_UNCHANGED)[1]
    except cv2.error as error:
        raise MediaError(f"{path} cannot be decoded ({error.err}): check the file") from error
    if not pages:
        raise MediaError(f"{path} is not a picture that can be read: wanted jpg, png, webp or tiff")
    if len(pages) > 1:
        raise MediaError(f"{path} holds {len(pages)} pictures: wanted one, split it")
    return cast("Plane", pages[0])


def _exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation of a JPEG, PNG or WebP file, 1 where it has none."""
    found = _EXIF.search(data)
    if not found:
        return 1
    exif = memoryview(data)[found.end() :]
    order = "<" if exif[0] == ord("I") else ">"
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, entry)
            if tag == _ORIENTATION:
                return int(value)
    except struct.error:
        return 1
    return 1
