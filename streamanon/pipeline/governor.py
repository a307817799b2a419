"""Chooses the quality of a live stream by its load, with hysteresis.

The load is the work of the busiest stage in frame intervals: at 1 the stage is never idle, above 1
frames are lost. Quality steps down to the next cheaper level when the load stays above
:data:`TOO_MUCH`, or when frames are lost while it is not far below. It steps up when the expected
load of the better level, from its measured cost, stays below :data:`AFFORDABLE` for a while, or,
since costs change, when the current load was below it for long. Each attempt that fails doubles the
wait before the next one.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import median

TOO_MUCH = 0.9
"""Load above which quality steps down."""

LOSING = 0.7
"""Load above which lost frames mean overload rather than a burst of the source."""

AFFORDABLE = 0.75
"""Highest expected load of a better level."""

START_S = 3.0
"""How long the load of a new stream is ignored, while networks and caches warm up."""

WATCH_S = 1.0
"""Time over which the load is measured before quality steps down."""

CLEAR_S = 5.0
"""How long a better level must have been affordable before it is tried."""

TRIAL_S = 20.0
"""A level that is left within this time after it was tried was tried too early."""

MAX_CLEAR_S = 240.0
"""Longest wait before a level is tried again."""

UNKNOWN_COST = 2.0
"""Assumed cost of a better level, in loads of the cheaper one, before it was measured."""

BLIND = 3
"""Multiple of that wait after which a level is tried whatever its measured cost."""

_MIN_FRAMES = 5
"""Fewest frames over which the load is measured."""


@dataclass(slots=True)
class _Level:
    """A level's cost relative to the next cheaper one, and the wait before it is tried."""

    load: float = 0.0
    ratio: float = UNKNOWN_COST
    clear_s: float = CLEAR_S
    tried_s: float | None = None


@dataclass(slots=True)
class _Window:
    """Loads and losses since the level last changed, for at most :data:`WATCH_S`."""

    since_s: float
    loads: deque[tuple[float, float]] = field(default_factory=deque)
    lost: deque[float] = field(default_factory=deque)
    clear_since_s: float = inf
    calm_since_s: float = inf

    def add(self, time_s: float, load: float, *, lost: bool) -> None:
        self.loads.append((time_s, load))
        if lost:
            self.lost.append(time_s)
        while self.loads[0][0] < time_s - WATCH_S:
            self.loads.popleft()
        while self.lost and self.lost[0] < time_s - WATCH_S:
            self.lost.popleft()

    def load(self, time_s: float) -> float | None:
        """Return the median load, or None before it is known."""
        if time_s - self.since_s < WATCH_S or len(self.loads) < _MIN_FRAMES:
            return None
        return median(load for _, load in self.loads)


class Governor:
    """Chooses among the quality levels of one stream."""

    def __init__(self, levels: Sequence[str]) -> None:
        """Start at the best level.

        Args:
            levels: names, best and most expensive first; at least one.
        """
        self.levels = tuple(levels)
        self._at = 0
        self._states = [_Level() for _ in self.levels]
        self._window: _Window | None = None
        self._started = False

    @property
    def level(self) -> str:
        """The current level."""
        return self.levels[self._at]

    def restart(self) -> None:
        """Keep level and measured costs for a new line, which has to warm up again."""
        self._window, self._started = None, False

    def update(self, time_s: float, work_s: float, interval_s: float, *, lost: bool) -> str:
        """Update the load with one frame and return the level for the next.

        Args:
            time_s: current time.
            work_s: time the busiest stage worked on the frame.
            interval_s: recent time between frames of the source.
            lost: whether frames were dropped since the last call.
        """
        if self._window is None:
            self._window = _Window(time_s + (0.0 if self._started else START_S))
            self._started = True
        window = self._window
        window.add(time_s, work_s / max(interval_s, 1e-3), lost=lost)
        load = window.load(time_s)
        if load is None:
            return self.level
        self._learn(load)
        losing = len(window.lost) > 1 and load > LOSING
        if self._at + 1 < len(self.levels) and (load > TOO_MUCH or losing):
            self._step_down(time_s, load)
        elif self._at > 0:
            self._consider_up(time_s, load, window)
        return self.level

    def _learn(self, load: float) -> None:
        """Compare the first load measured at a level with that of the better one, just left."""
        better = self._states[self._at - 1] if self._at > 0 else None
        if better and better.load:
            better.ratio = max(1.0, better.load / max(load, 1e-3))
            better.load = 0.0

    def _step_down(self, time_s: float, load: float) -> None:
        state = self._states[self._at]
        state.load = load
        if state.tried_s is not None and time_s - state.tried_s < TRIAL_S:
            state.clear_s = min(2 * state.clear_s, MAX_CLEAR_S)
        else:
            state.clear_s = CLEAR_S
        self._at += 1
        self._window = None

    def _consider_up(self, time_s: float, load: float, window: _Window) -> None:
        better = self._states[self._at - 1]
        calm = not window.lost and load <= AFFORDABLE
        window.calm_since_s = min(window.calm_since_s, time_s) if calm else inf
        clear = calm and load * better.ratio <= AFFORDABLE
        window.clear_since_s = min(window.clear_since_s, time_s) if clear else inf
        if (
            time_s - window.clear_since_s >= better.clear_s
            or time_s - window.calm_since_s >= BLIND * better.clear_s
        ):
            better.tried_s = time_s
            self._at -= 1
            self._window = None
