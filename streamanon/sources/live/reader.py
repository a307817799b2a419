"""The video track of one connection, packet by packet, and what there is to know of it."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

from av.error import FFmpegError
from av.stream import Disposition

from streamanon.errors import MediaError
from streamanon.media.audio import AudioFormat, without_comments
from streamanon.media.frame_gaps import GapDetector
from streamanon.media.h264 import FrameNumbers
from streamanon.media.reorder import ReorderBuffer
from streamanon.media.timeline import ticks
from streamanon.sources.live.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_OUTPUT_CORRUPT = 1 << 3
"""AV_CODEC_FLAG_OUTPUT_CORRUPT: show broken pictures too, so that we can cover and count them."""
_LOW_DELAY = 1 << 19
"""AV_CODEC_FLAG_LOW_DELAY."""

_STRICT = {"err_detect": "aggressive"}
"""For H.264 without arithmetic coding (CAVLC): bytes left over at the end of a slice are an error.
Else a picture with a hole near its end, a packet lost by UDP, is shown as if it were whole."""

_OWN_CLOCK = ("mpjpeg", "mjpeg")
"""Formats without timestamps: FFmpeg makes some up, at a rate it makes up as well."""
_WHOLE = ("wrapped_avframe", "rawvideo")
"""Codecs whose pictures all stand for themselves, beside those that FFmpeg says are such."""
_LOSSY = ("rtsp",)
"""Formats that do not say when something was lost on the way."""
_TOLD = ("h264", "hevc", "vp8")
"""Codecs in which that is noticed all the same: by :mod:`streamanon.media.h264`, by the decoder,
and by FFmpeg's receiver, which gives nothing more until the next keyframe."""
_TOLD_WHEN_SHOWN = ("h264", "hevc")
"""Codecs with B pictures in which a part of a picture can be lost, and that is told with it."""
_PACED = ("hls", "lavfi")
"""Formats that deliver as fast as they are read."""


class VideoReader:
    """Turns the packets of one video track into pictures."""

    def __init__(self, container: InputContainer, video: VideoStream) -> None:
        self._video = video
        self._timeless = container.format.name in _OWN_CLOCK
        # on several threads FFmpeg's H.264 decoder no longer tells which pictures are damaged, or
        # gives them a frame later
        video.thread_type = "NONE"
        video.codec_context.thread_count = 1
        video.codec_context.flags |= _OUTPUT_CORRUPT | _LOW_DELAY
        self._trust = Trust()
        self._codec = video.codec.canonical_name
        extradata = bytes(video.codec_context.extradata or b"")
        self._numbers = FrameNumbers(extradata) if self._codec == "h264" else None
        if self._numbers:
            video.codec_context.options = {**video.codec_context.options, **_STRICT}
        # not all of these have their packets marked as keyframes
        self._whole = self._codec in _WHOLE or video.codec.intra_only
        lossy = container.format.name in _LOSSY and not self._whole and self._codec not in _TOLD
        self._rhythm = GapDetector() if lossy else None
        torn = container.format.name in _LOSSY and self._codec in _TOLD_WHEN_SHOWN
        self._reorder: ReorderBuffer[VideoFrame] | None = ReorderBuffer() if torn else None

    @property
    def aspect(self) -> Fraction | None:
        """Width over height of a stored pixel."""
        return self._video.sample_aspect_ratio or None

    def pts(self, frame: VideoFrame) -> int | None:
        """Return the time of a picture by the source's clock, in ticks."""
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is None or self._timeless or frame.time_base is None:
            return None
        return ticks(pts, frame.time_base)

    def pictures(self, packet: Packet[VideoStream]) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield the pictures that a packet completes, and whether they are damaged."""
        arrival = _now()
        dts = packet.dts if packet.dts is not None else packet.pts
        due = None if dts is None else ticks(dts, packet.time_base)
        keyframe = self._begins(packet)
        missing = self._rhythm is not None and due is not None and self._rhythm.gap(due)
        if not self._trust.admits(keyframe=keyframe, dts=due, arrival=arrival):
            return
        self._examine(packet, arrival, keyframe=keyframe, missing=missing)
        if self._reorder:
            self._reorder.send(packet.pts)
        try:
            frames = self._video.decode(packet)
        except FFmpegError:
            self._doubt(arrival)
            return
        for frame in frames:
            if frame.is_corrupt:
                self._doubt(arrival)
            shown = self._whole or bool(frame.key_frame)
            believed = self._trust.believes(keyframe=shown, pts=frame.pts, arrival=arrival)
            if self._reorder:
                yield from self._reorder.show(frame, frame.pts, damaged=not believed)
            else:
                yield frame, not believed

    def doubt(self) -> None:
        """Believe nothing until all is new: something could not be read."""
        self._doubt(_now())

    def _begins(self, packet: Packet[VideoStream]) -> bool:
        """Tell whether decoding can begin with a packet."""
        marked = self._whole or packet.is_keyframe
        return marked or (self._codec == "vp9" and _begins_vp9(bytes(packet)))

    def _examine(
        self, packet: Packet[VideoStream], arrival: int, *, keyframe: bool, missing: bool
    ) -> None:
        """Look for signs of loss in a packet, and for the end of their effects."""
        numbers = self._numbers
        lost = numbers is not None and numbers.gap(bytes(packet))
        if packet.is_corrupt or lost:
            self._doubt(arrival)
        elif missing and not keyframe:
            self._trust.doubt(arrival, guessed=True)
        elif numbers and numbers.renewed:
            self._trust.expect(packet.pts, keyframe=False)
        elif numbers.keyframe if numbers else keyframe:
            self._trust.expect(packet.pts)

    def _doubt(self, arrival: int) -> None:
        self._trust.doubt(arrival)
        if self._numbers:
            self._numbers.spoil()


def _now() -> int:
    """Return this machine's time in ticks."""
    return ticks(round(time.monotonic() * 1e6), Fraction(1, 1_000_000))


def _begins_vp9(packet: bytes) -> bool:
    """Tell whether a packet of VP9 is a keyframe, which FFmpeg's RTP receiver does not say.

    Source: VP9 bitstream specification (v0.6), 6.2 (uncompressed header).
    """
    bits = f"{packet[0]:08b}" if packet else ""
    if bits[:2] != "10":
        return False
    reserved = bits[2:4] == "11"  # a bit more in profile 3
    return bits[4 + reserved : 6 + reserved] == "00"  # not one shown again, and not an inter frame


def video_track(container: InputContainer) -> VideoStream:
    """Return the first video track that is not a cover picture.

    Raises:
        MediaError: there is none, or none that can be decoded.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise MediaError(f"the source has no video that can be decoded, it has {kinds or 'nothing'}")


def rate_of(video: VideoStream) -> Fraction | None:
    """Return frames a second; None where what the source says cannot be."""
    for rate in (video.average_rate, video.guessed_rate):
        if rate and 1 <= rate <= 240:
            return rate
    return None


def audio_format(sound: AudioStream) -> AudioFormat | None:
    """Return how packets of a track of sound are to be read; None where that is not known."""
    context = sound.codec_context
    if context is None or not context.sample_rate:
        return None
    return AudioFormat(
        codec=context.name,
        rate=context.sample_rate,
        layout=context.layout.name,
        extradata=without_comments(context.name, bytes(context.extradata or b"")),
    )


def is_paced(container: InputContainer) -> bool:
    """Tell whether frames come as fast as they are read, instead of when they are taken."""
    return container.format.name in _PACED or bool(container.duration)
