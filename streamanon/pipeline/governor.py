"""Chooses the quality of a live stream: how faces are hidden, and how many frames a second.

Capacity is measured with what is being done. The load is the share of time that the busiest stage
works; while frames are lost it is 1, and the frames that come through are all the machine can do.
Quality steps down only when frames are lost, at once to the first rung that is expected to be
enough; the frames of a burst, or of a slow moment, are no overload. It steps up by one rung
when the expected load of the better one was affordable for a while, or, since costs change, when
the current load was low for long. Each attempt that fails doubles the wait before the next one.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from streamanon.types import FULL_QUALITY, MOSAIC, SPARING

RATES = (30.0, 20.0, 15.0)
"""Frames a second to make do with rather than showing a mosaic."""

MIN_FPS, TOO_FEW_S = 3.0, 10.0
"""With fewer frames a second than this for so long, a mosaic is better than a face."""

LOSING = 0.1
"""Share of frames lost above which there is too much to do ..."""

LOADED = 0.7
"""... at a load above this; below, they came in a burst."""

ENOUGH, AFFORDABLE = 0.9, 0.8
"""Highest expected load of a rung to step down to, and of one to step up to."""

CALM = 0.02
"""Share of frames lost up to which a better rung may be affordable."""

START_S = 3.0
"""How long the load of a new stream is ignored, while networks and caches warm up."""

SETTLE_S = 0.5
"""The same after a step, while the old level fades out."""

WATCH_S = 3.0
"""Time over which load and losses are measured."""

CLEAR_S = 5.0
"""How long a better rung must have been affordable before it is tried."""

TRIAL_S = 20.0
"""A rung that is left within this time after it was tried was tried too early."""

MAX_CLEAR_S = 240.0
"""Longest wait before a rung is tried again."""

CHEAPER = {MOSAIC: 0.5}
"""Assumed cost of a level as a share of the next better one's, before it was measured ..."""

USUALLY_CHEAPER = 0.95
"""... and of a level not named there: most of the time goes into what all faces need."""

BLIND = 3
"""Multiple of that wait after which a level is tried whatever its measured cost."""

_MIN_FRAMES = 5
"""Fewest frames over which the load is measured."""

_SAME_RATE = 0.9
"""A limit above this share of the source's rate makes no difference."""


@dataclass(frozen=True, slots=True)
class Rung:
    """How a stream hides faces, and the most frames it takes a second: one of its qualities."""

    level: str
    max_fps: float = inf


def rungs_of(levels: Sequence[str], prefer: str) -> tuple[Rung, ...]:
    """Return the qualities of a stream, best first, from its ways of hiding faces, best first.

    "face" takes fewer frames before the method gets cheaper, and a mosaic last; "rate" takes all
    frames at every level.
    """
    if prefer == "rate" or len(levels) == 1:
        return tuple(map(Rung, levels))
    same = [level for level in levels if level in (FULL_QUALITY, SPARING)]
    slower = [Rung(same[-1], rate) for rate in RATES]
    rest = [Rung(level, RATES[-1]) for level in levels[len(same) :]]
    return (*map(Rung, same), *slower, *rest)


@dataclass(slots=True)
class _Window:
    """Work and losses since the rung last changed, for about :data:`WATCH_S`."""

    since_s: float
    frames: deque[tuple[float, float, int]] = field(default_factory=deque)
    worked_s: float = 0.0
    lost: int = 0
    clear_since_s: float = inf
    calm_since_s: float = inf
    too_few_since_s: float = inf

    def add(self, time_s: float, work_s: float, lost: int) -> None:
        """Add a frame; the first only marks the beginning."""
        if time_s < self.since_s:
            return
        if not self.frames:
            work_s, lost = 0.0, 0
        self.frames.append((time_s, work_s, lost))
        self.worked_s += work_s
        self.lost += lost
        while self.count > _MIN_FRAMES and self.frames[1][0] < time_s - WATCH_S:
            self.frames.popleft()
            first_s, work_s, lost = self.frames[0]
            self.frames[0] = (first_s, 0.0, 0)
            self.worked_s -= work_s
            self.lost -= lost

    @property
    def count(self) -> int:
        """Frames done."""
        return len(self.frames) - 1

    @property
    def span_s(self) -> float:
        """Time in which they were done."""
        return self.frames[-1][0] - self.frames[0][0] if self.frames else 0.0

    @property
    def full(self) -> bool:
        """Whether it covers enough time and frames to judge by."""
        return self.count >= _MIN_FRAMES and self.span_s >= 0.9 * WATCH_S

    @property
    def fps(self) -> float:
        """Frames done a second."""
        return self.count / self.span_s

    @property
    def load(self) -> float:
        """Share of the time that the busiest stage worked."""
        return self.worked_s / self.span_s

    @property
    def work_s(self) -> float:
        """Mean work on a frame."""
        return self.worked_s / self.count

    @property
    def lost_share(self) -> float:
        """Frames lost, as a share of those done and lost."""
        return self.lost / (self.lost + self.count)


