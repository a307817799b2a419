"""Exponential back-off with jitter for reconnections."""

from random import Random

_FIRST_S = 0.1
_MAX_S = 1.0
"""A server that returns is found within a second; one that is down for days gets one try per
second, which costs little."""


class Backoff:
    """Waits that double up to a limit, each shortened at random so that clients spread out."""

    def __init__(self, seed: int | None = None, *, most_s: float = _MAX_S) -> None:
        self._random, self._most_s = Random(seed), most_s
        self._next_s = _FIRST_S

    def next_s(self) -> float:
        """Return the seconds to wait before the next try."""
        wait_s = self._next_s
        self._next_s = min(self._most_s, 2 * wait_s)
        return wait_s * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Start over with short waits, after a successful try."""
        self._next_s = _FIRST_S
