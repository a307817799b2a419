"""Codes the crops of one segment as a small video, and back."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from streamanon.sealed.crops import BLOCK_PX, Mask, Place, packed_mask, unpacked_mask
from streamanon.sinks.encoding import fill
from streamanon.types import ColourSpace, Plane

_PATTERN = 4
"""Where it is unknown how the source codes a frame, each fourth is predicted from one side."""

_H264 = {
    "tune": "psnr",
    "threads": "1",
    "flags": "+psnr",
    "x264-params": "bframes=8:b-adapt=0:scenecut=0:keyint=infinite:trellis=1",
}
_PRESETS = ((600_000, "medium"), (800_000, "veryfast"))
"""Pixels up to which a crop is coded in that time; larger ones in less, for more bits."""

_FASTEST = {"preset": "superfast", "subq": "2"}

FIRST_QUANTISER, _QUANTISERS, TARGET_DB, _DB_A_STEP = 19, (8, 34), 45.8, 0.7
"""Quantiser to begin with and its range, PSNR of luma to reach, and by how much a step changes it.
Within a segment the quantiser is constant; from one to the next it follows what was reached."""

_H264_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le")
_FFV1 = {"threads": "1", "slicecrc": "0", "coder": "1", "context": "0"}
_CHROMAS = {(1, 1): "420", (1, 0): "422", (0, 0): "444", (0, 1): "440"}

_LENGTH = struct.Struct(">H")
_ENTRY = struct.Struct(">qIiiiiI")
_PACKET = struct.Struct(">I")
_STATS_BYTES = 8
"""Bytes of FFmpeg's quality statistics before the squared errors of the planes."""


def pixel_format(colour: ColourSpace) -> str:
    """Return FFmpeg's planar format for samples as they are; those of RGB count as Y, U and V."""
    depth = "" if colour.depth == 8 else f"{colour.depth}le"
    return f"yuv{_CHROMAS[colour.chroma_shift]}p{depth}"


@dataclass(frozen=True, slots=True)
class Crop:
    """One person's pixels of one frame.

    Attributes:
        time_us: time of the frame.
        number: number of the frame among those of the output.
        place: where the pixels lie in the frame.
        mask: (rows, columns) blocks that are the person's.
        planes: planes of the crop; () while it is coded.
    """

    time_us: int
    number: int
    place: Place
    mask: Mask
    planes: tuple[Plane, ...] = ()


class CropEncoder:
    """Codes crops of one size; without a quantiser of H.264, samples are kept exactly."""

    def __init__(self, place: Place, colour: ColourSpace, quantiser: int | None) -> None:
        """Open an encoder for the size of a place; without a quantiser samples are kept exactly."""
        self._format = pixel_format(colour)
        self._size = (place.columns * BLOCK_PX, place.rows * BLOCK_PX)
        lossy = self._format in _H264_FORMATS and colour.matrix != "rgb" and quantiser is not None
        codec, options = "ffv1", _FFV1
        if lossy:
            area = self._size[0] * self._size[1]
            preset = next(({"preset": name} for most, name in _PRESETS if area <= most), _FASTEST)
            codec, options = "libx264", {**_H264, "qp": str(quantiser), **preset}
        self.quantiser = quantiser if lossy else None
        self._peak, self._error, self._samples = (1 << colour.depth) - 1, 0, 0
        encoder = cast("VideoCodecContext", av.CodecContext.create(codec, "w"))
        encoder.width, encoder.height = self._size
        encoder.pix_fmt, encoder.time_base = self._format, Fraction(1, 30)
        encoder.options = options
        encoder.open()
        self._encoder, self._frames = encoder, 0
        self._waiting: dict[int, Crop] = {}
        self._begin: bytes | None = None
        self._codec = codec

    def encode(self, crop: Crop, *, bidirectional: bool | None = None) -> bytes:
        """Return the entries that are complete when a crop has been taken, or b"".

        Frames that the source predicts from later ones, too, are coarser: coding them in the same
        way saves a quarter of the bytes.
        """
        picture = _as_frame(crop.planes, self._format)
        picture.pts, picture.time_base = self._frames, Fraction(1, 30)
        if bidirectional is None:
            bidirectional = self._frames % _PATTERN != 0
        if self._frames:
            picture.pict_type = PictureType.B if bidirectional else PictureType.P
        self._waiting[self._frames] = replace(crop, planes=())
        self._frames += 1
        return self._entries(picture)

    def finish(self) -> bytes:
        """Return the entries that were still on their way."""
        return self._entries(None)

    def _entries(self, picture: VideoFrame | None) -> bytes:
        made = bytearray()
        for packet in self._encoder.encode(picture):
            if self._begin is None:
                self._begin = self._described()
                made += _LENGTH.pack(len(self._begin)) + self._begin
            pts, dts = packet.pts or 0, packet.dts or 0
            crop = self._waiting.pop(pts)
            self._measure(packet, crop.mask)
            mask, data, place = packed_mask(crop.mask), bytes(packet), crop.place
            x, y = place.column * BLOCK_PX, place.row * BLOCK_PX
            made += _ENTRY.pack(crop.time_us, crop.number, x, y, pts, dts, len(mask)) + mask
            made += _PACKET.pack(len(data)) + data
        return bytes(made)

    def _measure(self, packet: Packet[Any], mask: Mask) -> None:
        """Add up what coding a crop changed in its luma; the grey around costs nothing."""
        if self.quantiser is not None and packet.has_sidedata("quality_stats"):
            stats = bytes(packet.get_sidedata("quality_stats"))
            self._error += struct.unpack_from("=Q", stats, _STATS_BYTES)[0]
            self._samples += int(mask.sum()) * BLOCK_PX**2

    @property
    def next_quantiser(self) -> int | None:
        """The quantiser that would have met the target; None when it was lossless."""
        if self.quantiser is None or not self._samples:
            return self.quantiser
        reached_db = 10 * np.log10(self._peak**2 * self._samples / max(self._error, 1))
        step = round(float(reached_db - TARGET_DB) / _DB_A_STEP)
        return int(np.clip(self.quantiser + step, *_QUANTISERS))

    def _described(self) -> bytes:
        document = {
            "codec": self._codec.removeprefix("lib").replace("x264", "h264"),
            "format": self._format,
            "width": self._size[0],
            "height": self._size[1],
            "extradata": (self._encoder.extradata or b"").hex(),
        }
        return json.dumps(document, separators=(",", ":")).encode()