class Governor:
    """Chooses among the rungs of one stream."""

    def __init__(self, levels: Sequence[str], prefer: str = "face") -> None:
        """Start at the best rung (:func:`rungs_of`)."""
        self.levels = tuple(levels)
        self.rungs = rungs_of(levels, prefer)
        self._waits = prefer == "face"
        usual = (FULL_QUALITY, SPARING) if self._waits else self.levels
        self._last_resorts = sum(
            rung.level in usual and rung.level != MOSAIC for rung in self.rungs
        )
        self._at = 0
        self._cost = {self.levels[0]: 1.0}
        for better, level in zip(self.levels, self.levels[1:], strict=False):
            self._cost[level] = self._cost[better] * CHEAPER.get(level, USUALLY_CHEAPER)
        self._clear_s = [CLEAR_S] * len(self.rungs)
        self._tried_s = [-inf] * len(self.rungs)
        self._left: tuple[str, float] | None = None
        self._window: _Window | None = None
        self._source_fps = inf

    @property
    def rung(self) -> Rung:
        """The current rung."""
        return self.rungs[self._at]

    def restart(self) -> None:
        """Keep rung and measured costs for a new line, which has to warm up again."""
        self._window = None

    def update(self, time_s: float, work_s: float, interval_s: float, *, lost: int) -> Rung:
        """Add one frame and return the rung for the next.

        The busiest stage worked on it for ``work_s``; frames of the source are ``interval_s``
        apart, and so many were lost since the last call.
        """
        self._source_fps = 1 / max(interval_s, 1e-3)
        window = self._window = self._window or _Window(time_s + START_S)
        window.add(time_s, work_s, lost)
        if window.full:
            self._learn(window)
            if window.lost_share > LOSING and window.load > LOADED:
                self._step_down(time_s, window)
            elif self._at > 0:
                self._consider_up(time_s, window)
        return self.rung

    def _fps(self, rung: Rung) -> float:
        """Return how many frames a second are taken at a rung."""
        fps = self._source_fps
        return rung.max_fps if rung.max_fps < _SAME_RATE * fps else fps

    def _expected(self, rung: Rung, load: float, fps: float) -> float:
        """Return the expected load of another rung, from the current load and frame rate."""
        cost = self._cost[rung.level] / self._cost[self.rung.level]
        return load * cost * self._fps(rung) / fps

    def _learn(self, window: _Window) -> None:
        """Compare the cost of a level with that of the one just left."""
        if self._left and self._left[0] != self.rung.level:
            level, work_s = self._left
            here = self.levels.index(self.rung.level)
            ratio = work_s / max(window.work_s, 1e-4)
            better = self.levels.index(level) < here
            ratio = max(ratio, 1.0) if better else min(ratio, 1.0)
            measured = self._cost[self.rung.level] * ratio
            self._cost[level] = (self._cost[level] + measured) / 2
        self._left = None

    def _step_down(self, time_s: float, window: _Window) -> None:
        """Go to the first rung that is enough, or to the cheapest that looks the same.

        Another look is taken only where it is enough, and a mosaic only step by step, after time
        with hardly a frame.
        """
        too_few = window.fps < min(MIN_FPS, self._fps(self.rung) / 2)
        window.too_few_since_s = min(window.too_few_since_s, time_s) if too_few else inf
        below = list(filter(self._differs, range(self._at + 1, len(self.rungs))))
        usual = [at for at in below if at < self._last_resorts]
        enough = [
            at
            for at in below
            if self._expected(self.rungs[at], 1.0, window.fps) <= ENOUGH
            and self.rungs[at].level != MOSAIC
        ]
        if enough or usual:
            to = enough[0] if enough else usual[-1]
        elif below and (not self._waits or time_s - window.too_few_since_s >= TOO_FEW_S):
            to = below[0]
        else:
            return
        soon = time_s - self._tried_s[self._at] < TRIAL_S
        waited_s = self._clear_s[self._at]
        self._clear_s[self._at] = min(2 * waited_s, MAX_CLEAR_S) if soon else CLEAR_S
        self._move(to, time_s, window)

    def _differs(self, at: int) -> bool:
        """Return whether a rung differs from the current one at the source's present rate."""
        rung = self.rungs[at]
        return rung.level != self.rung.level or self._fps(rung) != self._fps(self.rung)

    def _consider_up(self, time_s: float, window: _Window) -> None:
        better = next(filter(self._differs, range(self._at - 1, -1, -1)), None)
        if better is None:
            self._at = 0
            return
        calm = window.lost_share <= CALM and window.load <= AFFORDABLE
        window.calm_since_s = min(window.calm_since_s, time_s) if calm else inf
        expected = self._expected(self.rungs[better], window.load, window.fps)
        clear = calm and expected <= AFFORDABLE
        window.clear_since_s = min(window.clear_since_s, time_s) if clear else inf
        wait_s = self._clear_s[better]
        other_level = self.rungs[better].level != self.rung.level
        if time_s - window.clear_since_s >= wait_s or (
            other_level and time_s - window.calm_since_s >= BLIND * wait_s
        ):
            self._tried_s[better] = time_s
            self._move(better, time_s, window)

    def _move(self, at: int, time_s: float, window: _Window) -> None:
        self._left = (self.rung.level, window.work_s)
        self._at = at
        self._window = _Window(time_s + SETTLE_S)
