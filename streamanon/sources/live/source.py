"""Cameras, streams and screens: live inputs that reconnect by themselves."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from logging import Logger
from threading import Event

from streamanon.errors import MediaError, StreamanonError, system_reason
from streamanon.media.address import Address
from streamanon.media.audio import AudioFormat, AudioPacket, AudioQueue
from streamanon.media.backoff import Backoff
from streamanon.media.live_sound import LiveSound
from streamanon.media.timeline import LIVE_TICK, Timeline
from streamanon.sources.live.connection import (
    Connection,
    ConnectionLost,
    DecodedFrame,
    StreamProperties,
)
from streamanon.sources.live.frame_converter import FrameConverter
from streamanon.sources.live.input_options import input_options, open_error
from streamanon.types import Frame, MediaInfo, Picture, Plane

_POLL_S = 0.1
_PATIENCE_S = 11.0
"""Longest wait for a keyframe after connecting; a little more than the damage tracker waits."""
_GRACE_S = 0.6
"""Longest wait for a device to be released at the end."""
_RELEASE_S = 1.5
"""The same before connecting again: a read that hangs ends about a second after it was given up,
and holds its device or its UDP port until then."""
_REFUSED_S = 0.2
"""Wait between tries while the server refuses connections: such a try costs next to nothing."""
_MAX_S = 0.4
"""Longest wait between other tries: a server is often back a moment before its camera is."""
_NO_PICTURE = MediaError("the source ended before there was a picture: check what it serves")
_USUAL_RATE = Fraction(30)

_SILENT_S = 10.0
"""So long without sound while packets of it come in is a fault."""

_QUIET_S = 60.0
"""Shortest time between two log messages on timestamps that jump."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """State of a live input.

    Attributes:
        connected: False while the connection is lost.
        since_s: seconds in this state.
        reconnects: number of times the connection was made again.
        reason: why it was lost last, without credentials; "" if it never was.
    """

    connected: bool
    since_s: float
    reconnects: int
    reason: str


class LiveSource:
    """Yields the frames of a live input until it is stopped.

    The time of a frame is its arrival on this machine's monotonic clock, smoothed (see
    :mod:`streamanon.media.timeline`), in ticks of 1/90000 s. Pictures are 8 bit 4:2:0 in the size
    and colours of the first; later pictures of another size are letterboxed. A damaged frame holds
    the pixels of the last undamaged one, because its own may be anything.

    Attributes:
        sound: compressed audio of the stream, or None.
    """

    def __init__(
        self,
        address: Address,
        *,
        transport: str = "tcp",
        max_pixels: int | None = None,
        wait: bool = False,
        log: Logger,
        stopping: Event | None = None,
    ) -> None:
        """Connect and wait for the first picture.

        Args:
            address: where the input is.
            transport: "tcp" or "udp", for RTSP.
            max_pixels: pixels of the largest picture that is decoded; the default if left out.
            wait: retry until it can be reached.
            log: logger for changes of its state; addresses are masked.
            stopping: ends the source when set, including the wait for the first picture.

        Raises:
            UsageError: the input cannot be opened as asked.
            MediaError: it cannot be reached or has no video, or stopping was set first.
        """
        self._address, self._log = address, log
        options = input_options(address, transport)
        self._options = replace(options, max_pixels=max_pixels or options.max_pixels)
        self._stopping = stopping or Event()
        self._timeline = Timeline()
        self._live_sound = LiveSound(self._timeline)
        self._heard_s = time.monotonic()
        self._silent = False
        self._state = (False, time.monotonic(), 0, "")
        self._index = 0
        self._quiet_until_s = 0.0
        self._believed: tuple[Plane, ...] = ()
        self.sound: AudioQueue | None = None
        self._sounds = True
        self._connection, properties = self._first(wait=wait)
        self._converter, self._size = properties.converter, (0, 0)
        self._info = MediaInfo(
            name=str(address),
            width=properties.converter.width,
            height=properties.converter.height,
            colour=properties.converter.colour,
            time_base=LIVE_TICK,
            rate=properties.rate or _USUAL_RATE,
            live=True,
            container=properties.converter.tags,
        )
        self._options = self._options.for_reconnect(sound=properties.sound is not None)
        if properties.sound:
            self.sound = AudioQueue(properties.sound)
        self._log.info(f"{address}: connected, {_described(properties)}")

    @property
    def info(self) -> MediaInfo:
        """Properties of the stream; they do not change."""
        return self._info

    @property
    def state(self) -> SourceState:
        """Present state of the input; for any thread."""
        connected, since, times, reason = self._state
        return SourceState(connected, time.monotonic() - since, max(0, times - 1), reason)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until :meth:`stop`; reconnect when the connection is lost."""
        while not self._stopping.is_set():
            yield from self._frames()
            if not self._stopping.is_set():
                self._reconnect()

    def stop(self) -> None:
        """End the iteration within a second; for any thread."""
        self._stopping.set()

    def close(self) -> None:
        """Release the input; safe to call twice."""
        self._stopping.set()
        self._let_go()

    def _let_go(self) -> None:
        self._connection.abandon()
        self._connection.join(_GRACE_S if self._stopping.is_set() else _RELEASE_S)

    def _first(self, *, wait: bool) -> tuple[Connection, StreamProperties]:
        """Connect for the first time."""
        backoff, said = Backoff(most_s=_MAX_S), ""
        while True:
            try:
                return self._connect(None)
            except StreamanonError as error:
                if not wait or self._stopping.is_set():
                    raise
                if str(error) != said:
                    said = str(error)
                    self._log.warning(f"{said}; waiting for it")
                wait_s = _until_next(backoff, error)
            self._stopping.wait(wait_s)

    def _connect(self, converter: FrameConverter | None) -> tuple[Connection, StreamProperties]:
        """Connect once and wait for the first picture."""
        start = time.monotonic()
        connection = Connection(self._options, converter)
        try:
            while time.monotonic() - start < self._options.open_s + _PATIENCE_S:
                if self._stopping.is_set():
                    raise MediaError(f"{self._address}: stopped before there was a picture")
                item = connection.next(_POLL_S)
                if isinstance(item, StreamProperties):
                    self._timeline.restart(paced=item.paced)
                    self._live_sound.restart()
                    self._heard_s = time.monotonic()
                    _, _, times, reason = self._state
                    self._state = (True, time.monotonic(), times + 1, reason)
                    return connection, item
                if isinstance(item, ConnectionLost):
                    late = time.monotonic() - start > 0.9 * self._options.open_s
                    why = open_error(self._address, item.error or _NO_PICTURE, late=late)
                    raise why from item.error
            raise open_error(self._address, TimeoutError(), late=True)
        except BaseException:
            connection.abandon()
            raise

    def _frames(self) -> Iterator[Frame]:
        """Yield the frames of the present connection until the connection is lost."""
        seen_s, reason = time.monotonic(), ""
        while not reason and not self._stopping.is_set():
            item = self._connection.next(_POLL_S)
            if isinstance(item, DecodedFrame):
                yield self._frame(item)
                seen_s = time.monotonic()
            elif isinstance(item, AudioPacket):
                self._queue_audio(item)
            elif isinstance(item, ConnectionLost):
                reason = self._ended(item)
            elif time.monotonic() - seen_s > self._options.stall_s:
                reason = f"no picture for {self._options.stall_s:g} s"
        self._let_go()
        if reason:
            self._log.warning(f"{self._address}: lost: {reason}; reconnecting")
            self._state = (False, time.monotonic(), self._state[2], reason)

    def _ended(self, lost: ConnectionLost) -> str:
        if lost.error is None:
            return "the source ended"
        return f"the connection broke ({self._address.masked(system_reason(lost.error))})"

    def _reconnect(self) -> None:
        """Retry until there is a picture again or the source is stopped."""
        backoff, said, tries = Backoff(most_s=_MAX_S), "", 0
        wait_s = backoff.next_s()
        while not self._stopping.wait(wait_s):
            tries += 1
            try:
                self._connection, properties = self._connect(self._converter)
            except StreamanonError as error:
                if str(error) != said and not self._stopping.is_set():
                    said = str(error)
                    self._log.warning(f"{said}; trying again")
                wait_s = _until_next(backoff, error)
                continue
            self._compare_sound(properties.sound)
            self._log.info(f"{self._address}: back, {_described(properties)} (try {tries})")
            return

    def _frame(self, decoded: DecodedFrame) -> Frame:
        """Give a picture its time in the stream; wait for that time if the source is paced."""
        if decoded.size != self._size:
            self._note_size(decoded.size)
        pts = self._timeline.place(decoded.pts, int(decoded.arrival_s / LIVE_TICK))
        self._pass_sound(self._live_sound.placed())
        if self._timeline.jump:
            self._note_jump(float(self._timeline.jump * LIVE_TICK))
        if self._timeline.paced:
            self._stopping.wait(max(0.0, pts * LIVE_TICK - time.monotonic()))
        if not decoded.damaged:
            self._believed = decoded.planes
        # the cover of a whole frame is made from its pixels; garbage could make it bright pink
        picture = Picture(self._believed or decoded.planes, self._info.colour)
        both = decoded.bidirectional
        frame = Frame(self._index, picture, pts, LIVE_TICK, decoded.damaged, bidirectional=both)
        self._index += 1
        return frame

    def _note_jump(self, by_s: float) -> None:
        """Log that the source's time jumped, at most once a minute: sources that loop repeat it."""
        if time.monotonic() >= self._quiet_until_s:
            self._quiet_until_s = time.monotonic() + _QUIET_S
            self._log.info(f"{self._address}: its time stamps jumped by {by_s:+.1f} s, ours go on")

    def _note_size(self, size: tuple[int, int]) -> None:
        if self._size != (0, 0):
            shown = f"{self._info.width}x{self._info.height}"
            now = f"{size[0]}x{size[1]}"
            self._log.info(f"{self._address}: the picture is {now} from here, shown within {shown}")
        self._size = size

    def _queue_audio(self, packet: AudioPacket) -> None:
        if self.sound is None or not self._sounds:
            return
        self._pass_sound(self._live_sound.add(packet))
        if not self._silent and time.monotonic() - self._heard_s > _SILENT_S:
            self._silent = True
            self._log.warning(
                f"{self._address}: silent for {_SILENT_S:.0f} s although sound comes in: its time "
                "stamps do not fit those of the pictures"
            )

    def _pass_sound(self, packets: list[AudioPacket]) -> None:
        if packets and self.sound:
            self._heard_s = time.monotonic()
            if self._silent:
                self._silent = False
                self._log.info(f"{self._address}: the sound is back")
            for packet in packets:
                self.sound.put(packet)

    def _compare_sound(self, found: AudioFormat | None) -> None:
        """Drop the audio from here on if its format changed: outputs were opened for the first."""
        if self.sound and self._sounds and found and found != self.sound.format:
            self._sounds = False
            was = self.sound.format
            self._log.warning(
                f"{self._address}: the sound was {was.codec} at {was.rate} Hz and is {found.codec} "
                f"at {found.rate} Hz: it is left out from here, start again to have it"
            )


def _until_next(backoff: Backoff, error: StreamanonError) -> float:
    """Return how long to wait after a failed try, in seconds."""
    if isinstance(error.__cause__, ConnectionRefusedError):
        backoff.reset()
        return _REFUSED_S
    return backoff.next_s()


def _described(properties: StreamProperties) -> str:
    """Return a description of a stream for the log."""
    width, height = properties.converter.width, properties.converter.height
    rate = f", {float(properties.rate):.4g} fps" if properties.rate else ""
    sound = f", sound {properties.sound.codec}" if properties.sound else ""
    return f"{width}x{height}{rate}, {properties.codec}{sound}"
