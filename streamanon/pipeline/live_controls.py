"""Figures of a live line, and the control of its quality by its load."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from streamanon.pipeline.governor import Governor
from streamanon.pipeline.meter import Meter
from streamanon.protocols import Anonymiser
from streamanon.types import FULL_QUALITY

if TYPE_CHECKING:
    from streamanon.pipeline.report import Report
    from streamanon.pipeline.stage_clock import StageClock
    from streamanon.tracking.observer import Observer

LOG = logging.getLogger("streamanon")

_MEANING = {
    FULL_QUALITY: "nothing is stepped down any more",
    "warp": "faces are replaced without the network",
    "mosaic": "faces are hidden by a mosaic",
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
    """Measures and controls the lines of one live stream, one after the other.

    Attributes:
        meter: figures of all lines.
        report: report of the newest line, also if it failed; None before it has ended.
    """

    def __init__(
        self, meter: Meter | None = None, ladder: Ladder | None = None, log: logging.Logger = LOG
    ) -> None:
        """Create one.

        Args:
            meter: collects the figures; a new one by default.
            ladder: anonymiser of the lines, if its quality may be changed.
            log: logger for changes of the quality.
        """
        self.meter = meter or Meter()
        self.report: Report | None = None
        self._ladder = ladder
        self._log = log
        self._governor = Governor((FULL_QUALITY,))
        self._dropped = 0

    def use(self, ladder: Ladder) -> None:
        """Set the anonymiser of the next line, which starts at the level of the line before."""
        self._ladder, self.report = ladder, None

    def start(self) -> None:
        """Prepare for a new line, whose counts of tracks and drops start at 0."""
        self._dropped = 0
        self._governor.restart()
        self.meter.start()

    def prepare(self, observer: Observer, anonymiser: Anonymiser) -> None:
        """Apply the current level to the next frame."""
        level = self._governor.level
        if self._ladder:
            if self._ladder.levels != self._governor.levels:
                self._governor = Governor(self._ladder.levels)
                level = self._governor.level
            self._ladder.step_to(level)
        observer.fit_meshes(enabled=anonymiser.needs_mesh)
        self.meter.set_level(level)

    def update(self, stages: Sequence[StageClock], dropped: int) -> None:
        """Choose the level for the next frame.

        Args:
            stages: stages after read.
            dropped: frames dropped so far.
        """
        interval_s = self.meter.interval_s()
        lost, self._dropped = dropped > self._dropped, dropped
        if interval_s is None:
            return
        # At most two frames are in progress, so that half of the total work is a lower limit.
        work = [stage.recent_s for stage in stages]
        busiest_s = max(*work, sum(work) / 2)
        before = self._governor.level
        level = self._governor.update(time.monotonic(), busiest_s, interval_s, lost=lost)
        if level != before:
            levels = self._governor.levels
            down = levels.index(level) > levels.index(before)
            why = (
                f"too much to do ({busiest_s * 1000:.0f} ms a frame, one every "
                f"{interval_s * 1000:.0f} ms): quality steps down"
                if down
                else "time to spare: quality steps up"
            )
            self._log.info(f"{why} to {level!r}: {_MEANING[level]}")
