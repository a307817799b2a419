"""One encode for all live outputs.

Measured, 720p on one core of an AMD EPYC, a talking head at crf 23: ultrafast 3.2 ms and 45.0 dB at
3.2 Mbit/s, superfast 5.7 ms and 46.6 dB at 2.2 Mbit/s, veryfast 9.1 ms and 46.3 dB at 1.9 Mbit/s.
"""

import io
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.codec.context import Flags
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from streamanon.errors import MediaError, UsageError
from streamanon.media.audio import AudioFormat
from streamanon.sinks.encoding import fill
from streamanon.sinks.writers.messages import TICK, VIDEO, MediaPacket
from streamanon.types import MediaInfo, Picture

Kind: TypeAlias = Literal["libx264", "rawvideo"]

KEYFRAME_S = 2.0
"""Seconds between keyframes, where players can start."""

_STUDIO, _FULL = 1, 2
_BITS_A_PIXEL = 0.2
"""Upper limit of the bit rate: 5.5 Mbit/s for 720p at 30 frames per second."""

_PIXELS_A_PAIR = 2_500_000
"""Pixels per two threads. Two threads up to 1080p cost no more than one, and on a busy machine a
picture is done in half the time; one per core would cut the picture into too many slices."""

_SOUND_ENCODERS = {
    "mp3": "libmp3lame",
    "mp3float": "libmp3lame",
    "opus": "libopus",
    "vorbis": "libvorbis",
}
"""Encoders of codecs whose names FFmpeg uses for another encoder or for none."""


def h264_options(info: MediaInfo, crf: int, preset: str) -> dict[str, str]:
    """Return encoder options for live streaming.

    No picture waits for another (zerolatency), every keyframe carries the parameter sets that a
    player needs to start there (repeat-headers), and a sudden change cannot exceed the bandwidth
    (maxrate).
    """
    kbits = max(500, round(info.width * info.height * info.rate * _BITS_A_PIXEL / 1000))
    threads = 2 * (1 + info.width * info.height // _PIXELS_A_PAIR)
    longest = round(10 * KEYFRAME_S * info.rate)  # keyframes are forced by time, not by count
    return {
        "preset": preset,
        "tune": "zerolatency",
        "crf": str(crf),
        "maxrate": f"{kbits}k",
        "bufsize": f"{kbits}k",
        "threads": str(threads),
        "forced-idr": "1",
        "x264-params": f"repeat-headers=1:keyint={longest}:scenecut=0",
    }


class Encoder:
    """Encodes pictures as 8 bit 4:2:0, which all browsers and devices can show."""

    def __init__(
        self, kind: Kind, info: MediaInfo, options: Mapping[str, str] | None = None
    ) -> None:
        """Open the encoder.

        Raises:
            UsageError: the encoder refuses its options.
        """
        self._kind, self._info, self._options = kind, info, dict(options or {})
        self._size = (info.width // 2 * 2, info.height // 2 * 2)  # chroma samples are whole
        self._context = self._open()
        self._next_keyframe: int | None = None

    def encode(self, frame: av.VideoFrame, *, keyframe: bool = False) -> list[MediaPacket]:
        """Encode one 8 bit 4:2:0 picture, pts in ticks, as a keyframe even if none is due.

        Raises:
            MediaError: the picture could not be encoded.
        """
        pts = cast("int", frame.pts)
        if keyframe or self._next_keyframe is None or pts >= self._next_keyframe:
            self._next_keyframe = pts + round(KEYFRAME_S / TICK)
            frame.pict_type = PictureType.I
        else:
            frame.pict_type = PictureType.NONE
        raw = self._kind == "rawvideo"  # carries no range tag: readers assume studio range
        if (frame.width, frame.height) != self._size or (raw and frame.color_range == _FULL):
            frame = frame.reformat(*self._size, dst_color_range=_STUDIO if raw else None)
        try:
            packets = self._context.encode(frame)
        except FFmpegError as error:
            raise MediaError(f"the picture could not be encoded ({error.strerror})") from error
        return [
            MediaPacket(VIDEO, bytes(packet), cast("int", packet.pts), keyframe=packet.is_keyframe)
            for packet in packets
        ]

    def header(self, sound: AudioFormat | None = None) -> bytes:
        """Return a NUT file with the parameters of the streams.

        It holds one grey picture, encoded with the options of the stream.

        Raises:
            FFmpegError: FFmpeg cannot describe this audio.
            ValueError: FFmpeg cannot describe this audio.
        """
        target = io.BytesIO()
        with av.open(target, "w", format="nut") as container:
            stream = container.add_stream(self._kind, self._info.rate, self._options)
            self._describe(stream.codec_context)
            if sound:
                _add_sound(container, sound)
            grey = av.VideoFrame(*self._size, "yuv420p")
            for index in range(3):
                shape = (grey.planes[index].height, grey.planes[index].width)
                fill(grey, index, np.full(shape, 128, np.uint8))
            grey.pts, grey.time_base = 0, TICK
            container.mux(stream.encode(grey))
            container.mux(stream.encode(None))
        return target.getvalue()

    def _open(self) -> VideoCodecContext:
        context = av.CodecContext.create(self._kind, "w")
        assert isinstance(context, VideoCodecContext)
        self._describe(context)
        context.options = self._options
        try:
            context.open()
        except FFmpegError as error:
            width, height = self._size
            asked = ", ".join(f"{name} {self._options[name]}" for name in ("preset", "crf"))
            raise UsageError(
                f"the encoder refuses {width}x{height} with {asked} ({error.strerror}): "
                "choose another crf or preset"
            ) from error
        return context

    def _describe(self, context: VideoCodecContext) -> None:
        context.width, context.height = self._size
        context.pix_fmt, context.time_base = "yuv420p", TICK
        context.framerate = self._info.rate
        context.flags |= Flags.global_header
        tags = self._info.container
        if tags:
            context.color_primaries, context.color_trc = tags.primaries, tags.transfer
            context.colorspace, context.color_range = tags.matrix, tags.colour_range
            if tags.sample_aspect:
                context.sample_aspect_ratio = tags.sample_aspect


def _add_sound(container: OutputContainer, sound: AudioFormat) -> None:
    """Add an audio track with given parameters, and one packet of zeros."""
    stream = container.add_stream(_SOUND_ENCODERS.get(sound.codec, sound.codec), sound.rate)
    context = stream.codec_context
    assert isinstance(context, AudioCodecContext)
    context.layout = sound.layout
    context.open()
    if sound.extradata:
        context.extradata = sound.extradata
    packet = Packet(bytes(8))
    packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, TICK
    container.mux(packet)


def as_frame(picture: Picture, info: MediaInfo, pts: int) -> av.VideoFrame:
    """Copy planes of Y, U and V into an 8 bit 4:2:0 frame with the colour tags of its stream."""
    colour = picture.colour
    chroma = {(1, 1): "420", (1, 0): "422", (0, 0): "444"}[colour.chroma_shift]
    layout = f"yuv{chroma}p" + ("" if colour.depth == 8 else f"{colour.depth}le")
    frame = av.VideoFrame(picture.width, picture.height, layout)
    for index, plane in enumerate(picture.planes):
        fill(frame, index, plane)
    if info.container:
        frame.colorspace, frame.color_range = info.container.matrix, info.container.colour_range
    if frame.format.name != "yuv420p":
        frame = frame.reformat(format="yuv420p")
    frame.pts, frame.time_base = pts, TICK
    return frame
