"""The packets of one demuxer for two readers: the decoder, and the output that copies tracks.

A pipe cannot be read twice. The decoder pulls the packets; those of other tracks, and the times of
the pictures, wait until the output has come to them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from av.container import InputContainer
from av.error import InvalidDataError
from av.packet import Packet
from av.stream import Stream

from streamanon.errors import MediaError
from streamanon.media.continuity import continuous

_SAMPLES, _SAMPLED_S = 16, 2
"""Packets of each sound track that are read before the output is opened, and how many seconds are
read to find them."""

_MOST_BYTES = 32 << 20
"""What may wait: a minute of sound that is not compressed. More comes only where pictures end."""

_TIMES_BYTES = 256
"""What the times of a picture take."""


class PictureTimes(NamedTuple):
    """What the output needs of a packet of the video."""

    stream_index: int
    pts: int | None
    dts: int | None
    duration: int | None
    time_base: Fraction


class SharedPackets(Iterator["Packet[Any] | PictureTimes"]):
    """Packets of an input that is read once; iterating yields what waits for the output.

    The iteration ends whenever nothing waits, and goes on later.

    Attributes:
        container: the input.
        samples: first packets of each sound track that has any, to try containers with.
        relieve: takes what waits, in the thread of the decoder, when it becomes too much.
    """

    def __init__(self, container: InputContainer, video: Stream, check: Callable[[], None]) -> None:
        """Read the beginning of an input whose video is decoded.

        ``check`` raises what went wrong with the input when it ends.
        """
        self.container, self._video, self._check = container, video, check
        self.relieve: Callable[[], None] | None = None
        others = [one for one in container.streams if one.type in ("subtitle", "data")]
        self._kept = {one.index for one in (*container.streams.audio, *others)}
        self._packets = continuous(container, others)
        self._waiting: deque[Packet[Any] | PictureTimes] = deque()
        self._bytes = 0
        self._ahead: deque[Packet[Any] | None] = deque()
        self._cut_off: InvalidDataError | None = None
        self.samples = self._first_sound()

    def pictures(self) -> Generator[Packet[Any] | None]:
        """Yield all packets; what is not of the video waits for the output as well.

        Raises:
            InvalidDataError: the input is cut off here.
            MediaError: too much sound comes before the first picture, or the input failed.
        """
        try:
            while self._ahead:
                yield self._passed(self._ahead.popleft())
            if self._cut_off:
                raise self._cut_off
            for packet in self._packets:
                yield self._passed(packet)
        except InvalidDataError:
            self._check()
            raise
        self._check()

    def only(self, tracks: set[int]) -> None:
        """Keep nothing but some tracks, and the times of the pictures."""
        self._kept = tracks

    def __next__(self) -> Packet[Any] | PictureTimes:
        """Return the next packet that waits."""
        if not self._waiting:
            raise StopIteration
        packet = self._waiting.popleft()
        self._bytes -= _bytes(packet)
        return packet

    def _passed(self, packet: Packet[Any] | None) -> Packet[Any] | None:
        """Have a packet wait for the output, if that needs it; return it."""
        if packet is None or not packet.size:
            return packet
        waits: Packet[Any] | PictureTimes = packet
        if packet.stream_index == self._video.index:
            times = (packet.pts, packet.dts, packet.duration, packet.time_base)
            waits = PictureTimes(packet.stream_index, *times)
        elif packet.stream_index not in self._kept:
            return packet
        self._waiting.append(waits)
        self._bytes += _bytes(waits)
        if self._bytes > _MOST_BYTES:
            if not self.relieve:
                raise MediaError(
                    f"no picture in the first {_MOST_BYTES >> 20} MB of a pipe: put it into a file"
                )
            self.relieve()
        return packet

    def _first_sound(self) -> dict[int, list[Packet[Any]]]:
        """Read until the beginning of every sound track is known, and return it."""
        found: dict[int, list[Packet[Any]]] = {
            stream.index: [] for stream in self.container.streams.audio
        }
        first_s = last_s = None
        complete = not found
        try:
            while not complete:
                packet = next(self._packets)
                self._ahead.append(packet)
                if packet is None or not packet.size:
                    continue
                if packet.stream_index in found:
                    found[packet.stream_index].append(packet)
                if packet.dts is not None:
                    last_s = packet.dts * packet.time_base
                    first_s = last_s if first_s is None else first_s
                    complete = last_s - first_s > _SAMPLED_S
                complete |= all(len(packets) >= _SAMPLES for packets in found.values())
        except StopIteration:
            found = {index: packets for index, packets in found.items() if packets}
        except InvalidDataError as error:
            self._cut_off = error
        return {index: packets[:_SAMPLES] for index, packets in found.items()}


def _bytes(packet: Packet[Any] | PictureTimes) -> int:
    return _TIMES_BYTES if isinstance(packet, PictureTimes) else packet.size
