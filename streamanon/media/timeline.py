"""The time of a live stream: steady and strictly increasing, whatever the source's timestamps do.

Sources restart their timestamps, loop, wrap around, leave them out and count by clocks that are a
little fast or slow. A stream's time is the clock of this machine (monotonic, in ticks of
LIVE_TICK); within it, frames keep the distances the source gave them.

The distance between the two clocks is the smallest delay any frame has arrived with: nothing
arrives before it was taken. So that a slow source clock is followed too, it may grow a little
between frames.
"""

from __future__ import annotations

from fractions import Fraction

LIVE_TICK = Fraction(1, 90_000)
"""Seconds a tick."""

_SECOND = 90_000
_LATE = _SECOND
"""Later than this behind the fastest frame is no jitter: the source's time has jumped back."""

_LATE_PACED = _SECOND // 10
_EARLY_PACED = 10 * _SECOND
"""What is decoded ahead: some frames wait, and there may be one a second."""

_GAP_PACED = _SECOND
"""Longer than this from frame to frame the source's time has jumped, and nobody waits for it."""

_DRIFT = 500
"""One tick in this many: ten times what the clocks of cameras are off by."""

_SOUND_SLACK = _SECOND // 20
"""Sound is joined seamlessly unless it is further off than this, which nobody notices."""


def ticks(pts: int, time_base: Fraction) -> int:
    """Return a timestamp in ticks of LIVE_TICK."""
    return int(pts * time_base / LIVE_TICK)


class Timeline:
    """Gives frames and sound of one stream their place in its time.

    Attributes:
        paced: whether the reader waits until the time a frame was given.
        jump: by how many ticks the source's time has jumped at the last frame; 0 when it has not.
    """

    def __init__(self, *, paced: bool = False) -> None:
        """Begin.

        Args:
            paced: the source delivers faster than real time (a playlist, a synthetic picture) and
                whoever reads it waits until the time a frame was given.
        """
        self.paced = paced
        self.jump = 0
        self._offset: int | None = None
        self._arrival = 0
        self._pts: int | None = None
        self._last: int | None = None
        self._heard: int | None = None

    def restart(self, *, paced: bool) -> None:
        """Forget the source's clock: another connection has another one."""
        self.paced = paced
        self._offset = self._pts = None

    def place(self, pts: int | None, arrival: int) -> int:
        """Return when a frame is shown; later than every frame before.

        Args:
            pts: by the source's clock, in ticks; None where it gives no time.
            arrival: by this machine's clock, in ticks.
        """
        wanted, before = arrival, self._offset
        self.jump = 0
        if pts is not None:
            self._offset = self._followed(pts, arrival)
            away = 0 if before is None else before - self._offset
            self.jump = away if abs(away) > _LATE else 0
            wanted = pts + self._offset
            self._pts = pts
        self._arrival = arrival
        self._last = wanted if self._last is None else max(wanted, self._last + 1)
        return self._last

    def _followed(self, pts: int, arrival: int) -> int:
        """Return the distance from the source's clock to ours, with what this frame tells of it."""
        anchored = arrival - pts
        if self._offset is None:
            return anchored
        late = anchored - self._offset
        if self.paced:
            step = 0 if self._pts is None else pts - self._pts
            steady = -_EARLY_PACED <= late <= _LATE_PACED and step <= _GAP_PACED
            return self._offset if steady else anchored
        if not 0 <= late <= _LATE:
            return anchored
        return self._offset + min(late, max(0, arrival - self._arrival) // _DRIFT)

    def place_sound(self, pts: int, duration: int) -> int | None:
        """Return when a packet of sound is heard, or None to leave it out.

        Args:
            pts: by the source's clock, in ticks.
            duration: in ticks.
        """
        if self._offset is None:
            return None
        wanted = pts + self._offset
        if self._heard is not None and abs(wanted - self._heard) <= _SOUND_SLACK:
            wanted = self._heard
        if self._heard is not None and wanted < self._heard:
            return None
        self._heard = wanted + duration
        return wanted
