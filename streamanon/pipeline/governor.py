"""Which quality a live stream can afford: down before frames are lost, up again with hysteresis.

The load is the work of the busiest stage in frame intervals: at 1 the stage is never idle, beyond
it frames are lost. A level is left for the next cheaper one when the load stays above
:data:`TOO_MUCH`, or when frames are lost while it is not far below. Going back is tried only when
the load that the dearer level would bring, by what it was seen to cost more, stays below
:data:`AFFORDABLE` for a while, or, since costs change, when the present load was below it for long;
each try that fails makes the next one wait twice as long.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import inf
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TOO_MUCH = 0.9
"""Load above which quality steps down."""

LOSING = 0.7
"""Load from which on a frame that was lost speaks of overload, not of a burst at the source."""

AFFORDABLE = 0.75
"""Load that a dearer level may bring."""

START_S = 3.0
"""How long the load of a new stream counts for nothing: networks and caches are still cold."""

WATCH_S = 1.0
"""How long the load is watched before quality steps down."""

CLEAR_S = 5.0
"""How long the dearer level must have been affordable before it is tried."""

TRIAL_S = 20.0
"""A level that must be left this soon after it was tried again was tried too early."""

MOST_CLEAR_S = 240.0
"""Longest wait before a level is tried again."""

UNKNOWN_COST = 2.0
"""What a dearer level is thought to cost, in loads of the cheaper one, before it was seen."""

BLIND = 3
"""Times that wait after which a level is tried whatever it was seen to cost."""

_LEAST_FRAMES = 5
"""Frames without which nothing is known of the load."""


@dataclass(slots=True)
class _Rung:
    """What is known of a level: what it costs more than the next, how long to wait for it."""

    load: float = 0.0
    ratio: float = UNKNOWN_COST
    clear_s: float = CLEAR_S
    tried_s: float | None = None


@dataclass(slots=True)
class _Watch:
    """What happened since the level was last changed, for at most :data:`WATCH_S`."""

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
        """Return the usual load, or None as long as it is not known."""
        if time_s - self.since_s < WATCH_S or len(self.loads) < _LEAST_FRAMES:
            return None
        return median(load for _, load in self.loads)


class Governor:
    """Chooses between the levels of one stream, best first."""

    def __init__(self, levels: Sequence[str]) -> None:
        """Start at the best level.

        Args:
            levels: names, best and dearest first; one at least.
        """
        self.levels = tuple(levels)
        self._at = 0
        self._rungs = [_Rung() for _ in self.levels]
        self._watch: _Watch | None = None
        self._started = False

    @property
    def level(self) -> str:
        """The level to work at."""
        return self.levels[self._at]

    def restart(self) -> None:
        """Go on at the present level with all that was learnt, when what works is cold again."""
        self._watch, self._started = None, False

    def update(self, time_s: float, work_s: float, interval_s: float, *, lost: bool) -> str:
        """Take note of one frame and return the level for the next.

        Args:
            time_s: now; later than at the call before.
            work_s: what the busiest stage worked on a frame just now.
            interval_s: between the frames of the source, as they come lately.
            lost: whether frames were thrown away since the call before.
        """
        if self._watch is None:
            self._watch = _Watch(time_s + (0.0 if self._started else START_S))
            self._started = True
        watch = self._watch
        watch.add(time_s, work_s / max(interval_s, 1e-3), lost=lost)
        load = watch.load(time_s)
        if load is None:
            return self.level
        self._learn(load)
        losing = len(watch.lost) > 1 and load > LOSING
        if self._at + 1 < len(self.levels) and (load > TOO_MUCH or losing):
            self._step_down(time_s, load)
        elif self._at > 0:
            self._consider_up(time_s, load, watch)
        return self.level

    def _learn(self, load: float) -> None:
        """Compare the first load known of a level with that of the dearer one, just left."""
        dearer = self._rungs[self._at - 1] if self._at > 0 else None
        if dearer and dearer.load:
            dearer.ratio = max(1.0, dearer.load / max(load, 1e-3))
            dearer.load = 0.0

    def _step_down(self, time_s: float, load: float) -> None:
        rung = self._rungs[self._at]
        rung.load = load
        if rung.tried_s is not None and time_s - rung.tried_s < TRIAL_S:
            rung.clear_s = min(2 * rung.clear_s, MOST_CLEAR_S)
        else:
            rung.clear_s = CLEAR_S
        self._at += 1
        self._watch = None

    def _consider_up(self, time_s: float, load: float, watch: _Watch) -> None:
        dearer = self._rungs[self._at - 1]
        calm = not watch.lost and load <= AFFORDABLE
        watch.calm_since_s = min(watch.calm_since_s, time_s) if calm else inf
        clear = calm and load * dearer.ratio <= AFFORDABLE
        watch.clear_since_s = min(watch.clear_since_s, time_s) if clear else inf
        if (
            time_s - watch.clear_since_s >= dearer.clear_s
            or time_s - watch.calm_since_s >= BLIND * dearer.clear_s
        ):
            dearer.tried_s = time_s
            self._at -= 1
            self._watch = None
