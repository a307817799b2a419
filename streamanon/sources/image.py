"""Still pictures, decoded with OpenCV."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import cv2
import numpy as np

from streamanon.errors import MediaError, UsageError
from streamanon.imaging.orientation import Orientation, from_exif
from streamanon.imaging.picture_header import stated_sizes
from streamanon.media.pixel_limit import PICTURE, check_pixels
from streamanon.types import ColourSpace, Frame, MediaInfo, Picture, Plane

_TIFF_HEADERS = (b"II*\0", b"MM\0*")
_EXIF = cv2.IMAGE_METADATA_EXIF
_MARKER = np.arange(6, dtype=np.uint8).reshape(2, 3)
"""Picture that looks different in each of the eight orientations."""


class ImageSource:
    """Yields one picture, upright, in planes of B, G and R; transparency over white."""

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        """Decode a picture.

        Args:
            path: picture.
            max_pixels: pixels of the largest that is decoded; the default if left out.

        Raises:
            UsageError: the file does not exist or may not be read.
            MediaError: it is not one complete still picture, or too large.
        """
        self._picture = _picture(path, max_pixels or PICTURE)
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
        """Properties of the picture."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the only frame."""
        yield Frame(0, self._picture, 0, self._info.time_base)

    def close(self) -> None:
        """Do nothing: the file was closed when it had been read."""


def _picture(path: Path, max_pixels: int) -> Picture:
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
    _check_header(data, path, max_pixels)
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
    turned = data.startswith(_TIFF_HEADERS)  # libtiff turns pictures itself
    orientation = Orientation() if turned else _exif_orientation(data)
    planes: tuple[Plane, ...] = tuple(
        orientation.upright(array[:, :, channel]).copy() for channel in range(3)
    )
    depth = 8 if array.dtype == np.uint8 else 16
    return Picture(planes, ColourSpace("rgb", full_range=True, depth=depth, chroma_shift=(0, 0)))


def _over_white(array: Plane) -> Plane:
    """Return a (h, w, 4) picture over white, as viewers show it: transparency can show a face."""
    full = np.float32(np.iinfo(array.dtype).max)
    share = array[:, :, 3:] / full
    seen = np.rint(full + (array[:, :, :3] - full) * share)
    return seen.astype(np.uint8) if array.dtype == np.uint8 else seen.astype(np.uint16)


def _check_header(data: bytes, path: Path, max_pixels: int) -> None:
    """Look at a file before it is decoded.

    Raises:
        MediaError: it holds no picture, more than one, or one that is too large.
    """
    sizes = stated_sizes(data)
    if not sizes:
        raise MediaError(f"{path} is not a picture that can be read: wanted jpg, png, webp or tiff")
    for size in sizes:
        check_pixels(path, size, max_pixels)
    if len(sizes) > 1:
        raise MediaError(f"{path} holds {len(sizes)} pictures: wanted one, split it")


def _decoded(data: bytes, path: Path) -> Plane:
    """Return the stored samples, (h, w) or (h, w, channels).

    Raises:
        MediaError: the file cannot be decoded.
    """
    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise MediaError(f"{path} cannot be decoded ({error.err}): check the file") from error
    if array is None:
        raise MediaError(f"{path} cannot be decoded: it is cut off or damaged, check the file")
    return cast("Plane", array)


def _exif_orientation(data: bytes) -> Orientation:
    """Return how the EXIF of a JPEG, PNG or WebP file turns it upright.

    OpenCV turns a picture by its EXIF only if it may drop the transparency. So it gets a small
    picture with the same EXIF to turn.
    """
    stored = np.frombuffer(data, np.uint8)
    small = cv2.IMREAD_REDUCED_GRAYSCALE_8
    _, kinds, blocks = cv2.imdecodeWithMetadata(stored, flags=small)
    exif = [block for kind, block in zip(kinds, blocks, strict=True) if kind == _EXIF]
    if not exif:
        return Orientation()
    _, marked = cv2.imencodeWithMetadata(".png", _MARKER, [_EXIF], exif[:1])
    turned = cast("Plane", cv2.imdecode(marked, cv2.IMREAD_GRAYSCALE))
    orientations = (from_exif(code) for code in range(1, 9))
    return next(one for one in orientations if np.array_equal(one.upright(_MARKER), turned))
