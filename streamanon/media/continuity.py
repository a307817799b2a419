"""Gives all tracks of a file one clock that begins at 0 and does not jump.

Recordings are joined byte by byte, clocks of 33 bits wrap, and files begin anywhere. Where the
time stamps of one track jump, all tracks go on after it with the same offset, so that sound stays
with its picture.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

from streamanon.media.demux import demux

_MICROSECOND = Fraction(1, 1_000_000)
_BACK_S = Fraction(1, 10)
_AHEAD_S = Fraction(10)
_ERROR_S = Fraction(30 * 3600)
"""Steps of decode times from which on they jumped: back, ahead in formats that do, and ahead in the
others, where one stamp is wrong; the same as those of the ffmpeg command."""

_JUMPS_AHEAD = 0x0200
"""AVFMT_TS_DISCONT: formats whose time stamps may jump (transport and program streams)."""

_REMEMBERED = 4
"""Newest offsets that a track may take or return to: tracks do not jump at the same packet, and one
damaged time stamp makes them jump there and back."""


@dataclass(slots=True)
class _Track:
    """Where a track is.

    Attributes:
        offset: seconds added to its times; None before its first packet.
        next_dts: decode time expected next, with the offset, in seconds.
        end: end of its newest picture or sound, with the offset, in seconds.
    """

    offset: Fraction | None = None
    next_dts: Fraction | None = None
    end: Fraction = Fraction(0)


class _Continuity:
    """Moves the times of packets onto one clock."""

    def __init__(self, start_s: Fraction, *, jumps_ahead: bool) -> None:
        self._offsets = [-start_s]
        self._ahead_s = _AHEAD_S if jumps_ahead else _ERROR_S
        self._tracks: dict[int, _Track] = {}

    def place(self, packet: Packet[Any], *, leads: bool) -> None:
        """Move the times of a packet; tracks that do not lead follow those that do."""
        base = packet.time_base
        at = packet.dts if packet.dts is not None else packet.pts
        if at is None or not base:
            return
        track = self._tracks.setdefault(packet.stream_index, _Track())
        if leads and packet.dts is not None:
            self._follow(track, at * base, packet)
        elif track.offset is None or not leads:
            track.offset = self._nearest(at * base)
        assert track.offset is not None
        moved = round(track.offset / base)
        packet.pts = None if packet.pts is None else packet.pts + moved
        packet.dts = None if packet.dts is None else packet.dts + moved

    def _follow(self, track: _Track, at_s: Fraction, packet: Packet[Any]) -> None:
        """Choose the offset of a packet of picture or sound, and note how far it goes."""
        shown_s = at_s if packet.pts is None else packet.pts * packet.time_base
        if track.offset is None:
            track.offset = self._nearest(at_s)
        elif track.next_dts is not None:
            track.offset = self._continued(track, track.next_dts, at_s, shown_s)
        at_s, length_s = at_s + track.offset, (packet.duration or 0) * packet.time_base
        if track.next_dts is not None and not length_s:
            length_s = max(Fraction(0), at_s - track.next_dts)
        track.next_dts = at_s + length_s
        track.end = max(track.end, shown_s + track.offset + length_s)

    def _nearest(self, at_s: Fraction) -> Fraction:
        """Return the known offset that brings a time closest to where the others are."""
        now_s = max((one.end for one in self._tracks.values()), default=Fraction(0))
        return min(self._offsets[-_REMEMBERED:], key=lambda one: abs(at_s + one - now_s))

    def _continued(
        self, track: _Track, due_s: Fraction, at_s: Fraction, shown_s: Fraction
    ) -> Fraction:
        """Return the offset by which a track goes on: a known one, or a new one after a jump."""
        assert track.offset is not None
        step = at_s + track.offset - due_s
        newer = self._offsets[self._offsets.index(track.offset) + 1 :]
        for one in self._offsets[-_REMEMBERED:]:
            other = at_s + one - due_s
            if abs(other) < abs(step) - _BACK_S and (one in newer or abs(other) < _BACK_S):
                track.offset, step = one, other
        end = max(one.end for one in self._tracks.values())
        ahead = step > self._ahead_s and at_s + track.offset > end + self._ahead_s
        if step < -_BACK_S or ahead:
            self._offsets.append(end - shown_s)
            return self._offsets[-1]
        return track.offset


def timed_streams(container: InputContainer) -> list[Stream]:
    """Return the tracks that set the clock: pictures, cover pictures apart, and sound."""
    return [
        stream
        for stream in container.streams
        if stream.type in ("video", "audio") and not stream.disposition & Disposition.attached_pic
    ]


def continuous(
    container: InputContainer, others: Sequence[Stream] = ()
) -> Generator[Packet[Any] | None]:
    """Yield the packets of all tracks of picture and sound and of some others, on one clock.

    Two readers of the same file get the same times. The last packet of each track is empty; None
    stands for every read that failed.

    Raises:
        InvalidDataError: the input is cut off: several reads in a row failed.
    """
    leading = timed_streams(container)
    leads = {stream.index for stream in leading}
    start_s = (container.start_time or 0) * _MICROSECOND
    jumps_ahead = bool(container.format.flags & _JUMPS_AHEAD)
    clock = _Continuity(start_s, jumps_ahead=jumps_ahead)
    for packet in demux(container, [*leading, *others]):
        if packet is not None and packet.size:
            clock.place(packet, leads=packet.stream_index in leads)
        yield packet
