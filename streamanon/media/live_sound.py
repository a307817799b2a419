"""Times of the sound of a live stream, which follow those of its pictures.

The two do not jump at the same packet: a packet that is far from the pictures around it waits until
they have followed, or is of the time before they jumped.
"""

from collections import deque
from dataclasses import replace

from streamanon.media.audio import MAX_QUEUED, AudioPacket
from streamanon.media.timeline import MAX_LATE, Timeline

_TOLERANCE = 90_000 // 20
"""Ticks. Packets are joined seamlessly if they are off by no more than this, which is inaudible."""

_PATIENCE = 2 * 90_000
"""Ticks of pictures after which their distance from the sound is taken as it is."""


class LiveSound:
    """Gives the audio packets of one stream their times."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._waiting: deque[AudioPacket] = deque(maxlen=MAX_QUEUED)
        self._lead: int | None = None
        self._lost_at: int | None = None
        self._heard: int | None = None

    def restart(self) -> None:
        """Forget the source's clock: a new connection may have another one."""
        self._waiting.clear()
        self._lead = self._lost_at = None

    def add(self, packet: AudioPacket) -> list[AudioPacket]:
        """Take a packet with its time on the source's clock; return those whose time is known."""
        if not self._timeline.spans:
            return []  # before the first picture
        self._waiting.append(packet)
        return self.placed()

    def placed(self) -> list[AudioPacket]:
        """Return the packets whose time is known after one more picture, in order."""
        found: list[AudioPacket] = []
        for number, packet in enumerate([*self._waiting], 1 - len(self._waiting)):
            offset = self._offset(packet.pts)
            if offset is None:
                continue
            while len(self._waiting) > -number:  # those before it come too late
                self._waiting.popleft()
            pts = self._joined(packet.pts + offset, packet.duration)
            if pts is not None:
                found.append(replace(packet, pts=pts))
        return found

    def _offset(self, pts: int) -> int | None:
        """Return the offset from the source's clock to ours, or None if no picture is near."""
        spans, now = self._timeline.spans, self._timeline.arrival
        if self._lead is None:
            self._lead = pts - spans[-1].last
        for span in reversed(spans):
            if span.first - MAX_LATE <= pts - self._lead <= span.last + MAX_LATE:
                self._lost_at = None
                return span.offset
        if self._lost_at is None:
            self._lost_at = now
        elif now - self._lost_at > _PATIENCE:
            self._lead = self._lost_at = None
        return None

    def _joined(self, wanted: int, duration: int) -> int | None:
        """Return the time of a packet behind the one before; None if it would overlap."""
        if self._heard is not None and abs(wanted - self._heard) <= _TOLERANCE:
            wanted = self._heard
        if self._heard is not None and wanted < self._heard:
            return None
        self._heard = wanted + duration
        return wanted
