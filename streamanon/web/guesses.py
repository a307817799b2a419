"""Wrong tokens: after a few from one address, further ones are not compared for a while."""

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass, field

MAX_GUESSES = 10
"""Wrong tokens from one address that are compared at once."""

GUESS_S = 5.0
"""Seconds until one more is compared."""

_MAX_NETWORKS = 4096
"""Addresses that are remembered: the latest."""


@dataclass(slots=True)
class _Record:
    made: float = 0.0
    at_s: float = field(default_factory=time.monotonic)
    last: bytes = b""

    def level(self) -> float:
        """Return the guesses that still count."""
        return max(0.0, self.made - (time.monotonic() - self.at_s) / GUESS_S)


class Guesses:
    """Counts the wrong tokens of each address; they are forgotten one by one."""

    def __init__(self) -> None:
        self._by_network: OrderedDict[str, _Record] = OrderedDict()

    def exhausted(self, network: str) -> bool:
        """Return whether the next token from an address must not be compared."""
        record = self._by_network.get(network)
        return record is not None and record.level() > MAX_GUESSES - 1

    def add(self, network: str, wrong: str) -> None:
        """Count a wrong token, unless it is the one before again, as a page left open sends it."""
        digest = hashlib.sha256(wrong.encode("utf-8", "surrogatepass")).digest()
        record = self._by_network.setdefault(network, _Record())
        self._by_network.move_to_end(network)
        if digest != record.last:
            record.made, record.at_s = record.level() + 1, time.monotonic()
            record.last = digest
        if len(self._by_network) > _MAX_NETWORKS:
            self._by_network.popitem(last=False)
