"""Figures of a live line, and the control of its quality by its load."""

import logging
import time
from collections.abc import Sequence
from math import inf
from typing import Protocol, runtime_checkable

from streamanon.pipeline.governor import Governor, Rung
from streamanon.pipeline.meter import Meter
from streamanon.pipeline.report import Report
from streamanon.pipeline.stage_clock import StageClock
from streamanon.protocols import Anonymiser
from streamanon.tracking.observer import Observer
from streamanon.types import FULL_QUALITY, MOSAIC, SPARING, Frame

LOG = logging.getLogger("streamanon")

_MEANING = {
    FULL_QUALITY: "the method that was asked for",
    SPARING: "the network is asked less often",
    "warp": "faces are replaced without the network",
    MOSAIC: "faces are hidden by a mosaic",
}


class Ladder(Protocol):
    """An anonymiser with several quality levels; used by several threads."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, best first: "full", then cheaper methods."""
        ...

    def step_to(self, level: str) -> None:
        """Use one of the levels from the next frame on."""
        ...


@runtime_checkable
class Stoppable(Protocol):
    """A source that can be stopped."""

    def stop(self) -> None:
        """End the iteration within a second; called from any thread."""
        ...


class LiveControls:
    """Measures and controls the lines of a live stream; ``report`` is of the newest that ended."""

    def __init__(
        self,
        meter: Meter | None = None,
        ladder: Ladder | None = None,
        log: logging.Logger = LOG,
        prefer: str = "face",
    ) -> None:
        """Create one; the quality changes if there is a ladder, and is logged."""
        self.meter = meter or Meter()
        self.report: Report | None = None
        self._ladder = ladder
        self._log = log
        self._prefer = prefer
        self._governor = Governor((FULL_QUALITY,))
        self._dropped = 0
        self._worked_s: list[float] = []
        self._due_s = -inf

    def use(self, ladder: Ladder) -> None:
        """Set the anonymiser of the next line, which starts at the level of the line before."""
        self._ladder, self.report = ladder, None

    def start(self) -> None:
        """Prepare for a new line, whose counts of tracks and drops start at 0."""
        self._dropped, self._worked_s = 0, []
        self._governor.restart()
        self.meter.start()

    def takes(self, frame: Frame) -> bool:
        """Return whether a frame is taken; the others are left out at even distances."""
        max_fps = self._governor.rung.max_fps
        tolerance_s = (self.meter.interval_s() or 0.0) / 2
        time_s = frame.time_s
        if max_fps == inf:
            self._due_s = -inf
        elif time_s < self._due_s - tolerance_s:
            return False
        else:
            self._due_s = max(self._due_s, time_s - tolerance_s) + 1 / max_fps
        return True

    def prepare(self, observer: Observer, anonymiser: Anonymiser) -> None:
        """Apply the current level to the next frame."""
        if self._ladder and self._ladder.levels != self._governor.levels:
            self._governor = Governor(self._ladder.levels, self._prefer)
        rung = self._governor.rung
        if self._ladder:
            self._ladder.step_to(rung.level)
        observer.fit_meshes(enabled=anonymiser.needs_mesh)
        self.meter.set_level(rung.level, 0.0 if rung.max_fps == inf else rung.max_fps)

    def update(self, stages: Sequence[StageClock], dropped: int) -> None:
        """Choose the quality of the next frame."""
        worked_s = [stage.times.worked_s.total_s for stage in stages]
        new_s = [now - then for now, then in zip(worked_s, self._worked_s, strict=False)]
        lost, interval_s = dropped - self._dropped, self.meter.interval_s()
        self._worked_s, self._dropped = worked_s, dropped
        if not new_s or interval_s is None:
            return
        # At most two frames are in progress, so that half of the total work is a lower limit.
        busiest_s = max(*new_s, sum(new_s) / 2)
        before = self._governor.rung
        rung = self._governor.update(time.monotonic(), busiest_s, interval_s, lost=lost)
        if rung != before:
            rungs = self._governor.rungs
            down = rungs.index(rung) > rungs.index(before)
            way = "too much to do: quality steps down" if down else "time to spare: it steps up"
            self._log.info(f"{way} to {_difference(before, rung)}")


def _difference(before: Rung, rung: Rung) -> str:
    """Return what changes with a rung."""
    parts = []
    if rung.level != before.level:
        parts.append(f"{rung.level!r}: {_MEANING[rung.level]}")
    if rung.max_fps != before.max_fps:
        most = f"{rung.max_fps:g} frames a second at most"
        parts.append("all frames" if rung.max_fps == inf else most)
    return ", ".join(parts)
