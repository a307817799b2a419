"""Cameras, streams and screens: live inputs that come back by themselves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from fractions import Fraction
from threading import Event
from typing import TYPE_CHECKING

from streamanon.errors import MediaError, StreamanonError, UsageError
from streamanon.media.audio import SoundPacket, SoundTrack
from streamanon.media.backoff import Backoff
from streamanon.media.timeline import LIVE_TICK, Timeline
from streamanon.sources.live.connection import Connection, Heard, Lost, Opened, Shot
from streamanon.sources.live.input_options import explained, opening
from streamanon.types import Frame, MediaInfo, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamanon.media.address import Address
    from streamanon.media.audio import SoundFormat
    from streamanon.sources.live.fitting import Fitter
    from streamanon.types import Plane

TRANSPORTS = ("tcp", "udp")
_POLL_S = 0.1
_PATIENCE_S = 11.0
"""For a keyframe after connecting; a little more than :mod:`streamanon.sources.live.trust` has."""
_GRACE_S = 0.6
"""For a device to be free again."""
_REFUSED_S = 0.2
"""Between tries while nothing listens: such a try costs next to nothing."""
_MOST_S = 0.4
"""Between tries otherwise: a server is often back a moment before its camera is."""
_NO_PICTURE = MediaError("the source ended before there was a picture: check what it serves")
_USUAL_RATE = Fraction(30)

_QUIET_S = 60.0
"""Between two lines on time stamps that jump."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a live input is.

    Attributes:
        connected: False while it is lost.
        since_s: for how long it has been so, in seconds.
        reconnects: how often it came back.
        reason: why it was lost last, masked; "" when it never was.
    """

    connected: bool
    since_s: float
    reconnects: int
    reason: str


class LiveSource:
    """Yields the frames of a live input until it is told to stop.

    The time of a frame is this machine's monotonic clock when it arrived, smoothed (see
    :mod:`streamanon.media.timeline`), in ticks of 1/90000 s. Pictures are 8 bit 4:2:0 of the size
    and colours of the first; what comes in another size later is shown with black around it. A
    damaged frame holds the pixels of the last that was not: its own are worth nothing.

    Attributes:
        sound: the compressed sound that goes with the frames, or None.
    """

    def __init__(
        self,
        address: Address,
        *,
        transport: str = "tcp",
        wait: bool = False,
        say: Callable[[str], None],
        stopping: Event | None = None,
    ) -> None:
        """Connect and wait for the first picture.

        Args:
            address: of the input.
            transport: "tcp" or "udp", for RTSP.
            wait: go on trying until it can be reached.
            say: takes lines for the operator; nothing in them is secret.
            stopping: ends everything when it is set, the waiting here included.

        Raises:
            UsageError: the input cannot be opened as asked.
            MediaError: it cannot be reached, gives no video, or stopping was set before it did.
        """
        if transport not in TRANSPORTS:
            raise UsageError(f"unknown transport {transport!r}: choose one of tcp, udp")
        self._address, self._say = address, say
        self._opening = opening(address, transport)
        self._stopping = stopping or Event()
        self._timeline = Timeline()
        self._state = _State()
        self._index = 0
        self._quiet_until_s = 0.0
        self._believed: tuple[Plane, ...] = ()
        self.sound: SoundTrack | None = None
        self._sounds = True
        self._connection, facts = self._first(wait=wait)
        self._fitter, self._size = facts.fitter, (0, 0)
        self._info = MediaInfo(
            name=str(address),
            width=facts.fitter.width,
            height=facts.fitter.height,
            colour=facts.fitter.colour,
            time_base=LIVE_TICK,
            rate=facts.rate or _USUAL_RATE,
            live=True,
            container=facts.fitter.tags,
        )
        self._opening = self._opening.again(sound=facts.sound is not None)
        if facts.sound:
            self.sound = SoundTrack(facts.sound)
        self._say(f"{address}: connected, {_described(facts)}")

    @property
    def info(self) -> MediaInfo:
        """What is known before the first frame; it stays so."""
        return self._info

    @property
    def state(self) -> SourceState:
        """How the input is now; for any thread."""
        return self._state.shown()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames until :meth:`stop`; lost connections are made again."""
        while not self._stopping.is_set():
            yield from self._frames()
            if not self._stopping.is_set():
                self._reconnect()

    def stop(self) -> None:
        """End the iteration within a second; for any thread."""
        self._stopping.set()

    def close(self) -> None:
        """Let the input go; safe to call twice."""
        self._stopping.set()
        self._let_go()

    def _let_go(self) -> None:
        self._connection.abandon()
        self._connection.join(_GRACE_S)

    def _first(self, *, wait: bool) -> tuple[Connection, Opened]:
        """Connect for the first time."""
        backoff, said = Backoff(most_s=_MOST_S), ""
        while True:
            try:
                return self._connect(None)
            except StreamanonError as error:
                if not wait or self._stopping.is_set():
                    raise
                if str(error) != said:
                    said = str(error)
                    self._say(f"{said}; waiting for it")
                wait_s = _until_next(backoff, error)
            self._stopping.wait(wait_s)

    def _connect(self, fitter: Fitter | None) -> tuple[Connection, Opened]:
        """Try once to get a first picture.

        Raises:
            StreamanonError: it failed, and why.
        """
        start = time.monotonic()
        connection = Connection(self._opening, fitter)
        try:
            while time.monotonic() - start < self._opening.open_s + _PATIENCE_S:
                if self._stopping.is_set():
                    raise MediaError(f"{self._address}: stopped before there was a picture")
                item = connection.next(_POLL_S)
                if isinstance(item, Opened):
                    self._timeline.restart(paced=item.paced)
                    self._state.connected()
                    return connection, item
                if isinstance(item, Lost):
                    late = time.monotonic() - start > 0.9 * self._opening.open_s
                    why = explained(self._address, item.error or _NO_PICTURE, late=late)
                    raise why from item.error
            raise explained(self._address, TimeoutError(), late=True)
        except BaseException:
            connection.abandon()
            raise

    def _frames(self) -> Iterator[Frame]:
        """Yield the frames of the present connection until it is lost."""
        seen_s, reason = time.monotonic(), ""
        while not reason and not self._stopping.is_set():
            item = self._connection.next(_POLL_S)
            if isinstance(item, Shot):
                yield self._frame(item)
                seen_s = time.monotonic()
            elif isinstance(item, Heard):
                self._hear(item)
            elif isinstance(item, Lost):
                reason = self._ended(item)
            elif time.monotonic() - seen_s > self._opening.stall_s:
                reason = f"no picture for {self._opening.stall_s:g} s"
        self._let_go()
        if reason:
            self._say(f"{self._address}: lost: {reason}; reconnecting")
            self._state.lost(reason)

    def _ended(self, lost: Lost) -> str:
        if lost.error is None:
            return "the source ended"
        text = getattr(lost.error, "strerror", None) or str(lost.error)
        return f"the connection broke ({self._address.masked(text)})"

    def _reconnect(self) -> None:
        """Try until there is a picture again or the end has come."""
        backoff, said, tries = Backoff(most_s=_MOST_S), "", 0
        wait_s = backoff.next_s()
        while not self._stopping.wait(wait_s):
            tries += 1
            try:
                self._connection, facts = self._connect(self._fitter)
            except StreamanonError as error:
                if str(error) != said and not self._stopping.is_set():
                    said = str(error)
                    self._say(f"{said}; trying again")
                wait_s = _until_next(backoff, error)
                continue
            self._compare_sound(facts.sound)
            self._say(f"{self._address}: back, {_described(facts)} (try {tries})")
            return

    def _frame(self, shot: Shot) -> Frame:
        """Give a picture its place in the stream, and wait for it where the source does not."""
        if shot.size != self._size:
            self._note_size(shot.size)
        pts = self._timeline.place(shot.pts, int(shot.arrival_s / LIVE_TICK))
        if self._timeline.jump:
            self._note_jump(float(self._timeline.jump * LIVE_TICK))
        if self._timeline.paced:
            self._stopping.wait(max(0.0, pts * LIVE_TICK - time.monotonic()))
        if not shot.damaged:
            self._believed = shot.planes
        # covered whole it looks like what was there before; of garbage it might be all pink
        picture = Picture(self._believed or shot.planes, self._info.colour)
        frame = Frame(self._index, picture, pts, LIVE_TICK, shot.damaged)
        self._index += 1
        return frame

    def _note_jump(self, by_s: float) -> None:
        """Say that the source's time jumped; one that loops does so again and again."""
        if time.monotonic() >= self._quiet_until_s:
            self._quiet_until_s = time.monotonic() + _QUIET_S
            self._say(f"{self._address}: its time stamps jumped by {by_s:+.1f} s, ours go on")

    def _note_size(self, size: tuple[int, int]) -> None:
        if self._size != (0, 0):
            shown = f"{self._info.width}x{self._info.height}"
            now = f"{size[0]}x{size[1]}"
            self._say(f"{self._address}: the picture is {now} from here, shown within {shown}")
        self._size = size

    def _hear(self, heard: Heard) -> None:
        if self.sound is None or not self._sounds:
            return
        pts = self._timeline.place_sound(heard.pts, heard.duration)
        if pts is not None:
            self.sound.put(SoundPacket(heard.data, pts, heard.duration))

    def _compare_sound(self, found: SoundFormat | None) -> None:
        """Leave the sound out from here when it is no longer what outputs were told."""
        if self.sound and self._sounds and found and found != self.sound.format:
            self._sounds = False
            was = self.sound.format
            self._say(
                f"{self._address}: the sound was {was.codec} at {was.rate} Hz and is {found.codec} "
                f"at {found.rate} Hz: it is left out from here, start again to have it"
            )


class _State:
    """What :class:`SourceState` shows; written by one thread, read by any."""

    def __init__(self) -> None:
        self._now = (False, time.monotonic(), 0, "")

    def connected(self) -> None:
        _, _, times, reason = self._now
        self._now = (True, time.monotonic(), times + 1, reason)

    def lost(self, reason: str) -> None:
        self._now = (False, time.monotonic(), self._now[2], reason)

    def shown(self) -> SourceState:
        connected, since, times, reason = self._now
        return SourceState(connected, time.monotonic() - since, max(0, times - 1), reason)


def _until_next(backoff: Backoff, error: StreamanonError) -> float:
    """Return how long to wait after a try that failed, in seconds."""
    if isinstance(error.__cause__, ConnectionRefusedError):
        backoff.reset()
        return _REFUSED_S
    return backoff.next_s()


def _described(facts: Opened) -> str:
    """Return what came in, for the log."""
    rate = f", {float(facts.rate):.4g} fps" if facts.rate else ""
    sound = f", sound {facts.sound.codec}" if facts.sound else ""
    return f"{facts.fitter.width}x{facts.fitter.height}{rate}, {facts.codec}{sound}"
