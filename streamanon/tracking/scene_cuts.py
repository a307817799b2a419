"""Detects scene cuts, so that no track continues from one shot into another.

A flash, or lights that go out, changes as much as a cut without being one: the same people are
still there, and the detector may miss them. So neither a picture with too little contrast starts a
new shot, nor one that shows the same scene in other light.
"""

from collections import deque
from statistics import median

import cv2
import numpy as np

from streamanon.types import F32, U8, Picture

SIZE = (64, 36)
"""Width and height of the thumbnails compared; small motion averages out."""

MIN_CHANGE = 18.0
"""Mean absolute difference, in 8 bit levels, below which two frames are never a cut."""

MIN_SHIFT = 0.35
"""Least share of the luma histogram that changes at a cut; motion hardly changes it."""

TIMES_USUAL = 3.0
"""Factor by which a cut changes more than the frames before it."""

PARTS, MIN_PART_CHANGE = (8, 4), 6.0
"""Parts of a picture, across and down, and the mean absolute difference of one of them below which
nothing changed abruptly."""

FLAT = 10.0
"""Standard deviation, in 8 bit levels, below which a picture has too little contrast."""

ALIKE = 0.35
"""Correlation from which on two pictures show the same scene.

On five clips, pictures brightened six and twelve times or darkened to a twentieth that are not flat
correlate with the originals by 0.37 to 0.99.
"""

_MEMORY = 12
_BINS = 32


class CutDetector:
    """Compares each frame with the one before, and the change with recent changes.

    Attributes:
        abrupt: whether a part of the newest picture changed far more than usual: a cut to a similar
            picture, in one of several pictures side by side, light, or something that moves.
    """

    def __init__(self) -> None:
        """Create one without state."""
        self._before: U8 | None = None
        self._shot: U8 | None = None
        self._histogram: F32 | None = None
        self._changes: deque[float] = deque(maxlen=_MEMORY)
        self._part_changes: deque[float] = deque(maxlen=_MEMORY)
        self.abrupt = False

    def is_cut(self, picture: Picture) -> bool:
        """Tell whether this picture starts a new shot; False for the first one."""
        luma = _thumbnail(picture)
        histogram = np.bincount(luma.ravel() // (256 // _BINS), minlength=_BINS) / luma.size
        before, self._before = self._before, luma
        shot, tells = self._shot, bool(luma.std() >= FLAT)
        if tells:
            self._shot = luma
        old, self._histogram = self._histogram, histogram.astype(np.float32)
        if before is None or old is None:
            return False
        difference = np.asarray(cv2.absdiff(luma, before), np.float32)
        self.abrupt = self._is_abrupt(difference)
        change = float(difference.mean())
        shift = float(np.abs(self._histogram - old).sum()) / 2
        usual = median(self._changes) if self._changes else 0.0
        changed = change > max(MIN_CHANGE, TIMES_USUAL * usual) and shift > MIN_SHIFT
        cut = changed and tells and (shot is None or _is_another(luma, shot))
        if cut:
            self._changes.clear()
        else:
            self._changes.append(change)
        return cut

    def _is_abrupt(self, difference: F32) -> bool:
        """Tell whether a part of the picture changed more than parts of those before."""
        parts = cv2.resize(difference, PARTS, interpolation=cv2.INTER_AREA)
        change = float(np.max(parts))
        usual = median(self._part_changes) if self._part_changes else 0.0
        self._part_changes.append(change)
        return change > max(MIN_PART_CHANGE, TIMES_USUAL * usual)


def _is_another(luma: U8, shot: U8) -> bool:
    """Tell whether a picture shows another scene than the last one with enough contrast."""
    ((correlation,),) = cv2.matchTemplate(luma, shot, cv2.TM_CCOEFF_NORMED).tolist()
    return bool(correlation < ALIKE)


def _thumbnail(picture: Picture) -> U8:
    """Return the first plane (luma, or blue) at SIZE, from a subset of its pixels."""
    plane = picture.planes[0]
    rows, columns = (max(1, length // (2 * SIZE[1])) for length in plane.shape)
    coarse = np.ascontiguousarray(plane[::rows, ::columns], np.uint16)
    small = cv2.resize(coarse, SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(np.asarray(small, np.uint16) >> (picture.colour.depth - 8), np.uint8)
