"""The memory of a process that lives for days."""

from __future__ import annotations

import ctypes
from contextlib import suppress

MOST_ARENAS = 2
"""Places from which glibc may hand out memory. By default there are eight for each processor: a
thread that finds one in use starts another, and each keeps what it once needed at most. That made
a stream grow by 9 MB at once whenever the machine was busy, and its processes have few threads that
want memory at the same time."""

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def limit_arenas() -> None:
    """Have the C library keep what is freed together; does nothing where it is not glibc."""
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MOST_ARENAS)
