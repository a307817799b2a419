"""Whether a picture is missing, by the times of those around it.

Some codecs do not number their pictures, and RTP only says when each is shown. A camera keeps its
rhythm: what leaves out a beat was lost. Where beats are left out all the time (a screen that is
sent when it changes, pictures that come in another order) nothing can be told.
"""

from __future__ import annotations

from collections import deque
from statistics import median

_LOOKED_AT = 100
"""Steps that tell the rhythm: some seconds."""

_KNOWN_FROM = 12
_A_BEAT_LEFT_OUT = 1.5
"""Of the usual step."""

_MOST_ODD = 0.2
"""Share of steps above which there is no rhythm."""


class Rhythm:
    """Follows the pictures of one stream."""

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=_LOOKED_AT)
        self._last: int | None = None

    def gap(self, pts: int) -> bool:
        """Tell whether a picture is missing before the one at a time, in any unit."""
        if self._last is None:
            self._last = pts
            return False
        step, steps = pts - self._last, self._steps
        self._last = pts
        longest = _A_BEAT_LEFT_OUT * median(steps) if len(steps) >= _KNOWN_FROM else 0.0
        odd = sum(not 0 < one < longest for one in steps)
        steps.append(step)
        return 0 < longest < step and odd <= _MOST_ODD * len(steps)
