"""Decodes a file so that every picture keeps its slot in time, also damaged and lost ones.

Which pictures may be believed is decided by :mod:`streamanon.media.damage`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import NamedTuple

from av.container import InputContainer
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.media.damage import DamageTracker
from streamanon.media.demux import demux
from streamanon.media.reorder import ReorderBuffer

_OUTPUT_CORRUPT = 1 << 3
"""AV_CODEC_FLAG_OUTPUT_CORRUPT: return broken pictures too, which are covered and counted."""

_GIVE_UP_AFTER = 8
"""Failed reads in a row after which the file counts as cut off there."""

_GAP = Fraction(3, 4)
"""In frame durations. A lost picture leaves a gap of a whole one on both sides; a second field
leaves half, a hidden reference picture (VP8, VP9, AV1) next to nothing."""


class Slot(NamedTuple):
    """One picture's slot in time.

    Attributes:
        frame: picture that was decoded for it, or None if it was lost.
        pts: presentation time.
        damaged: True if the pixels may be wrong or are missing.
    """

    frame: VideoFrame | None
    pts: int
    damaged: bool


class _Picture(NamedTuple):
    """A picture as the decoder returned it.

    Attributes:
        frame: the picture.
        pts: presentation time, or None if unknown.
        number: number of its packet.
        failing: whether a packet had failed by then, and it was not known which.
    """

    frame: VideoFrame
    pts: int | None
    number: int
    failing: bool


class Decoder:
    """Decodes one video track in presentation order."""

    def __init__(self, container: InputContainer, stream: VideoStream, step: int) -> None:
        """Prepare to decode frames that are ``step`` ticks apart."""
        self._container, self._stream, self._step = container, stream, step
        stream.thread_type = "AUTO"
        stream.codec_context.flags |= _OUTPUT_CORRUPT
        self._damage = DamageTracker()
        self._reorder: ReorderBuffer[_Picture] = ReorderBuffer()
        self._awaited: list[int] = []
        self._corrupt: set[int] = set()
        self._given_up: set[int] = set()
        self._last: int | None = None
        self._timeless = self._begun = False

    def decode(self) -> Generator[Slot]:
        """Yield a slot for every picture, with strictly increasing pts."""
        for packet in self._packets():
            if packet is not None and packet.size:
                self._expect(packet)
            for frame in self._pictures(packet):
                pts = frame.pts if frame.pts is not None else frame.dts
                broken = frame.is_corrupt or pts in self._corrupt
                shown = _Picture(frame, pts, self._damage.number(pts), self._damage.failing)
                for one, damaged in self._reorder.show(shown, frame.pts, damaged=broken):
                    yield from self._place(one, broken=damaged)
        for one, damaged in self._reorder.rest():
            yield from self._place(one, broken=damaged)
        yield from self._lost(None)

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Yield packets, then an empty one or None, which flushes the decoder."""
        with suppress(InvalidDataError):
            for packet in demux(self._container, [self._stream], _GIVE_UP_AFTER):
                if packet is None:
                    self._damage.doubt()
                else:
                    yield packet
            return
        yield None

    def _expect(self, packet: Packet[VideoStream]) -> None:
        """Note that a picture is due at the time of a packet."""
        if not (self._begun or packet.is_keyframe):
            self._damage.doubt()
        self._begun = True
        self._reorder.send(packet.pts)
        due = packet.pts if packet.pts is not None else packet.dts
        if packet.is_discard:
            due = None
        self._damage.send(due)
        if due is None:
            return
        insort(self._awaited, due)
        if packet.is_corrupt:
            self._corrupt.add(due)

    def _pictures(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            self._damage.fail()
            return []

    def _believes(self, shown: _Picture, *, broken: bool) -> bool:
        """Return whether a picture may be believed.

        Args:
            shown: next picture in presentation order.
            broken: whether it is damaged, or depends on one that is.
        """
        keyframe = bool(shown.frame.key_frame)
        if broken:
            self._damage.doubt(shown.number)
            return False
        if keyframe:
            self._damage.expect(shown.pts, number=shown.number)
        return self._damage.believes(
            shown.pts, keyframe=keyframe, number=shown.number, failing=shown.failing
        )

    def _place(self, shown: _Picture, *, broken: bool) -> Iterator[Slot]:
        """Yield a slot for a picture, after slots for the lost ones that were due before it.

        If several pictures in a row have no time of their own, they are placed one nominal step
        apart: covers of lost faces move and grow with time.
        """
        pts = shown.pts
        if pts is None:
            pts = 0 if self._last is None else self._last + self._step
        if pts in self._given_up:
            return  # too late: its slot has been given to a gap
        if self._last is not None and pts <= self._last:
            pts = self._last + (self._step if self._timeless else 1)
            self._timeless = True
        else:
            self._timeless = False
        yield from self._lost(pts)
        self._corrupt.discard(pts)
        self._last = pts
        yield Slot(shown.frame, pts, damaged=not self._believes(shown, broken=broken))

    def _lost(self, before: int | None) -> Iterator[Slot]:
        """Yield an empty slot for every picture that was due before a time and never came."""
        end = len(self._awaited) if before is None else bisect_left(self._awaited, before)
        for pts in self._awaited[:end]:
            if self._is_lost(pts, before):
                self._damage.lose(pts)
                self._last = pts
                self._given_up.add(pts)
                yield Slot(None, pts, damaged=True)
        kept = self._awaited[end:]
        if kept and kept[0] == before:
            del kept[0]
        self._awaited = kept

    def _is_lost(self, pts: int, before: int | None) -> bool:
        """Distinguish a lost picture from a packet that does not show one."""
        failed = self._damage.failures > 0
        if self._last is None:
            return failed
        gap = self._step * _GAP
        alone = pts - self._last >= gap and (before is None or before - pts >= gap)
        return pts > self._last and (alone or failed)
