"""Sizes of the pictures in a file, read from their headers: nothing is decoded."""

import warnings
from contextlib import suppress
from io import BytesIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_FORMATS = ("JPEG", "PNG", "WEBP")
"""Pillow's names of the formats that hold one size."""

_ANIMATED = ("PNG", "WEBP")
_TIFF = (b"II*\0", b"MM\0*")
_BIG_TIFF = (b"II+\0", b"MM\0+")
_WIDTH, _HEIGHT = 256, 257
"""Tags of TIFF 6.0, page 34 and 18."""

_SIGNATURE_BYTES = 16
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, TypeError, LookupError)
"""What Pillow raises on headers that make no sense."""


def stated_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return width and height in pixels of every page or frame of a JPEG, PNG, WebP or TIFF file.

    There are none if it has no header.
    """
    with warnings.catch_warnings(action="ignore"):  # of EXIF that is broken
        return _tiff_sizes(data) if data.startswith((*_TIFF, *_BIG_TIFF)) else _sizes(data)


def _sizes(data: bytes) -> list[tuple[int, int]]:
    Image.init()
    for name in _FORMATS:
        # not Image.open: its own limit of pixels is for the whole process
        factory, accepts = Image.OPEN[name]
        if accepts is None or accepts(data[:_SIGNATURE_BYTES]) is not True:
            continue
        with suppress(*_BROKEN):
            header = factory(BytesIO(data), "")
            return [header.size] * (getattr(header, "n_frames", 1) if name in _ANIMATED else 1)
    return []


def _tiff_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return the sizes of all pages; Pillow itself refuses some that OpenCV can decode."""
    file, sizes = BytesIO(data), dict[int, tuple[int, int]]()
    with suppress(*_BROKEN):
        page = ImageFileDirectory_v2(file.read(16 if data.startswith(_BIG_TIFF) else 8))
        while page.next and page.next not in sizes:
            at = page.next
            file.seek(at)
            page.load(file)
            sizes[at] = int(page[_WIDTH]), int(page[_HEIGHT])
    return list(sizes.values())
