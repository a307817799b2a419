"""Hands memory that is free back to the system, now and then.

A live line takes and frees blocks of all sizes in a dozen threads, for days. None of them stays: of
those taken within ten minutes (18,000 frames of 180p), 3.5 MB were in use afterwards, which is what
the line holds at any time. But what lies free between blocks in use stays with the process (glibc
shrinks its heaps from the end only), and so it grew by 12 MB an hour, without an end.
"""

from __future__ import annotations

import ctypes
import time
from functools import cache
from typing import Any

EVERY_S = 60.0
"""Seconds between two times; each takes about a millisecond."""


class FreeMemory:
    """Gives the process's free memory back every minute, where the C library can do that."""

    def __init__(self) -> None:
        """Wait a minute first."""
        self._last_s = time.monotonic()

    def give_back(self) -> bool:
        """Return whether it was time, and free memory was given back; call it as often as liked."""
        trim, now_s = _malloc_trim(), time.monotonic()
        if trim is None or now_s - self._last_s < EVERY_S:
            return False
        self._last_s = now_s
        trim(0)
        return True


@cache
def _malloc_trim() -> Any:
    """Return what glibc has for it; others (musl, macOS, Windows) need and have no such thing."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
