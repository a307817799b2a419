"""Timestamps of a live stream: steady and strictly increasing, whatever those of the source do.

Sources restart their timestamps, loop, wrap around, omit them and count by clocks that are a little
fast or slow. A stream's time is the monotonic clock of this machine, in ticks of LIVE_TICK; frames
keep the intervals that the source gave them.

The offset between the two clocks is the smallest delay of any frame so far, because no frame
arrives before it was taken. To follow a slow source clock, it may grow a little between frames.
"""

from fractions import Fraction

LIVE_TICK = Fraction(1, 90_000)
"""Seconds per tick."""

_SECOND = 90_000
_LATE = _SECOND
"""Ticks. A frame later than this behind the fastest is no jitter: the source's time jumped back."""

_LATE_PACED = _SECOND // 10
_EARLY_PACED = 10 * _SECOND
"""How far frames may be decoded ahead: some wait, and there may be only one per second."""

_GAP_PACED = _SECOND
"""After a longer step the source's time has jumped, and it is not waited for."""

_DRIFT = 500
"""The offset may grow by one tick in this many: ten times the usual error of camera clocks."""

_AUDIO_TOLERANCE = _SECOND // 20
"""Audio packets are joined seamlessly if they are off by no more than this, which is inaudible."""


def ticks(pts: int, time_base: Fraction) -> int:
    """Return a timestamp in ticks of LIVE_TICK."""
    return int(pts * time_base / LIVE_TICK)


class Timeline:
    """Gives the frames and audio packets of one stream their times.

    Attributes:
        paced: whether the reader waits for the time of each frame.
        jump: ticks by which the source's time jumped at the last frame; 0 if it did not.
    """

    def __init__(self, *, paced: bool = False) -> None:
        """Begin.

        Args:
            paced: the source delivers faster than real time (a playlist, a synthetic picture), and
                its reader waits for the time of each frame.
        """
        self.paced = paced
        self.jump = 0
        self._offset: int | None = None
        self._arrival = 0
        self._pts: int | None = None
        self._last: int | None = None
        self._heard: int | None = None

    def restart(self, *, paced: bool) -> None:
        """Forget the source's clock: a new connection may have another one."""
        self.paced = paced
        self._offset = self._pts = None

    def place(self, pts: int | None, arrival: int) -> int:
        """Return the time of a frame, in ticks; later than that of every frame before.

        Args:
            pts: time on the source's clock in ticks; None if the source gives none.
            arrival: time on this machine's clock in ticks.
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
        """Return the offset from the source's clock to ours, updated by one frame."""
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

    def place_audio(self, pts: int, duration: int) -> int | None:
        """Return the time of an audio packet in ticks, or None to leave it out.

        Args:
            pts: time on the source's clock in ticks.
            duration: ticks.
        """
        if self._offset is None:
            return None
        wanted = pts + self._offset
        if self._heard is not None and abs(wanted - self._heard) <= _AUDIO_TOLERANCE:
            wanted = self._heard
        if self._heard is not None and wanted < self._heard:
            return None
        self._heard = wanted + duration
        return wanted
