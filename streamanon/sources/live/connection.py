"""One connection to a live input, in its own thread, until it is lost or abandoned.

FFmpeg can be interrupted only by its own time-outs, and some devices not at all. So the thread that
reads is not the one that waits for frames: the waiting thread can give up at any time, and the
reading thread ends when the call that blocks it returns.
"""

from __future__ import annotations

import errno
import subprocess
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import ExitError, FFmpegError, InvalidDataError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.media.audio import AudioFormat, AudioPacket
from streamanon.media.credentials import mask_error
from streamanon.media.demux import demux
from streamanon.media.pixel_limit import check_pixels, decoder_options
from streamanon.media.timeline import ticks
from streamanon.sources.live.frame_converter import FrameConverter
from streamanon.sources.live.http_fetch import Fetcher
from streamanon.sources.live.input_options import InputOptions
from streamanon.sources.live.mp4_index import index_error
from streamanon.sources.live.reach import Reach
from streamanon.sources.live.reader import VideoReader, audio_format, is_paced, rate_of, video_track
from streamanon.sources.planar import bidirectional
from streamanon.types import Plane

_WAITING = 8
_POLL_S = 0.1
_GIVE_UP_AFTER = 50
"""Failed reads in a row after which a connection counts as lost."""
_LOOK_S = 5.0
"""Longest silence of a server that is asked why its file cannot be read."""
_UNREADABLE = (InvalidDataError, ExitError, EOFError)


@dataclass(frozen=True, slots=True)
class StreamProperties:
    """Properties of a stream, known when its first picture was decoded.

    Attributes:
        converter: converts its pictures to the announced size and colours.
        rate: frames per second, or None if unknown.
        codec: FFmpeg's name of the video codec.
        sound: format of its audio, or None without audio.
        paced: True if frames arrive faster than real time, so that the reader has to wait.
    """

    converter: FrameConverter
    rate: Fraction | None
    codec: str
    sound: AudioFormat | None
    paced: bool


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One decoded picture.

    Attributes:
        planes: Y, U, V in the announced size and colours.
        pts: time on the source's clock, in ticks of LIVE_TICK; None if the source gives none.
        arrival_s: time of decoding on the monotonic clock.
        damaged: True if the pixels may be wrong.
        size: stored width and height in pixels.
        bidirectional: see :class:`streamanon.types.Frame`.
    """

    planes: tuple[Plane, ...]
    pts: int | None
    arrival_s: float
    damaged: bool
    size: tuple[int, int]
    bidirectional: bool | None


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """The connection has ended; ``error`` is None if the source ended the stream."""

    error: Exception | None


Item: TypeAlias = StreamProperties | DecodedFrame | AudioPacket | ConnectionLost
"""What a connection hands over. Times of audio packets are on the source's clock."""


class Connection:
    """Opens an input and decodes it; the last item is a :class:`ConnectionLost`."""

    def __init__(self, options: InputOptions, converter: FrameConverter | None) -> None:
        """Start; a converter of an earlier connection keeps its size and colours."""
        self._options, self._converter = options, converter
        self._items: Queue[Item] = Queue(_WAITING)
        self._over = Event()
        self._opened = False
        self._tool: subprocess.Popen[bytes] | None = None
        self._fetcher: Fetcher | None = None
        self._thread = Thread(target=self._run, name="streamanon-input", daemon=True)
        self._thread.start()

    def next(self, timeout_s: float) -> Item | None:
        """Return the next item, or None if none arrives in time."""
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
        """Wait for the thread to end, which releases its device."""
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
            except Exception as found:  # noqa: BLE001  handed over; the receiver decides
                # its traceback would keep a picture alive after its device was closed, which
                # crashes V4L2
                error = found.with_traceback(None)
                error.__context__ = None
                mask_error(error)  # FFmpeg quotes the address
        self._put(ConnectionLost(self._explained(error)))

    def _explained(self, error: Exception | None) -> Exception | None:
        """Return why an HTTP input gave no picture, where its content says so better."""
        broken = getattr(error, "errno", None) == errno.EIO
        unread = error is None or isinstance(error, _UNREADABLE) or broken
        url = self._options.file
        if self._opened or not unread or self._over.is_set() or not url.startswith("http"):
            return error
        self._fetcher = Fetcher(url, self._options.reach or Reach(), _LOOK_S, self._over)
        return index_error(self._fetcher, url) or error

    def _open(self, stack: ExitStack) -> InputContainer:
        """Open the input in the first way that works."""
        options, file, form = self._options, self._options.file, self._options.format
        if options.command:
            quiet = subprocess.DEVNULL
            tool = subprocess.Popen(
                options.command, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet
            )
            self._tool = stack.enter_context(tool)
            assert self._tool.stdout is not None
            file = f"pipe:{self._tool.stdout.fileno()}"
        # Longer than the waiting thread allows, which gives up first. Continuing after a shorter
        # time-out would lose the rest of a half-read packet and the position in the stream.
        read_s = options.stall_s + 1
        if options.reach:
            self._fetcher = Fetcher(file, options.reach, read_s, self._over)
            file, form = self._fetcher.start()
        for last, tried in enumerate(options.tries, start=1 - len(options.tries)):
            try:
                return av.open(
                    file,
                    format=form,
                    options={**tried, **decoder_options(options.max_pixels)},
                    timeout=(options.open_s, read_s),
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
        check_pixels("the picture", (video.width, video.height), self._options.max_pixels)
        reader = VideoReader(container, video, self._options.max_pixels)
        for packet in demux(container, streams, _GIVE_UP_AFTER):
            if self._over.is_set():
                return
            if packet is None:
                reader.doubt()
                continue
            if not packet.size:
                continue
            if packet.stream_index != video.index:
                if self._opened:
                    self._put_audio(packet)
                continue
            for frame, damaged in reader.pictures(packet):
                decoded = self._decoded(reader, frame, damaged=damaged)
                if not self._opened:
                    self._put(self._properties(container, video, sound))
                    self._opened = True
                self._put(decoded)

    def _decoded(self, reader: VideoReader, frame: VideoFrame, *, damaged: bool) -> DecodedFrame:
        aspect, size = reader.aspect, (frame.width, frame.height)
        check_pixels("the picture", size, self._options.max_pixels)
        if self._converter is None:
            self._converter = FrameConverter(frame, aspect)
        planes = self._converter.planes(frame, aspect)
        arrival_s, both = time.monotonic(), bidirectional(frame)
        return DecodedFrame(planes, reader.pts(frame), arrival_s, damaged, size, both)

    def _properties(
        self, container: InputContainer, video: VideoStream, sound: AudioStream | None
    ) -> StreamProperties:
        assert self._converter is not None
        return StreamProperties(
            converter=self._converter,
            rate=rate_of(video),
            codec=video.codec_context.name,
            sound=audio_format(sound) if sound else None,
            paced=is_paced(container) or (self._fetcher is not None and self._fetcher.is_file),
        )

    def _put_audio(self, packet: Packet[Any]) -> None:
        if packet.pts is None:
            return
        pts = ticks(packet.pts, packet.time_base)
        self._put(AudioPacket(bytes(packet), pts, ticks(packet.duration or 0, packet.time_base)))
