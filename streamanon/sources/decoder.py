"""Packets to pictures, without losing a place in time when some of them are damaged.

Between two keyframes a picture is told by its difference from those before. After one that is
damaged or lost, or where a file begins in the middle, the decoder goes on with what it has and says
nothing: whatever it shows until the next keyframe may be anything, a smeared face included.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from av.error import FFmpegError, InvalidDataError

from streamanon.media.reorder import ReorderBuffer

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_OUTPUT_CORRUPT = 1 << 3
"""AV_CODEC_FLAG_OUTPUT_CORRUPT: show broken pictures too, so that we can cover and count them."""

_GIVE_UP_AFTER = 8
"""Failed reads in a row after which the file counts as cut off there."""

_HOLE = Fraction(3, 4)
"""Of a frame's duration. A lost picture leaves a hole of a whole one on both sides; a second field
leaves half, a hidden reference picture (VP8, VP9, AV1) next to nothing."""


class Decoded(NamedTuple):
    """One place in time and what was decoded for it."""

    frame: VideoFrame | None
    pts: int
    damaged: bool


class _Shown(NamedTuple):
    """A picture as it came out of the decoder.

    Attributes:
        frame: the picture.
        pts: its time; None where nobody says.
        order: number of its packet.
        failing: whether a packet had failed by then; it was none of those decoded before.
    """

    frame: VideoFrame
    pts: int | None
    order: int
    failing: bool


class Decoder:
    """Decodes one video track in presentation order."""

    def __init__(self, container: InputContainer, stream: VideoStream, step: int) -> None:
        """Prepare to decode.

        Args:
            container: an open file.
            stream: the track.
            step: nominal ticks from frame to frame.
        """
        self._container, self._stream, self._step = container, stream, step
        stream.thread_type = "AUTO"
        stream.codec_context.flags |= _OUTPUT_CORRUPT
        self._awaited: list[int] = []
        self._suspect: set[int] = set()
        self._given_up: set[int] = set()
        self._errors = 0
        self._last: int | None = None
        self._reorder: ReorderBuffer[_Shown] = ReorderBuffer()
        self._sent = 0
        self._orders: dict[int, int] = {}
        self._doubted: int | None = None
        self._failed: int | None = None
        self._timeless = False

    def decode(self) -> Generator[Decoded]:
        """Yield what every packet became, with strictly increasing pts."""
        for packet in self._packets():
            if packet is not None and packet.size:
                self._expect(packet)
            for frame in self._pictures(packet):
                pts = frame.pts if frame.pts is not None else frame.dts
                order = self._sent if pts is None else self._orders.get(pts, self._sent)
                broken = frame.is_corrupt or pts in self._suspect
                shown = _Shown(frame, pts, order, self._failed is not None)
                for one, damaged in self._reorder.show(shown, frame.pts, damaged=broken):
                    yield from self._place(one, broken=damaged)
        for one, damaged in self._reorder.rest():
            yield from self._place(one, broken=damaged)
        yield from self._lost(None)

    def _packets(self) -> Iterator[Packet[VideoStream] | None]:
        """Yield packets, then an empty one or None that flushes the decoder."""
        failures = 0
        while failures < _GIVE_UP_AFTER:
            try:
                for packet in self._container.demux(self._stream):
                    failures = 0
                    yield packet
            except InvalidDataError:
                failures += 1
                self._doubted = self._sent
            else:
                return
        yield None

    def _expect(self, packet: Packet[VideoStream]) -> None:
        """Note that a picture is due at the time of a packet."""
        self._sent += 1
        self._reorder.send(packet.pts)
        if self._sent == 1 and not packet.is_keyframe:
            self._doubted = 0
        due = packet.pts if packet.pts is not None else packet.dts
        if due is None or packet.is_discard:
            return
        insort(self._awaited, due)
        self._orders[due] = self._sent
        if packet.is_corrupt:
            self._suspect.add(due)

    def _pictures(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        try:
            return self._stream.decode(packet)
        except FFmpegError:
            self._errors += 1
            self._failed = self._sent
            return []

    def _believes(self, shown: _Shown, *, broken: bool) -> bool:
        """Tell whether a picture is what was recorded, as far as anybody has noticed.

        Args:
            shown: the next one.
            broken: it is damaged itself, or told by one that is.
        """
        since = max(self._doubted or 0, self._failed or 0)
        if broken:
            self._doubted = max(shown.order, since)
        elif shown.frame.key_frame and shown.order > since:
            self._doubted = self._failed = None
        return self._doubted is None and not (shown.failing and self._failed is not None)

    def _place(self, shown: _Shown, *, broken: bool) -> Iterator[Decoded]:
        """Yield a picture, after the lost ones that were due before it.

        Pictures of which more than one in a row have no time of their own come at the usual pace:
        covers of lost faces move and grow with time.
        """
        pts = shown.pts
        if pts is None:
            pts = 0 if self._last is None else self._last + self._step
        if pts in self._given_up:
            return  # too late: its place has gone to a gap
        if self._last is not None and pts <= self._last:
            pts = self._last + (self._step if self._timeless else 1)
            self._timeless = True
        else:
            self._timeless = False
        yield from self._lost(pts)
        self._suspect.discard(pts)
        self._last = pts
        yield Decoded(shown.frame, pts, damaged=not self._believes(shown, broken=broken))

    def _lost(self, before: int | None) -> Iterator[Decoded]:
        """Yield a gap for every picture that was due earlier and never came."""
        end = len(self._awaited) if before is None else bisect_left(self._awaited, before)
        for pts in self._awaited[:end]:
            order = self._orders.pop(pts, self._sent)
            if self._is_lost(pts, before):
                self._errors = max(0, self._errors - 1)
                if not self._errors:
                    self._failed = None  # it was this one
                self._last = pts
                self._given_up.add(pts)
                self._doubted = max(order, self._doubted or 0)
                yield Decoded(None, pts, damaged=True)
        kept = self._awaited[end:]
        if kept and kept[0] == before:
            self._orders.pop(kept.pop(0), None)
        self._awaited = kept

    def _is_lost(self, pts: int, before: int | None) -> bool:
        """Tell a lost picture from a packet that never was to show one."""
        if self._last is None:
            return self._errors > 0
        hole = self._step * _HOLE
        alone = pts - self._last >= hole and (before is None or before - pts >= hole)
        return pts > self._last and (alone or self._errors > 0)
