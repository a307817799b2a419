"""What happens too often for a line each: counted, and logged at most once a minute."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_QUIET_S = 60.0
_MAX_KINDS = 50


class EventLog:
    """Logs the first event of a kind at once, and those that follow as a count once a minute."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._counts: dict[str, tuple[int, float]] = {}

    def count(self, what: str) -> None:
        """Count an event by its kind, as it is logged: without anything that a client sent."""
        count, due_s = self._counts.get(what, (0, 0.0))
        if not due_s and len(self._counts) < _MAX_KINDS:
            self._log.warning(what)
            self._counts[what] = 0, time.monotonic() + _QUIET_S
        elif due_s:
            self._counts[what] = count + 1, due_s

    def flush(self) -> None:
        """Log the counts that are due; to be called about once a second."""
        now_s = time.monotonic()
        for what, (count, due_s) in list(self._counts.items()):
            if now_s < due_s:
                continue
            if count:
                self._log.warning(f"{what}: {count} times in the last minute")
                self._counts[what] = 0, now_s + _QUIET_S
            else:
                del self._counts[what]


@contextmanager
def counted_reports(events: EventLog) -> Iterator[None]:
    """Count what the libraries below the page report: a visitor can cause any amount of it."""
    counter = _Counter(events)
    loggers = [logging.getLogger(name) for name in ("aioice", "aiortc")]
    before = [log.propagate for log in loggers]
    for log in loggers:
        log.addHandler(counter)
        log.propagate = False
    try:
        yield
    finally:
        for log, propagated in zip(loggers, before, strict=True):
            log.removeHandler(counter)
            log.propagate = propagated


class _Counter(logging.Handler):
    """Counts records by logger and text, before their arguments are filled in."""

    def __init__(self, events: EventLog) -> None:
        super().__init__(logging.WARNING)
        self._events = events

    def emit(self, record: logging.LogRecord) -> None:
        """Count one record."""
        self._events.count(f"{record.name}: {record.msg}")


def exception_summary(context: dict[str, Any]) -> str:
    """Return in one line what an event loop's exception handler got."""
    error = context.get("exception")
    return f"{context['message']} ({type(error).__name__})" if error else str(context["message"])
