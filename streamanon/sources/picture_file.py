"""A file of one or more still pictures, of any format Pillow knows, decoded page by page.

Samples of 16 bits a channel are decoded by OpenCV: Pillow keeps 8 of them unless they are grey.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import av
import cv2
import numpy as np
from av.error import FFmpegError, InvalidDataError
from PIL import ImageFile
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.Image import Image, fromarray
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from streamanon.errors import MediaError, StreamanonError, UsageError, error_line
from streamanon.extras import heif
from streamanon.imaging.orientation import Orientation, from_exif
from streamanon.imaging.profiles import as_srgb, reduced_profile
from streamanon.media.file_types import (
    HEAD_BYTES,
    PICTURE_FORMATS,
    begins_like_video,
    picture_format,
)
from streamanon.media.pixel_limit import PICTURE, check_pixels
from streamanon.sources.picture_properties import has_film, stated_profile, stored_bits
from streamanon.types import ColourSpace, Picture, Plane

_OPENERS: dict[str, Callable[[IO[bytes]], ImageFile.ImageFile]] = {
    "JPEG": jpeg_factory,
    "PNG": PngImageFile,
    "WEBP": WebPImageFile,
    "TIFF": TiffImageFile,
    "BMP": BmpImageFile,
    "JPEG2000": Jpeg2KImageFile,
    "AVIF": AvifImageFile,
}
"""Used instead of Image.open, whose limit of pixels holds for the whole process."""

_ORIENTATION = 0x112
_SUBFILE, _DNG_VERSION = 254, 50706
_REDUCED, _MASK = 1, 4
"""Bits of TIFF's NewSubfileType."""

_DEEP_LAYOUTS = ("RGB;16", "RGBA;16", "RGBX;16", "LA;16")

_STRIPE = 256
"""Rows that are laid over white at a time."""


def is_picture(path: Path) -> bool:
    """Tell by its content whether a file is a still picture, or by its name if that is unclear."""
    kind = kind_of(path)
    return kind == "picture" or (kind is None and path.suffix.lower() in PICTURE_FORMATS)


def kind_of(path: Path) -> str | None:
    """Return "picture" or "video" where the content of a file shows that it is one; else None."""
    head, suffix = b"", path.suffix.lower()
    if path.is_file():  # nothing is taken out of a pipe
        with suppress(OSError), path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    if picture_format(head, suffix):
        return "picture"
    return "video" if begins_like_video(head) else None


def is_animation(path: Path) -> bool:
    """Tell whether a file holds pictures that follow each other in time, which FFmpeg decodes."""
    try:
        file = PictureFile(path)
    except StreamanonError:
        return False
    with closing(file):
        return file.timed and file.name != "WEBP"


