"""Still pictures, one or several in a file, encoded without metadata but for the colours' profile.

PNG, TIFF and JPEG 2000 keep samples of 16 bits.
"""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from streamanon.atomic_write import EVERYBODY
from streamanon.errors import UsageError
from streamanon.extras import heif
from streamanon.imaging.picture import whole_bgr
from streamanon.media.file_types import HEAD_BYTES, PICTURE_FORMATS, picture_format
from streamanon.sinks.part_file import PartFile
from streamanon.types import U8, MediaInfo, Picture, RevealedFrame, SafeFrame

MOST_PIXELS = 400_000_000
"""Pixels of all pictures of an animation, which is kept in memory until it is complete."""

_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "MPO": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 3},
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "HEIF": {"quality": 90, "chroma": 444},
}
_ANIMATED = ("PNG", "WEBP", "AVIF")
_SEVERAL = (*_ANIMATED, "MPO", "TIFF")
_WITHOUT_PROFILE = ("BMP", "JPEG2000")
_DEEP = {"PNG": [cv2.IMWRITE_PNG_COMPRESSION, 3], "JPEG2000": []}
"""Settings of OpenCV, which writes 16 bits of these formats."""


class ImageSink:
    """Writes pictures without metadata, with their depth where the format has it."""

    def __init__(
        self,
        path: Path,
        original: Path,
        info: MediaInfo,
        *,
        overwrite: bool = False,
        mode: int = EVERYBODY,
    ) -> None:
        """Prepare an output made from an original picture; the mode are its permissions.

        Raises:
            UsageError: the output cannot be written as asked.
        """
        self._suffix = path.suffix.lower()
        if self._suffix not in PICTURE_FORMATS:
            raise UsageError(
                f"output {path} is no picture: wanted one of {' '.join(PICTURE_FORMATS)}"
            )
        self.changes = list(info.changes)
        self._info, self._several = info, (info.frame_count or 1) > 1
        self._format = PICTURE_FORMATS[self._suffix]
        self._options = dict(_OPTIONS.get(self._format, {}))
        if self._several:
            self._check_several(path, original)
        if self._format == "WEBP" and _is_lossless_webp(original):
            self._options = {"lossless": True}
        if self._format == "HEIF":
            heif(path)
        if info.colour.depth > 8 and self._format not in (*_DEEP, "TIFF"):
            self.changes.append(f"{self._format} holds 8 bits: 16 bits become 8")
        self._part = PartFile(path, original, overwrite=overwrite, mode=mode)
        tiff = self._format == "TIFF"
        self._tiff = tifffile.TiffWriter(self._part.path) if tiff else None
        self._pages: list[Image.Image] = []
        self._durations: list[int] = []

    def _check_several(self, path: Path, original: Path) -> None:
        """Refuse several pictures for a format of one, or more than memory should hold."""
        count, size = self._info.frame_count or 1, (self._info.width, self._info.height)
        with original.open("rb") as file:
            found = picture_format(file.read(HEAD_BYTES), original.suffix.lower())
        if self._format == found == "JPEG":
            self._format = "MPO"
        if self._format not in _SEVERAL:
            raise UsageError(
                f"{original} holds {count} pictures, {path} can hold one: "
                "use .tiff for pages, .webp or .png for an animation"
            )
        if self._format != "TIFF" and count * size[0] * size[1] > MOST_PIXELS:
            raise UsageError(
                f"{original} holds {count} pictures of {size[0]}x{size[1]}, wanted at most "
                f"{MOST_PIXELS // 10**6} million pixels in all: split it, or make a video of it"
            )

    def write(self, frame: SafeFrame | RevealedFrame) -> None:
        """Encode a picture; those of an animation are written at the end."""
        try:
            if self._tiff:
                self._write_page(self._tiff, frame.picture)
            elif self._several:
                self._pages.append(Image.fromarray(self._rgb(frame.picture)))
                self._durations.append(frame.duration or 1)
                self._profile = frame.picture.colour.profile
            else:
                self._write_only(frame.picture)
        except Exception as error:
            raise self._part.failure(error) from error

    def close(self, *, complete: bool) -> None:
        """Publish the file if complete, else delete it."""
        try:
            if self._tiff:
                self._tiff.close()
            if complete and self._pages:
                timed = {"duration": self._durations, "loop": self._info.loop}
                more: dict[str, Any] = timed if self._format in _ANIMATED else {}
                more |= {"save_all": True, "append_images": self._pages[1:]}
                self._save(self._pages[0], self._profile, **more)
        except Exception as error:
            self._part.discard()
            raise self._part.failure(error) from error
        if complete:
            self._part.publish()
        else:
            self._part.discard()

    def _write_only(self, picture: Picture) -> None:
        """Write the only picture of a file."""
        profile = picture.colour.profile
        deep = picture.colour.depth > 8 and self._format in _DEEP
        if not deep or (profile and self._format in _WITHOUT_PROFILE):
            self._save(Image.fromarray(self._rgb(picture)), profile)
            return
        array, settings = cv2.merge(picture.planes), _DEEP[self._format]
        known = [cv2.IMAGE_METADATA_ICCP] if profile else []
        stored = [np.frombuffer(profile, np.uint8)] if profile else []
        _, encoded = cv2.imencodeWithMetadata(self._suffix, array, known, stored, settings)
        self._part.path.write_bytes(encoded.tobytes())

    def _write_page(self, tiff: tifffile.TiffWriter, picture: Picture) -> None:
        tiff.write(
            cv2.merge(picture.planes[::-1]),
            photometric="rgb",
            compression="zlib",
            iccprofile=picture.colour.profile or None,
            software=False,
            metadata=None,
            contiguous=False,
        )

    def _save(self, image: Image.Image, profile: bytes, **more: Any) -> None:
        """Write a picture, and those that follow it."""
        kept = profile if self._format not in _WITHOUT_PROFILE else b""
        options = {"icc_profile": kept or None, **self._options, **more}
        if self._format == "HEIF":
            image.info["icc_profile"] = options.pop("icc_profile")
            heif(self._part.path).from_pillow(image).save(self._part.path, **options)
        else:
            image.save(self._part.path, self._format, **options)

    def _rgb(self, picture: Picture) -> U8:
        """Return (h, w, 3) uint8 RGB, in sRGB where the format has no profile."""
        if picture.colour.profile and self._format in _WITHOUT_PROFILE:
            return np.asarray(whole_bgr(picture)[:, :, ::-1], np.uint8)
        array = cv2.merge(picture.planes[::-1])
        if picture.colour.depth > 8:
            array = cv2.convertScaleAbs(array, alpha=255 / ((1 << picture.colour.depth) - 1))
        return np.asarray(array, np.uint8)


def _is_lossless_webp(path: Path) -> bool:
    """Tell whether the first picture of a file is WebP without loss.

    Source: WebP Container Specification (RIFF chunks; frames of animations hold chunks again).
    """
    with path.open("rb") as file:
        if file.read(12)[8:] != b"WEBP":
            return False
        while len(header := file.read(8)) == 8:
            if header[:4] in (b"VP8 ", b"VP8L"):
                return header[:4] == b"VP8L"
            size = int.from_bytes(header[4:], "little")
            file.seek(16 if header[:4] == b"ANMF" else size + size % 2, os.SEEK_CUR)
    return False
