"""What is logged, as lists of messages."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class Log(list[str]):
    """What was said, a message each."""

    def has(self, *words: str) -> bool:
        """Tell whether a message holds all of these."""
        return any(all(word in line for word in words) for line in self)


class _Lines(logging.Handler):
    """Appends every message to a list."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Append one message."""
        self._lines.append(record.getMessage())


def log_into(lines: list[str]) -> logging.Logger:
    """Return a logger outside the hierarchy that appends its messages to a list."""
    log = logging.Logger("lines", logging.INFO)
    log.addHandler(_Lines(lines))
    return log


@contextmanager
def logged(name: str) -> Iterator[Log]:
    """Yield what gets the messages of one logger and those below it."""
    lines = Log()
    log, handler = logging.getLogger(name), _Lines(lines)
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
