"""Decodes a file so that every picture keeps its slot in time, also damaged and lost ones.

Which pictures may be believed is decided by :mod:`streamanon.media.damage`.

A decoder returns pictures in the order they are shown in, each with the time of its packet. Where
that order and those times contradict each other (B pictures in AVI have times in coding order), the
order is right: the earliest picture gets the earliest time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from av.codec.context import Flags
from av.error import FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.media.damage import DamageTracker
from streamanon.media.reorder import ReorderBuffer

_GAP = Fraction(3, 4)
"""In frame durations. A lost picture leaves a gap of a whole one on both sides; a second field
leaves half, a hidden reference picture (VP8, VP9, AV1) next to nothing."""

_LOOKED_AT, _KNOWN_FROM = 24, 5
"""Pictures from which the duration of a frame is taken, and how many it takes."""

_KEYFRAMES = 64
"""Newest keyframes that are remembered: more than a decoder is ever behind."""


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

    def __init__(
        self, packets: Iterable[Packet[Any] | None], stream: VideoStream, step: int
    ) -> None:
        """Prepare to decode :func:`~streamanon.media.continuity.continuous` packets of a track."""
        self._input, self._stream, self._step = packets, stream, step
        stream.thread_type = "AUTO"
        stream.codec_context.flags |= Flags.output_corrupt  # broken pictures are covered
        self._damage = DamageTracker()
        self._reorder: ReorderBuffer[_Picture] = ReorderBuffer(in_order=False)
        self._contradicted = False
        self._shown: deque[int] = deque(maxlen=_LOOKED_AT)
        self._keyframes: deque[tuple[int, int]] = deque(maxlen=_KEYFRAMES)
        self._cut_off: int | None = None
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
                self._check_order(frame.pts, broken=broken)
                shown = _Picture(frame, pts, self._damage.number(pts), self._damage.failing)
                for one, damaged in self._reorder.show(shown, frame.pts, damaged=broken):
                    yield from self._place(one, broken=damaged)
                yield from self._settle()
        for one, damaged in self._reorder.rest():
            yield from self._place(one, broken=damaged)
        yield from self._lost(None)

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Yield packets, then an empty one or None, which flushes the decoder."""
        with suppress(InvalidDataError):
            for packet in self._input:
                if packet is None:
                    self._damage.doubt()
                elif packet.stream.index == self._stream.index:
                    yield packet
            return
        yield None

    def _expect(self, packet: Packet[VideoStream]) -> None:
        """Note that a picture is due at the time of a packet."""
        if not (self._begun or packet.is_keyframe):
            self._damage.doubt()
        self._begun = True
        due = packet.pts if packet.pts is not None else packet.dts
        if packet.is_discard:
            due = None
        self._reorder.send(None if packet.is_discard else packet.pts)
        self._damage.send(due)
        if due is None:
            return
        if packet.is_keyframe:
            self._keyframes.append((self._damage.number(due), due))
        insort(self._awaited, due)
        if packet.is_corrupt:
            self._corrupt.add(due)

    def _pictures(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            self._damage.fail()
            return []

    def _check_order(self, pts: int | None, *, broken: bool) -> None:
        """Note whether the times of pictures contradict their order, which damage confuses."""
        if pts is None:
            return
        if self._shown and pts < self._shown[-1] and not (broken or self._damage.doubtful):
            self._contradicted, self._reorder.in_order = True, False
        self._shown.append(pts)

    def _settle(self) -> Iterator[Slot]:
        """Conclude from packets that did not show a picture, as long as they were waited for."""
        missing, self._reorder.given_up = self._reorder.given_up, 0
        if not missing:
            return
        if not self._contradicted:
            self._reorder.in_order = True
            return
        for pts in self._awaited[:missing]:
            if self._damage.failures:
                yield self._lost_slot(pts)
        del self._awaited[:missing]

    def _believes(self, shown: _Picture, *, broken: bool) -> bool:
        """Return whether a picture may be believed."""
        keyframe = bool(shown.frame.key_frame)
        after = self._leads(shown.number, shown.pts)
        if after is not None and (broken or self._cut_off == after):
            self._cut_off = after
            return False
        if broken:
            self._damage.doubt(shown.number)
            return False
        if keyframe:
            self._damage.expect(shown.pts, number=shown.number)
        return self._damage.believes(
            shown.pts, keyframe=keyframe, number=shown.number, failing=shown.failing
        )

    def _leads(self, number: int, pts: int | None) -> int | None:
        """Return the number of the keyframe that a picture is decoded after and shown before.

        Such a picture may depend on those before the keyframe, but none after it depends on it.
        """
        before = bisect_right(self._keyframes, (number, 0))
        if not before or pts is None or self._contradicted:
            return None
        key, shown_at = self._keyframes[before - 1]
        return key if pts < shown_at and key < number else None

    def _place(self, shown: _Picture, *, broken: bool) -> Iterator[Slot]:
        """Yield a slot for a picture, after slots for the lost ones that were due before it.

        If several pictures in a row have no time of their own, they are placed one nominal step
        apart: covers of lost faces move and grow with time.
        """
        pts = shown.pts
        if self._contradicted and self._awaited:
            pts = self._awaited.pop(0)
        if pts is None:
            pts = 0 if self._last is None else self._last + self._step
        if pts in self._given_up:
            return  # too late: its slot has been given to a gap
        if self._last is not None and pts <= self._last:
            pts = self._last + (self._step if self._timeless else 1)
            self._timeless = True
        else:
            self._timeless = False
        if not self._contradicted:
            yield from self._lost(pts)
        if shown.pts is not None:
            self._corrupt.discard(shown.pts)
        self._last = pts
        yield Slot(shown.frame, pts, damaged=not self._believes(shown, broken=broken))

    def _lost(self, before: int | None) -> Iterator[Slot]:
        """Yield an empty slot for every picture that was due before a time and never came."""
        end = len(self._awaited) if before is None else bisect_left(self._awaited, before)
        for pts in self._awaited[:end]:
            if self._is_lost(pts, before):
                yield self._lost_slot(pts)
        kept = self._awaited[end:]
        if kept and kept[0] == before:
            del kept[0]
        self._awaited = kept

    def _lost_slot(self, pts: int) -> Slot:
        """Return the slot of a picture that never came."""
        if self._damage.failures or self._leads(self._damage.number(pts), pts) is None:
            self._damage.lose(pts)
        self._last = pts
        self._given_up.add(pts)
        return Slot(None, pts, damaged=True)

    def _is_lost(self, pts: int, before: int | None) -> bool:
        """Distinguish a lost picture from a packet that does not show one."""
        failed = self._damage.failures > 0
        if self._last is None or self._contradicted:
            return failed
        usual: float = self._step
        if len(self._shown) >= _KNOWN_FROM:
            usual = median(later - earlier for earlier, later in pairwise(sorted(self._shown)))
        gap = usual * _GAP
        alone = pts - self._last >= gap and (before is None or before - pts >= gap)
        return pts > self._last and (alone or failed)
