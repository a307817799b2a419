"""Unreadable places are stepped over, but not for ever."""

from collections.abc import Iterator
from typing import Any

import pytest
from av.error import InvalidDataError

from streamanon.media.demux import demux


class _Container:
    """Reads numbers as packets; a failed read is None."""

    def __init__(self, reads: list[int | None]) -> None:
        self.reads = reads

    def demux(self, *streams: Any) -> Iterator[int]:
        assert streams == ("video", "audio")
        while self.reads:
            number = self.reads.pop(0)
            if number is None:
                raise InvalidDataError(1, "unreadable")
            yield number


def _read(container: _Container) -> Iterator[Any]:
    return demux(container, ("video", "audio"), 3)  # type: ignore[arg-type]


def test_reading_goes_on_behind_what_cannot_be_read() -> None:
    reads = [1, None, 2, None, None, 3, None, None, 4]
    assert list(_read(_Container(list(reads)))) == reads


def test_an_input_that_only_fails_is_given_up() -> None:
    container, found = _Container([1, None, None, None, 2]), []
    with pytest.raises(InvalidDataError):
        found += [*_read(container)]
    assert container.reads == [2]
    container = _Container([1, None, None, None, 2])
    packets = _read(container)
    assert [next(packets) for _ in range(4)] == [1, None, None, None]


def test_packets_of_a_track_that_was_not_there_are_left_out() -> None:
    class Late(_Container):
        def demux(self, *streams: Any) -> Iterator[int]:
            for number in super().demux(*streams):
                yield [1, 2][number]  # as PyAV looks for the track of a packet

    assert list(_read(Late([0, 2, 1]))) == [1, 2]
