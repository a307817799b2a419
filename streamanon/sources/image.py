"""Still pictures, one or several in a file."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from streamanon.media.pixel_limit import PICTURE
from streamanon.sources.picture_file import PictureFile
from streamanon.types import Frame, MediaInfo

_MILLISECOND = Fraction(1, 1000)
_USUAL_MS = 100
"""How long a picture of an animation is shown that does not say so, as browsers do."""


class ImageSource:
    """Yields the pictures of a file, upright, in planes of B, G and R; transparency over white.

    Those of an animation have their times. Pages are a second apart and do not follow each other.
    """

    def __init__(self, path: Path, max_pixels: int | None = None) -> None:
        """Decode the first picture, of so many pixels at most.

        Raises:
            UsageError: the file does not exist or may not be read.
            MediaError: it is not a picture, or holds one that is too large.
        """
        self._file = PictureFile(path, max_pixels or PICTURE)
        try:
            self._first = self._file.read(self._file.pages[0])
        except BaseException:
            self._file.close()
            raise
        if len(self._file.pages) == 1:
            self._file.close()  # frees its memory
        picture = self._first[0]
        self._info = MediaInfo(
            name=path.name,
            width=picture.width,
            height=picture.height,
            colour=picture.colour,
            time_base=_MILLISECOND if self._file.timed else Fraction(1),
            rate=Fraction(1000 // _USUAL_MS) if self._file.timed else Fraction(1),
            frame_count=len(self._file.pages),
            path=path,
            loop=self._file.loop,
            changes=self._file.changes,
        )

    @property
    def info(self) -> MediaInfo:
        """Properties of the first picture."""
        return self._info

    def __iter__(self) -> Iterator[Frame]:
        """Yield every picture."""
        pts, base, timed = 0, self._info.time_base, self._file.timed
        for index, page in enumerate(self._file.pages):
            picture, shown_ms = self._file.read(page) if index else self._first
            duration = max(1, _USUAL_MS if shown_ms is None else shown_ms) if timed else 1
            yield Frame(index, picture, pts, base, duration=duration, cut=bool(index) and not timed)
            pts += duration

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()
