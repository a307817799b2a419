"""Timestamps of a live stream: steady and strictly increasing, whatever those of the source do.

Sources restart their timestamps, loop, wrap around, omit them and count by clocks that are a little
fast or slow. A stream's time is the monotonic clock of this machine, in ticks of LIVE_TICK; frames
keep the intervals that the source gave them.

The offset between the two clocks is the smallest delay of any frame so far, because no frame
arrives before it was taken. To follow a slow source clock, it may grow a little between frames.
"""

from fractions import Fraction
from typing import NamedTuple

LIVE_TICK = Fraction(1, 90_000)
"""Seconds per tick."""

_SECOND = 90_000
MAX_LATE = _SECOND
"""Ticks. A frame later than this behind the fastest is no jitter: the source's time jumped back."""

_LATE_PACED = _SECOND // 10
_EARLY_PACED = 10 * _SECOND
"""How far frames may be decoded ahead: some wait, and there may be only one per second."""

_GAP_PACED = _SECOND
"""After a longer step the source's time has jumped, and it is not waited for."""

_DRIFT = 500
"""The offset may grow by one tick in this many: ten times the usual error of camera clocks."""


def ticks(pts: int, time_base: Fraction) -> int:
    """Return a timestamp in ticks of LIVE_TICK."""
    return int(pts * time_base / LIVE_TICK)


class Span(NamedTuple):
    """Frames between two jumps of the source's time.

    Attributes:
        offset: ticks from the source's clock to ours.
        first: source's time of the newest frame but one.
        last: source's time of the newest frame.
    """

    offset: int
    first: int
    last: int


class Timeline:
    """Gives the frames of one stream their times.

    Attributes:
        spans: the present span of frames and the one before, the present one last.
        arrival: time of the newest frame on this machine's clock, in ticks.
        paced: whether the reader waits for the time of each frame.
        jump: ticks by which the source's time jumped at the last frame; 0 if it did not.
    """

    def __init__(self, *, paced: bool = False) -> None:
        self.paced = paced
        self.jump = 0
        self._offset: int | None = None
        self.spans: tuple[Span, ...] = ()
        self.arrival = 0
        self._pts: int | None = None
        self._last: int | None = None

    def restart(self, *, paced: bool) -> None:
        """Forget the source's clock: a new connection may have another one."""
        self.paced = paced
        self._offset = self._pts = None
        self.spans = ()

    def place(self, pts: int | None, arrival: int) -> int:
        """Return the time of a frame, in ticks; later than that of every frame before.

        ``pts`` is its time on the source's clock, if that has one, ``arrival`` on this machine's.
        """
        wanted, before = arrival, self._offset
        self.jump = 0
        if pts is not None:
            self._offset = self._followed(pts, arrival)
            away = 0 if before is None else before - self._offset
            self.jump = away if abs(away) > MAX_LATE else 0
            wanted = pts + self._offset
            before_it = pts if self.jump or self._pts is None else self._pts
            earlier = self.spans if self.jump else self.spans[:-1]
            self.spans = (*earlier[-1:], Span(self._offset, before_it, pts))
            self._pts = pts
        self.arrival = arrival
        self._last = wanted if self._last is None else max(wanted, self._last + 1)
        return self._last

    def _followed(self, pts: int, arrival: int) -> int:
        """Return the offset from the source's clock to ours, updated by one frame."""
        anchored = arrival - pts
        if self._offset is None:
            return anchored
        late = anchored - self._offset
        if self.paced:
            step = 0 if self._pts is None else pts - self._pts
            steady = -_EARLY_PACED <= late <= _LATE_PACED and step <= _GAP_PACED
            return self._offset if steady else anchored
        if not 0 <= late <= MAX_LATE:
            return anchored
        return self._offset + min(late, max(0, arrival - self.arrival) // _DRIFT)