class PictureFile:
    """An open picture file.

    Attributes:
        pages: numbers of the pictures that are shown; previews, masks and gain maps are not.
        changes: what is converted and what stays behind, a line for each.
        name: Pillow's name of its format.
        timed: whether the pictures follow each other in time.
        loop: times they are shown then, 0 for again and again.
    """

    def __init__(self, path: Path, max_pixels: int = PICTURE) -> None:
        """Open a file and read its headers; nothing is decoded.

        Raises:
            UsageError: it does not exist, may not be read, or its format needs an extra.
            MediaError: it is not a picture, or holds one of more than ``max_pixels``.
        """
        self._path = path
        self._file, self._image = _open(path)
        try:
            with _failures_named(path):
                check_pixels(path, self._image.size, max_pixels)
                sizes = _sizes(self._image)
                for size in sizes:
                    check_pixels(path, size, max_pixels)
                self.pages = _pages(self._image, sizes)
                self.changes = self._changes()
        except BaseException:
            self.close()
            raise
        self.loop = int(self._image.info.get("loop", 0))
        self.name = self._image.format
        self.timed = len(self.pages) > 1 and self.name in ("PNG", "WEBP", "AVIF")

    def read(self, page: int) -> tuple[Picture, int | None]:
        """Decode one of :attr:`pages`, upright, over white where it is transparent.

        Returns:
            Planes of B, G and R, and for how many milliseconds it is shown, if the file says so.

        Raises:
            MediaError: it cannot be decoded.
        """
        with _failures_named(self._path):
            self._image.seek(page)
            if self._image.format in ("JPEG", "MPO"):
                self._check_jpeg()
            deep, icc = _is_deep(self._image, self._file), stated_profile(self._image, self._file)
            if not deep:
                self._image.load()
            duration = self._image.info.get("duration")
            picture = self._deep(page, icc) if deep else self._flat(icc)
        return picture, round(duration) if duration else None

    def close(self) -> None:
        """Close the file and free its decoder, which holds pictures; safe to call twice."""
        self._file.close()
        if image := vars(self).pop("_image", None):
            image.close()

    def _changes(self) -> tuple[str, ...]:
        """Return what is converted and what stays behind."""
        image, file, changes = self._image, self._file, []
        if image.mode in ("CMYK", "LAB"):
            changes.append(f"{image.mode} becomes sRGB")
        bits, left_behind = stored_bits(image, file), _count(image) - len(self.pages)
        if image.mode.startswith("I;16") or _is_deep(image, file):
            if _profile(stated_profile(image, file)) is None:
                changes.append("16 bits become 8: its colours, which a table defines, become sRGB")
        elif bits > 8:
            changes.append(f"{bits} bits become 8")
        if left_behind:
            changes.append(f"{left_behind} previews, masks or further views stay behind")
        if has_film(image, file):
            changes.append("the film of a motion photo stays behind")
        return tuple(changes)

    def _check_jpeg(self) -> None:
        """Refuse the page that is next when its data make no sense.

        libjpeg, which decodes it, goes on after errors, and Pillow does not tell: what is made up
        then may be a face that no detector finds. FFmpeg can stop at the first error.
        """
        self._file.seek(getattr(self._image, "offset", 0))
        decoder = av.CodecContext.create("mjpeg", "r")
        decoder.options = {"err_detect": "explode+bitstream+buffer"}
        try:
            decoder.decode(av.Packet(self._file.read()))
        except InvalidDataError as error:
            raise ValueError("its data are damaged") from error
        except FFmpegError:  # of a kind that FFmpeg does not know
            return

    def _flat(self, icc: bytes) -> Picture:
        """Return the page that is loaded, of 8 bits a channel or 16 bits of grey."""
        image, turn = self._image, self._orientation()
        if image.mode.startswith("I;16"):
            grey = np.asarray(image).astype(np.uint16)
            if _profile(icc) is None:
                return _picture(_by_table([grey], icc), turn, b"")
            return _picture((grey,) * 3, turn, _profile(icc) or b"")
        if image.mode in ("I", "F"):
            raise MediaError(
                f"{self._path} has samples of {'int32' if image.mode == 'I' else 'float32'}: "
                "wanted 8 or 16 bits a channel, convert it"
            )
        converted, profile = _in_rgb(image, icc)
        planes: list[Plane] = [
            np.asarray(converted.getchannel(name), np.uint8) for name in converted.getbands()
        ]
        return _picture(_over_white(planes)[::-1], turn, profile)

    def _deep(self, page: int, icc: bytes) -> Picture:
        """Return a page of 16 bits a channel."""
        stored = np.frombuffer(self._path.read_bytes(), np.uint8)
        found, pages = cv2.imdecodemulti(stored, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
        if not found or pages[0].dtype != np.uint16 or pages[0].ndim != 3:
            raise MediaError(f"{self._path} cannot be decoded: check the file")
        transparent = self._image.has_transparency_data
        stored_planes = cast("Sequence[Plane]", cv2.split(pages[0]))[: 4 if transparent else 3]
        planes, profile = _over_white(stored_planes), _profile(icc)
        if profile is None:
            planes = _by_table(planes, icc)
        return _picture(planes, self._orientation(), profile or b"")

    def _orientation(self) -> Orientation:
        """Return how the page is to be turned; of TIFF both decoders turn it by themselves."""
        if isinstance(self._image, TiffImageFile):
            return Orientation()
        return from_exif(self._image.getexif().get(_ORIENTATION, 1))


def _open(path: Path) -> tuple[IO[bytes], ImageFile.ImageFile]:
    """Open a picture by its content."""
    if not path.exists():
        raise UsageError(f"input {path} does not exist: check the name")
    if path.is_dir():
        raise UsageError(f"input {path} is a folder: name a picture")
    try:
        file = path.open("rb")
    except PermissionError as error:
        raise UsageError(f"input {path} may not be read: check its permissions") from error
    except OSError as error:
        raise MediaError(f"{path} cannot be read ({error.strerror}): check the disk") from error
    try:
        name = picture_format(file.read(HEAD_BYTES), path.suffix.lower())
        file.seek(0)
        if name is None:
            wanted = ", ".join(dict.fromkeys(PICTURE_FORMATS.values()))
            raise MediaError(f"{path} is not a picture that can be read: wanted one of {wanted}")
        with _failures_named(path):
            opener = heif(path).HeifImageFile if name == "HEIF" else _OPENERS[name]
            return file, opener(file)
    except BaseException:
        file.close()
        raise


@contextmanager
def _failures_named(path: Path) -> Iterator[None]:
    """Turn any failure of a decoder into an error that names the file; silence its warnings."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except StreamanonError:
        raise
    except Exception as error:
        raise MediaError(f"{path} cannot be decoded ({error_line(error)}): check it") from error


def _count(image: ImageFile.ImageFile) -> int:
    return int(getattr(image, "n_frames", 1))


def _sizes(image: ImageFile.ImageFile) -> list[tuple[int, int]]:
    """Return width and height of each picture of a file."""
    sizes = [image.size] * _count(image)
    if image.format in ("MPO", "TIFF"):
        for number in range(len(sizes)):
            image.seek(number)
            sizes[number] = image.size
    return sizes


def _pages(image: ImageFile.ImageFile, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """Return the numbers of the pictures of a file that are shown."""
    numbers = list(range(_count(image)))
    if image.format == "PNG" and image.info.get("default_image"):
        return numbers[1:]  # it is for viewers that do not know animations
    if image.format == "HEIF":
        return [image.tell()]
    if image.format == "MPO":
        return [number for number in numbers if sizes[number] == sizes[0]]
    if isinstance(image, TiffImageFile):
        if _DNG_VERSION in image.tag_v2:
            raise ValueError("a raw photograph: develop it first")
        kinds = []
        for number in numbers:
            image.seek(number)
            kinds.append(int(image.tag_v2.get(_SUBFILE, 0)))
        return [number for number in numbers if not kinds[number] & (_REDUCED | _MASK)] or [0]
    return numbers


def _is_deep(image: ImageFile.ImageFile, file: IO[bytes]) -> bool:
    """Tell whether a page that is not loaded has several channels of 16 bits."""
    if image.format == "JPEG2000":
        return image.mode == "RGB" and stored_bits(image, file) == 16
    if not (isinstance(image, TiffImageFile) or (image.format == "PNG" and _count(image) == 1)):
        return False
    return any(_layout(tile.args).startswith(_DEEP_LAYOUTS) for tile in image.tile)


def _layout(arguments: tuple[Any, ...] | str | None) -> str:
    """Return Pillow's name of the order of samples, from the arguments of a decoder."""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments)


def _profile(icc: bytes) -> bytes | None:
    """Return a reduced profile; b"" for one that cannot be read, as viewers do."""
    try:
        return reduced_profile(icc) if icc else b""
    except ValueError:
        return b""


def _in_rgb(image: Image, icc: bytes) -> tuple[Image, bytes]:
    """Return a picture as RGB or RGBA, and the profile of its colours."""
    opaque = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode in ("CMYK", "LAB"):
        with suppress(ValueError):
            return as_srgb(image, icc), b""
        return image.convert("RGB"), b""
    profile = _profile(icc)
    rgb = image if image.mode == opaque else image.convert(opaque)
    if profile is None:
        with suppress(ValueError):
            grey = image.mode in ("1", "L", "LA")
            converted = as_srgb(image.convert("L" if grey else "RGB"), icc)
            if opaque == "RGBA":
                converted.putalpha(rgb.getchannel("A"))
            return converted, b""
    return rgb, profile or b""


def _by_table(planes: Sequence[Plane], icc: bytes) -> list[Plane]:
    """Return planes of B, G and R in sRGB, of 8 bits, from grey or B, G, R of 16 bits.

    Colours of a profile that cannot be used are taken for sRGB, as viewers do.
    """
    grey, alpha = len(planes) == 1, 255 / np.iinfo(np.uint16).max
    if grey:  # a level of 8 bits may be many of sRGB: what is between them is interpolated
        image = fromarray(np.arange(256, dtype=np.uint8)[None])
    else:
        samples = [cv2.convertScaleAbs(plane, alpha=alpha) for plane in planes[::-1]]
        image = fromarray(cv2.merge(samples))
    try:
        image = as_srgb(image, icc)
    except ValueError:
        image = image.convert("RGB")
    found: list[Plane] = [np.asarray(image.getchannel(name), np.uint8) for name in "BGR"]
    if not grey:
        return found
    levels = np.arange(np.iinfo(np.uint16).max + 1) * alpha
    tables = [np.interp(levels, np.arange(256), one[0]) for one in found]
    return [np.rint(table).astype(np.uint8)[planes[0]] for table in tables]


def _over_white(planes: Sequence[Plane]) -> list[Plane]:
    """Return three planes over white, as viewers show them: transparency can show a face."""
    if len(planes) == 3:
        return list(planes)
    full = np.iinfo(planes[0].dtype).max
    seen = [plane.copy() for plane in planes[:3]]
    for top in range(0, planes[0].shape[0], _STRIPE):
        rows = slice(top, top + _STRIPE)
        share = planes[3][rows] / np.float32(full)
        for plane in seen:
            plane[rows] = np.rint(full + (plane[rows] - np.float32(full)) * share)
    return seen


def _picture(planes: Sequence[Plane], turn: Orientation, profile: bytes) -> Picture:
    """Return upright planes of B, G and R as a picture."""
    upright = tuple(cast("Plane", np.ascontiguousarray(turn.upright(plane))) for plane in planes)
    depth = 8 if upright[0].dtype == np.uint8 else 16
    colour = ColourSpace("rgb", full_range=True, depth=depth, chroma_shift=(0, 0), profile=profile)
    return Picture(upright, colour)
