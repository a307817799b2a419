"""Waits of tests: until something is so, within a generous time."""

import time
from collections.abc import Callable


def wait_until(happened: Callable[[], object], within_s: float = 60.0) -> None:
    """Wait for something to happen; fail when it does not."""
    deadline = time.monotonic() + within_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
