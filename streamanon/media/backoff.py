"""How long to wait before the next try."""

from __future__ import annotations

from random import Random

_FIRST_S = 0.1
_MOST_S = 1.0
"""A server that returns is found again within a second, and one that is gone for days is asked
once a second: neither it nor the log minds."""


class Backoff:
    """Waits that double up to a limit, each shortened at random so that many do not try at once."""

    def __init__(self, seed: int | None = None, *, most_s: float = _MOST_S) -> None:
        """Begin.

        Args:
            seed: of the chance.
            most_s: the longest wait.
        """
        self._random, self._most_s = Random(seed), most_s
        self._next_s = _FIRST_S

    def next_s(self) -> float:
        """Return the seconds to wait before the next try."""
        wait_s = self._next_s
        self._next_s = min(self._most_s, 2 * wait_s)
        return wait_s * self._random.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Begin with short waits again, after a try that succeeded."""
        self._next_s = _FIRST_S
