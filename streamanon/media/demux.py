"""Reads the packets of a container across places that cannot be read."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from av.container import InputContainer
from av.error import InvalidDataError
from av.packet import Packet
from av.stream import Stream

_GIVE_UP_AFTER = 8
"""Failed reads in a row after which a file counts as cut off there."""


def demux(
    container: InputContainer, streams: Sequence[Stream], most_failures: int = _GIVE_UP_AFTER
) -> Generator[Packet[Any] | None]:
    """Yield packets, the last of each stream empty, and None for every read that failed.

    Raises:
        InvalidDataError: so many reads in a row failed that the input counts as cut off.
    """
    failures = 0
    while True:
        try:
            for packet in container.demux(*streams):
                failures = 0
                yield packet
        except InvalidDataError:
            failures += 1
            yield None
            if failures >= most_failures:
                raise
        except IndexError:  # a track that was not there at the beginning: PyAV does not know it
            continue
        else:
            return
