"""What a running stream looks like from outside: a few figures, cheap to keep and to read."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from streamanon.types import FULL_QUALITY, Treatment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from streamanon.types import SafeFrame

LATENCY_S = 10.0
"""How far back latencies look."""

RATE_S = 3.0
"""How far back rates look, so that a stream that is lost shows soon."""

MOST_ENTRIES = 2400
"""Frames remembered at most: 10 s at 240 frames a second."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of one moment.

    Attributes:
        fps_in: frames a second that came from the source.
        fps_out: frames a second that were written.
        latency_p50_ms: median time from a frame's coming to its having been written.
        latency_p99_ms: the same for the slowest of a hundred.
        frames: written in all.
        dropped: thrown away in all, by the stage that was too slow for them.
        faces: in the frame written last.
        people: faces followed in all; one that comes back counts again.
        treatments: faces in all, by what was done to them; frames where that is the whole frame.
        level: of quality, "full" when nothing was stepped down.
    """

    fps_in: float
    fps_out: float
    latency_p50_ms: float
    latency_p99_ms: float
    frames: int
    dropped: dict[str, int]
    faces: int
    people: int
    treatments: dict[str, int]
    level: str


class Meter:
    """Counts what a line does, also through its restarts; every thread may write and read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._came_s: deque[float] = deque(maxlen=MOST_ENTRIES)
        self._written: deque[tuple[float, float]] = deque(maxlen=MOST_ENTRIES)
        self._dropped: Counter[str] = Counter()
        self._treatments: Counter[str] = Counter()
        self._frames = self._faces = self._people = 0
        self._newest_track = 0
        self._level = FULL_QUALITY

    def start(self) -> None:
        """A line starts; it numbers its tracks anew."""
        with self._lock:
            self._newest_track = 0

    def count_received(self) -> None:
        """A frame came from the source."""
        with self._lock:
            self._came_s.append(time.monotonic())

    def count_dropped(self, cause: str) -> None:
        """A frame was thrown away."""
        with self._lock:
            self._dropped[cause] += 1

    def count_written(self, frame: SafeFrame, latency_s: float) -> None:
        """A frame was written, so long after it came."""
        with self._lock:
            self._written.append((time.monotonic(), latency_s))
            self._frames += 1
            ids = {done.track_id for done in frame.treated if done.track_id is not None}
            self._faces = len(ids)
            self._people += sum(track_id > self._newest_track for track_id in ids)
            self._newest_track = max(ids | {self._newest_track})
            whole = any(done.treatment is Treatment.WHOLE_FRAME for done in frame.treated)
            self._treatments.update(
                [Treatment.WHOLE_FRAME.value]
                if whole
                else [done.treatment.value for done in frame.treated]
            )

    def set_level(self, level: str) -> None:
        """The line works at another level of quality."""
        with self._lock:
            self._level = level

    def interval_s(self) -> float | None:
        """Return the mean time between the frames that came lately; None before it is known.

        A mean over many frames is not misled by those that were held up and come all at once.
        """
        with self._lock:
            came = self._came_s
            first = max(0, len(came) - 60)
            steps = len(came) - 1 - first
            return (came[-1] - came[first]) / steps if steps >= 10 else None

    def read(self) -> Reading:
        """Return the figures of this moment."""
        now_s = time.monotonic()
        with self._lock:
            latencies = [taken for at, taken in self._written if at > now_s - LATENCY_S]
            p50, p99 = np.percentile(latencies or [0.0], [50, 99]) * 1000
            fps_out = _rate([at for at, _ in self._written], now_s)
            return Reading(
                fps_in=_rate(self._came_s, now_s),
                fps_out=fps_out,
                latency_p50_ms=float(p50),
                latency_p99_ms=float(p99),
                frames=self._frames,
                dropped=dict(self._dropped),
                faces=self._faces if fps_out else 0,
                people=self._people,
                treatments=dict(self._treatments),
                level=self._level,
            )


def _rate(times_s: Iterable[float], now_s: float) -> float:
    """Return events a second over the last RATE_S, or since the first of them."""
    recent = [at for at in times_s if at > now_s - RATE_S]
    return len(recent) / max(now_s - recent[0], 1e-3) if len(recent) > 1 else 0.0
