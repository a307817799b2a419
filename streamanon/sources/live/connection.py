"""One connection to a live input, in a thread of its own, until it is lost or abandoned.

FFmpeg can be interrupted by its own clock only, and some devices not at all. So the thread that
reads is not the one that waits for frames: whoever waits can always turn away, and the thread ends
when the call that holds it returns.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeAlias

import av
from av.error import FFmpegError, InvalidDataError

from streamanon.media.timeline import ticks
from streamanon.sources.live.fitting import Fitter
from streamanon.sources.live.http_fetch import Fetcher
from streamanon.sources.live.reader import VideoReader, is_paced, rate_of, sound_format, video_track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from typing import Any

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from streamanon.media.audio import SoundFormat
    from streamanon.sources.live.input_options import Opening
    from streamanon.types import Plane

_WAITING = 8
_POLL_S = 0.1
_GIVE_UP_AFTER = 50
"""Reads in a row that fail after which a connection counts as lost."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The first picture was decoded.

    Attributes:
        fitter: knows size and colours.
        rate: frames a second, or None when the source does not say.
        codec: FFmpeg's name of it.
        sound: how its sound is to be read, or None when there is none.
        paced: frames come faster than they are to be shown.
    """

    fitter: Fitter
    rate: Fraction | None
    codec: str
    sound: SoundFormat | None
    paced: bool


@dataclass(frozen=True, slots=True)
class Shot:
    """One decoded picture.

    Attributes:
        planes: Y, U, V in announced size and colours.
        pts: by the source's clock, in ticks of LIVE_TICK; None where it gives no time.
        arrival_s: when it was decoded, by the monotonic clock.
        damaged: its pixels are not to be believed.
        size: stored width and height, in pixels.
    """

    planes: tuple[Plane, ...]
    pts: int | None
    arrival_s: float
    damaged: bool
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet of sound; times in ticks of LIVE_TICK, by the source's clock."""

    data: bytes
    pts: int
    duration: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is over; ``error`` is None when the source just ended."""

    error: Exception | None


Item: TypeAlias = Opened | Shot | Heard | Lost


class Connection:
    """Opens an input and hands over what it gives; ends with one :class:`Lost`."""

    def __init__(self, opening: Opening, fitter: Fitter | None) -> None:
        """Start.

        Args:
            opening: how to open the input.
            fitter: of an earlier connection, whose size and colours are kept.
        """
        self._opening, self._fitter = opening, fitter
        self._items: Queue[Item] = Queue(_WAITING)
        self._over = Event()
        self._tool: subprocess.Popen[bytes] | None = None
        self._fetcher: Fetcher | None = None
        self._thread = Thread(target=self._run, name="streamanon-input", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Item | None:
        """Return what comes next, or None when nothing does in time."""
        try:
            return self._items.get(timeout=timeout_s)
        except Empty:
            return None

    def abandon(self) -> None:
        """Let the thread end as soon as it can; safe to call twice."""
        self._over.set()
        if self._tool:
            self._tool.kill()
        if self._fetcher:
            self._fetcher.stop()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread to end, so that its device is free again."""
        self._thread.join(timeout_s)

    def _put(self, item: Item) -> None:
        while not self._over.is_set():
            with suppress(Full):
                return self._items.put(item, timeout=_POLL_S)
        return None

    def _run(self) -> None:
        with ExitStack() as stack:
            error: Exception | None = None
            try:
                self._read(stack.enter_context(self._open(stack)))
            except Exception as found:  # noqa: BLE001  judged by whoever takes it
                # its traceback would keep a picture alive beyond its device, which V4L2 does not
                # survive
                error = found.with_traceback(None)
                error.__context__ = None
        self._put(Lost(error))

    def _open(self, stack: ExitStack) -> InputContainer:
        """Open the input in the first way that works."""
        opening, file, form = self._opening, self._opening.file, self._opening.format
        if opening.command:
            self._tool = stack.enter_context(_started(opening.command))
            assert self._tool.stdout is not None
            file = f"pipe:{self._tool.stdout.fileno()}"
        # Late: whoever waits for frames notices first. To go on after shorter time-outs would lose
        # the rest of a packet that is half read, and with it the place in the stream.
        read_s = opening.stall_s + 1
        if opening.reach:
            self._fetcher = Fetcher(file, opening.reach, read_s, self._over)
            file, form = self._fetcher.start()
        for last, options in enumerate(opening.tries, start=1 - len(opening.tries)):
            try:
                return av.open(
                    file,
                    format=form,
                    options=options,
                    timeout=(opening.open_s, read_s),
                    metadata_errors="replace",
                    io_open=self._fetcher.open if self._fetcher else None,
                )
            except FFmpegError:
                if last == 0 or self._over.is_set():
                    raise
        raise AssertionError("there is always one way to try")

    def _read(self, container: InputContainer) -> None:
        """Decode and hand over until the end; nothing of FFmpeg's outlives this call."""
        video = video_track(container)
        sound = next(iter(container.streams.audio), None)
        streams: list[Any] = [video] + ([sound] if sound else [])
        reader = VideoReader(container, video)
        opened = False
        for packet in self._packets(container, streams, reader):
            if packet.stream_index != video.index:
                if opened:
                    self._hear(packet)
                continue
            for frame, damaged in reader.pictures(packet):
                shot = self._shot(reader, frame, damaged=damaged)
                if not opened:
                    self._put(self._facts(container, video, sound))
                    opened = True
                self._put(shot)

    def _packets(
        self, container: InputContainer, streams: list[Any], reader: VideoReader
    ) -> Iterator[Packet[Any]]:
        failures = 0
        while not self._over.is_set():
            try:
                for packet in container.demux(streams):
                    failures = 0
                    if packet.size:
                        yield packet
                    if self._over.is_set():
                        return
            except InvalidDataError:
                reader.doubt()
                failures += 1
                if failures >= _GIVE_UP_AFTER:
                    raise
            else:
                return

    def _shot(self, reader: VideoReader, frame: VideoFrame, *, damaged: bool) -> Shot:
        aspect = reader.aspect
        if self._fitter is None:
            self._fitter = Fitter(frame, aspect)
        planes = self._fitter.planes(frame, aspect)
        size = (frame.width, frame.height)
        return Shot(planes, reader.pts(frame), time.monotonic(), damaged, size)

    def _facts(
        self, container: InputContainer, video: VideoStream, sound: AudioStream | None
    ) -> Opened:
        assert self._fitter is not None
        return Opened(
            fitter=self._fitter,
            rate=rate_of(video),
            codec=video.codec_context.name,
            sound=sound_format(sound) if sound else None,
            paced=is_paced(container),
        )

    def _hear(self, packet: Packet[Any]) -> None:
        if packet.pts is None:
            return
        pts = ticks(packet.pts, packet.time_base)
        self._put(Heard(bytes(packet), pts, ticks(packet.duration or 0, packet.time_base)))


def _started(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
