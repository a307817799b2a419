"""Decodes the video track of one connection and notices damage in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction

from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from streamanon.errors import MediaError
from streamanon.media.audio import AudioFormat, without_comments
from streamanon.media.damage import DamageTracker
from streamanon.media.frame_gaps import GapDetector
from streamanon.media.h264 import FrameNumbers
from streamanon.media.pixel_limit import FILM, decoder_options
from streamanon.media.reorder import ReorderBuffer
from streamanon.media.timeline import ticks

_STRICT = {"err_detect": "aggressive"}
"""For H.264 with CAVLC: bytes left over at the end of a slice are an error. Otherwise a picture
with a gap near its end, a packet lost by UDP, is returned as if it were whole."""

_UNTIMED = ("mpjpeg", "mjpeg")
"""Formats without timestamps: FFmpeg invents them, at a rate it invents as well."""
_INTRA_ONLY = ("wrapped_avframe", "rawvideo")
"""Codecs of keyframes only, beside those that FFmpeg marks as such."""
_LOSSY = ("rtsp",)
"""Formats that do not report packets lost in transmission."""
_LOSS_DETECTED = ("h264", "hevc", "vp8")
"""Codecs in which loss is detected in another way: by :mod:`streamanon.media.h264`, by the decoder,
and by FFmpeg's RTP depacketiser, which drops everything until the next keyframe."""
_DAMAGE_REPORTED_LATE = ("h264", "hevc")
"""Codecs with B pictures in which a part of a picture can be lost. The decoder reports it with the
picture, in presentation order, when B pictures that depend on it have been returned already."""
_PACED = ("hls", "lavfi")
"""Formats that deliver as fast as they are read."""


class VideoReader:
    """Decodes the packets of one video track."""

    def __init__(
        self, container: InputContainer, video: VideoStream, max_pixels: int = FILM
    ) -> None:
        self._video = video
        self._untimed = container.format.name in _UNTIMED
        # with several threads FFmpeg's H.264 decoder does not mark damaged pictures, or returns
        # them a frame later
        video.thread_type = "NONE"
        video.codec_context.thread_count = 1
        video.codec_context.flags |= Flags.output_corrupt | Flags.low_delay
        self._damage = DamageTracker()
        self._codec = video.codec.canonical_name
        extradata = bytes(video.codec_context.extradata or b"")
        self._numbers = FrameNumbers(extradata) if self._codec == "h264" else None
        video.codec_context.options = {
            **decoder_options(max_pixels),
            **(_STRICT if self._numbers else {}),
        }
        # not all of these have their packets marked as keyframes
        self._intra_only = self._codec in _INTRA_ONLY or video.codec.intra_only
        lossy = container.format.name in _LOSSY
        unnoticed = not self._intra_only and self._codec not in _LOSS_DETECTED
        self._gaps = GapDetector() if lossy and unnoticed else None
        late = lossy and self._codec in _DAMAGE_REPORTED_LATE
        self._reorder: ReorderBuffer[VideoFrame] | None = ReorderBuffer() if late else None

    @property
    def aspect(self) -> Fraction | None:
        """Width over height of a stored pixel."""
        return self._video.sample_aspect_ratio or None

    def pts(self, frame: VideoFrame) -> int | None:
        """Return the time of a picture on the source's clock, in ticks."""
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is None or self._untimed or frame.time_base is None:
            return None
        return ticks(pts, frame.time_base)

    def pictures(self, packet: Packet[VideoStream]) -> Iterator[tuple[VideoFrame, bool]]:
        """Decode a packet; yield pictures, and whether they may be damaged."""
        arrival = _now()
        dts = packet.dts if packet.dts is not None else packet.pts
        due = None if dts is None else ticks(dts, packet.time_base)
        keyframe = self._is_keyframe(packet)
        missing = self._gaps is not None and due is not None and self._gaps.gap(due)
        if not self._damage.admits(keyframe=keyframe, dts=due, arrival=arrival):
            return
        self._damage.send(packet.pts)
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
            shown = self._intra_only or bool(frame.key_frame)
            believed = self._damage.believes(frame.pts, keyframe=shown, arrival=arrival)
            if self._reorder:
                yield from self._reorder.show(frame, frame.pts, damaged=not believed)
            else:
                yield frame, not believed

    def doubt(self) -> None:
        """Note that something could not be read."""
        self._doubt(_now())

    def _is_keyframe(self, packet: Packet[VideoStream]) -> bool:
        """Return whether decoding can begin with a packet."""
        marked = self._intra_only or packet.is_keyframe
        return marked or (self._codec == "vp9" and _is_vp9_keyframe(bytes(packet)))

    def _examine(
        self, packet: Packet[VideoStream], arrival: int, *, keyframe: bool, missing: bool
    ) -> None:
        """Look for signs of damage in a packet, and for the end of its effects."""
        numbers = self._numbers
        lost = numbers is not None and numbers.gap(bytes(packet))
        if packet.is_corrupt or lost:
            self._doubt(arrival)
        elif missing and not keyframe:
            self._damage.doubt(arrival=arrival, guessed=True)
        elif numbers and numbers.refreshed:
            self._damage.expect(packet.pts, keyframe=False)
        elif numbers.keyframe if numbers else keyframe:
            self._damage.expect(packet.pts)

    def _doubt(self, arrival: int) -> None:
        self._damage.doubt(arrival=arrival)
        if self._numbers:
            self._numbers.cancel_refresh()


def _now() -> int:
    """Return this machine's time in ticks."""
    return ticks(round(time.monotonic() * 1e6), Fraction(1, 1_000_000))


def _is_vp9_keyframe(packet: bytes) -> bool:
    """Return whether a VP9 packet is a keyframe; FFmpeg's RTP depacketiser does not mark it.

    Source: VP9 bitstream specification (v0.6), 6.2 (uncompressed_header).
    """
    bits = f"{packet[0]:08b}" if packet else ""
    if bits[:2] != "10":  # frame_marker, f(2), is 2
        return False
    reserved = bits[2:4] == "11"  # profile_low_bit, profile_high_bit: 3 has reserved_zero, f(1)
    show_existing_frame_and_frame_type = bits[4 + reserved : 6 + reserved]  # f(1) each
    return show_existing_frame_and_frame_type == "00"  # not shown again; KEY_FRAME is 0


def video_track(container: InputContainer) -> VideoStream:
    """Return the first video track that is not a cover picture.

    Raises:
        MediaError: no video track can be decoded.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            return stream
    kinds = ", ".join(sorted({stream.type for stream in container.streams}))
    raise MediaError(f"the source has no video that can be decoded, it has {kinds or 'nothing'}")


def rate_of(video: VideoStream) -> Fraction | None:
    """Return frames per second, or None if the source states no plausible rate.

    The codec's own comes before FFmpeg's guess, which is the rate of fields where no frames were
    counted.
    """
    for rate in (video.average_rate, video.codec_context.framerate, video.guessed_rate):
        if rate and 1 <= rate <= 240:
            return rate
    return None


def audio_format(sound: AudioStream) -> AudioFormat | None:
    """Return the format of an audio track, or None if it is not known."""
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
    """Return whether frames arrive as fast as they are read, not in real time."""
    is_file = container.duration or container.size > 0  # a stream's is negative: an error
    return container.format.name in _PACED or bool(is_file)