def decode_crops(chunks: Iterator[bytes], wanted: range, colour: ColourSpace) -> Iterator[Crop]:
    """Yield the crops in the plain chunks of one segment, in the order of their times.

    Crops outside the wanted microseconds are decoded, but not yielded. Depth and subsampling are
    those of ``colour``, which may differ from the original's.

    Raises:
        ValueError: they hold something else.
    """
    decoder: VideoCodecContext | None = None
    shape, waiting = (0, 0), dict[int, Crop]()
    layout = pixel_format(colour)
    for data in chunks:
        view = memoryview(data)
        if decoder is None:
            (size,) = _LENGTH.unpack_from(view)
            begin = json.loads(bytes(view[2 : 2 + size]))
            view, decoder = view[2 + size :], _decoder(begin)
            shape = (begin["height"] // BLOCK_PX, begin["width"] // BLOCK_PX)
        for packet, crop in _read_entries(view, shape):
            waiting[packet.pts or 0] = crop
            for one, frame in _decoded(decoder, packet, waiting):
                if one.time_us in wanted:
                    yield replace(one, planes=_planes(frame, layout))
    for one, frame in _decoded(decoder, None, waiting) if decoder else ():
        if one.time_us in wanted:
            yield replace(one, planes=_planes(frame, layout))


def _decoder(begin: dict[str, Any]) -> VideoCodecContext:
    decoder = cast("VideoCodecContext", av.CodecContext.create(begin["codec"], "r"))
    decoder.extradata = bytes.fromhex(begin["extradata"]) or None
    decoder.width, decoder.height, decoder.pix_fmt = (
        begin["width"],
        begin["height"],
        begin["format"],
    )
    decoder.thread_count = 1
    return decoder


def _read_entries(view: memoryview, shape: tuple[int, int]) -> Iterator[tuple[Packet[Any], Crop]]:
    while view:
        time_us, number, x, y, pts, dts, size = _ENTRY.unpack_from(view)
        view = view[_ENTRY.size :]
        mask = unpacked_mask(bytes(view[:size]), shape)
        (length,) = _PACKET.unpack_from(view, size)
        view = view[size + _PACKET.size :]
        packet: Packet[Any] = Packet(bytes(view[:length]))
        packet.pts, packet.dts, packet.time_base = pts, dts, Fraction(1, 30)
        view = view[length:]
        place = Place(x // BLOCK_PX, y // BLOCK_PX, shape[1], shape[0])
        yield packet, Crop(time_us, number, place, mask)


def _decoded(
    decoder: VideoCodecContext, packet: Packet[Any] | None, waiting: dict[int, Crop]
) -> Iterator[tuple[Crop, VideoFrame]]:
    try:
        frames = decoder.decode(packet)
    except FFmpegError as error:
        raise ValueError(f"crops cannot be decoded ({error.strerror})") from error
    for frame in frames:
        yield waiting.pop(frame.pts or 0), frame


def _as_frame(planes: Sequence[Plane], layout: str) -> VideoFrame:
    """Return planes as a frame of a pixel format."""
    frame = av.VideoFrame(planes[0].shape[1], planes[0].shape[0], layout)
    for number, plane in enumerate(planes):
        fill(frame, number, plane)
    return frame


def _planes(frame: VideoFrame, layout: str) -> tuple[Plane, ...]:
    """Return copies of the planes of a frame, in a pixel format."""
    if frame.format.name != layout:
        frame = frame.reformat(format=layout)
    deep = frame.format.components[0].bits > 8
    found: Sequence[Plane] = [
        np.ndarray(
            (plane.height, plane.width),
            np.uint16 if deep else np.uint8,
            buffer=memoryview(plane),
            strides=(plane.line_size, 2 if deep else 1),
        )
        for plane in frame.planes
    ]
    return tuple(plane.copy() for plane in found)
