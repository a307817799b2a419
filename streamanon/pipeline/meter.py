"""Figures of a running stream, cheap to update and to read."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from streamanon.types import FULL_QUALITY, SafeFrame, Treatment

LATENCY_S = 10.0
"""Time over which latencies are measured."""

RATE_S = 3.0
"""Time over which rates are measured; short, so that a lost stream shows soon."""

MAX_ENTRIES = 2400
"""Most frames kept: 10 s at 240 frames a second."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures at one moment.

    Attributes:
        fps_in: frames per second received from the source, over the last seconds.
        fps_out: frames per second written, placeholders not counted.
        latency_p50_ms: median time from receiving a frame to having written it.
        latency_p99_ms: 99th percentile of that time.
        frames: frames written in total.
        dropped: frames dropped in total, by the stage that was too slow, or "rate" where fewer
            frames a second are taken.
        faces: faces in the last frame written.
        people: tracks in total; a person who comes back counts again.
        treatments: faces in total, by how they were hidden; frames where they were covered whole.
        methods: faces in total, by the method that drew their replacement, or by treatment
            without one.
        level: quality level, "full", "sparing", "warp" or "mosaic"
            (:mod:`streamanon.pipeline.governor`).
        max_fps: frames a second that are taken at most; 0 when all are.
    """

    fps_in: float = 0.0
    fps_out: float = 0.0
    latency_p50_ms: float = 0.0
    latency_p99_ms: float = 0.0
    frames: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    faces: int = 0
    people: int = 0
    treatments: dict[str, int] = field(default_factory=dict)
    methods: dict[str, int] = field(default_factory=dict)
    level: str = FULL_QUALITY
    max_fps: float = 0.0


class Meter:
    """Measures the lines of one stream across restarts; used by any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._received_s: deque[float] = deque(maxlen=MAX_ENTRIES)
        self._written: deque[tuple[float, float]] = deque(maxlen=MAX_ENTRIES)
        self._dropped: Counter[str] = Counter()
        self._treatments: Counter[str] = Counter()
        self._methods: Counter[str] = Counter()
        self._frames = self._faces = self._people = 0
        self._newest_track = 0
        self._level, self._max_fps = FULL_QUALITY, 0.0

    def start(self) -> None:
        """Prepare for a new line, whose track ids start at 1."""
        with self._lock:
            self._newest_track = 0

    def count_received(self) -> None:
        """Count a frame received from the source."""
        with self._lock:
            self._received_s.append(time.monotonic())

    def count_dropped(self, cause: str) -> None:
        """Count a frame dropped."""
        with self._lock:
            self._dropped[cause] += 1

    def count_written(self, frame: SafeFrame, latency_s: float) -> None:
        """Count a frame written, and its latency."""
        with self._lock:
            self._written.append((time.monotonic(), latency_s))
            self._frames += 1
            faces = {one.track_id: one for one in frame.treated if one.track_id is not None}
            ids = set(faces)
            self._faces = len(ids)
            self._people += sum(track_id > self._newest_track for track_id in ids)
            self._newest_track = max(ids | {self._newest_track})
            whole = any(done.treatment is Treatment.WHOLE_FRAME for done in frame.treated)
            self._methods.update(one.hidden_by for one in faces.values())
            self._treatments.update(
                [Treatment.WHOLE_FRAME.value]
                if whole
                else [done.treatment.value for done in frame.treated]
            )

    def set_level(self, level: str, max_fps: float) -> None:
        """Set the quality level and the most frames a second; 0 for all of them."""
        with self._lock:
            self._level, self._max_fps = level, max_fps

    def interval_s(self) -> float | None:
        """Return the mean time between recently received frames; None before it is known.

        A mean over many frames tolerates frames that were delayed and arrive at once.
        """
        with self._lock:
            received = self._received_s
            first = max(0, len(received) - 60)
            steps = len(received) - 1 - first
            return (received[-1] - received[first]) / steps if steps >= 10 else None

    def read(self) -> Reading:
        """Return the current figures."""
        now_s = time.monotonic()
        with self._lock:
            latencies = [taken for at, taken in self._written if at > now_s - LATENCY_S]
            p50, p99 = np.percentile(latencies or [0.0], [50, 99]) * 1000
            fps_out = _rate([at for at, _ in self._written], now_s)
            return Reading(
                fps_in=_rate(self._received_s, now_s),
                fps_out=fps_out,
                latency_p50_ms=float(p50),
                latency_p99_ms=float(p99),
                frames=self._frames,
                dropped=dict(self._dropped),
                faces=self._faces if fps_out else 0,
                people=self._people,
                treatments=dict(self._treatments),
                methods=dict(self._methods),
                level=self._level,
                max_fps=self._max_fps,
            )


def _rate(times_s: Iterable[float], now_s: float) -> float:
    """Return events per second over the last RATE_S, or since the first of them."""
    recent = [at for at in times_s if at > now_s - RATE_S]
    return len(recent) / max(now_s - recent[0], 1e-3) if len(recent) > 1 else 0.0
