"""Still pictures, encoded with OpenCV, which writes no metadata."""

from pathlib import Path

import cv2

from streamanon.errors import UsageError
from streamanon.sinks.part_file import PartFile
from streamanon.types import SafeFrame

_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95]
_SETTINGS = {
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".tif": [],
    ".tiff": [],
}
_HOLDS_16_BITS = (".png", ".tif", ".tiff")


class ImageSink:
    """Writes one picture without metadata, with its depth where the format has it.

    Attributes:
        changes: what is converted and what stays behind, a line for each.
    """

    def __init__(self, path: Path, original: Path, *, overwrite: bool = False) -> None:
        """Prepare the output.

        Args:
            path: name of the output once it is complete.
            original: picture it is made from.
            overwrite: replace an existing output.

        Raises:
            UsageError: the output cannot be written as asked.
        """
        self._suffix = path.suffix.lower()
        if self._suffix not in _SETTINGS:
            raise UsageError(f"output {path} is no picture: wanted one of {' '.join(_SETTINGS)}")
        self._part = PartFile(path, original, overwrite=overwrite)
        self.changes: list[str] = []

    def write(self, frame: SafeFrame) -> None:
        """Encode and write the picture.

        Raises:
            MediaError: the picture could not be written.
        """
        array = cv2.merge(frame.picture.planes)
        if frame.picture.colour.depth > 8 and self._suffix not in _HOLDS_16_BITS:
            array = cv2.convertScaleAbs(array, alpha=255 / ((1 << frame.picture.colour.depth) - 1))
        try:
            _, encoded = cv2.imencode(self._suffix, array, _SETTINGS[self._suffix])
            self._part.path.write_bytes(encoded.tobytes())
        except (cv2.error, OSError) as error:
            raise self._part.failure(error) from error

    def close(self, *, complete: bool) -> None:
        """Publish the picture if complete, else delete it."""
        if complete:
            self._part.publish()
        else:
            self._part.discard()
