"""Detects missing pictures by the intervals between timestamps.

Some codecs do not number their pictures, and RTP only gives presentation times. A camera has a
steady frame rate, so a longer interval means a lost picture. Nothing can be said of streams whose
intervals vary all the time (a screen that is sent when it changes, pictures out of order).
"""

from collections import deque
from statistics import median

_LOOKED_AT = 100
"""Intervals from which the usual one is estimated: some seconds."""

_KNOWN_FROM = 12
_GAP = 1.5
"""Times the usual interval, from which on a picture is missing."""

_MAX_ODD = 0.2
"""Share of unusual intervals above which the frame rate counts as unsteady."""


class GapDetector:
    """Follows the pictures of one stream."""

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=_LOOKED_AT)
        self._last: int | None = None

    def gap(self, pts: int) -> bool:
        """Return whether a picture is missing before the one at a time, in any unit."""
        if self._last is None:
            self._last = pts
            return False
        step, steps = pts - self._last, self._steps
        self._last = pts
        longest = _GAP * median(steps) if len(steps) >= _KNOWN_FROM else 0.0
        odd = sum(not 0 < one < longest for one in steps)
        steps.append(step)
        return 0 < longest < step and odd <= _MAX_ODD * len(steps)
