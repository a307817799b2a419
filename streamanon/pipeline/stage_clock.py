"""Times one stage of the line, and names it in its errors."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamanon.errors import StageError, StreamanonError, named_error_line
from streamanon.pipeline.report import StageTimes


class StageClock:
    """Measures how long a stage works on each item and waits between items."""

    def __init__(self, name: str, *, keep: int | None) -> None:
        """Create one for a stage that waits for its first item; ``keep`` times, None for all."""
        self.name = name
        self.times = StageTimes(keep)
        self.recent_s = 0.0
        self._since: float | None = None
        self._free = time.monotonic()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Time a piece of work; waiting for other stages is not part of it."""
        self._since = start = time.monotonic()
        self.times.waited_s.append(start - self._free)
        try:
            yield
        finally:
            self._since = None
            self._free = time.monotonic()
            self.recent_s = self._free - start
            self.times.worked_s.append(self.recent_s)

    def stuck_s(self) -> float:
        """Return how long the current piece of work has taken so far."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since


def with_stage_name(stage: StageClock, error: BaseException) -> BaseException:
    """Return an error that names the stage: a note on ours, a StageError for others."""
    if isinstance(error, StreamanonError):
        error.add_note(f"raised by the stage {stage.name!r}")
        return error
    named = StageError(stage.name, named_error_line(error))
    named.__cause__ = error
    return named
