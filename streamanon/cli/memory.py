"""Tells that memory is short, where libraries crash or give other reasons; keeps heaps few."""

import ctypes
import errno
import re
from contextlib import suppress
from pathlib import Path

try:
    import resource
except ImportError:  # Windows, which has no such limits
    resource = None  # type: ignore[assignment]

_MIN_BYTES = 1 << 30
"""Of addresses: below, loading the networks' libraries fails or crashes."""
_ADVISED = "2 GB"
_FULL = 0.8
"""Share of the limit from which on a failure is put down to it."""
_PEAK = re.compile(r"^VmPeak:\s*(\d+) kB", re.MULTILINE)

_M_ARENA_MAX, _HEAPS = -8, 2
"""glibc's name of the limit, from malloc.h, and the number. By default it is 8 for each core, and
each keeps a picture or two that its threads have freed."""


def limit_heaps() -> None:
    """Have the threads of this process share few heaps, where the C library is glibc."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def shortage() -> str | None:
    """Return a message if this process may not have the memory to start with, else None."""
    limit = _limit()
    return _message(limit) if limit is not None and limit < _MIN_BYTES else None


def exhausted(error: BaseException) -> str | None:
    """Return a message if an error came from memory that ran out, else None."""
    limit = _limit()
    if limit is not None and _peak() > _FULL * limit:
        return _message(limit)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or getattr(cause, "errno", None) == errno.ENOMEM:
            return f"too little memory ({error}): close other programs, or use a smaller input"
        cause = cause.__cause__ or cause.__context__
    return None


def _message(limit: int) -> str:
    return (
        f"too little memory: a limit (ulimit -v) leaves this process {limit >> 20} MB of "
        f"addresses, wanted {_ADVISED} or more: raise it"
    )


def _limit() -> int | None:
    """Return the limit of addresses in bytes, or None if there is none."""
    if resource is None:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _peak() -> int:
    """Return the most bytes of addresses so far; 0 where the system does not say."""
    with suppress(OSError):
        found = _PEAK.search(Path("/proc/self/status").read_text())
        return int(found[1]) << 10 if found else 0
    return 0
