"""Choice of encoder, pixel format and encoder options for video files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import get_native_id

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame

from streamanon.errors import UsageError
from streamanon.types import ContainerTags, Plane

FORMATS = {
    ".mp4": "mp4",
    ".mkv": "matroska",
    ".mov": "mov",
    ".webm": "webm",
    ".nut": "nut",
}
"""FFmpeg's name of the container for each suffix of an output."""

NVENC = "_nvenc"
"""Suffix of FFmpeg's names of the encoders of NVIDIA GPUs."""

_FOR_PLAYERS = ("mp4", "webm")
"""Containers in which browsers and phones expect 4:2:0; editors read the others."""

_AV1_PRESET = "10"
"""About as fast as VP9 in real time."""

_AT_ONCE = {
    "libx264": {"tune": "zerolatency"},
    "libx265": {"tune": "zerolatency"},
    "libvpx": {"lag-in-frames": "0"},
    "libvpx-vp9": {"lag-in-frames": "0"},
}
"""Options of encoders that return each picture before they take the next."""

_ANY_SIZE = ("libvpx", "libvpx-vp9")
"""Encoders that subsample odd sizes. For others the last row and column are repeated."""

_DEPTHS = {"": ("", "10le", "12le"), "10le": ("10le", "12le", ""), "12le": ("12le", "10le", "")}
_CHROMAS = {
    "420": ("420", "422", "444"),
    "422": ("422", "444", "420"),
    "444": ("444", "422", "420"),
}
"""Alternatives for each bit depth and chroma subsampling, best first."""


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How the video of a file is encoded.

    Attributes:
        codec: name of an encoder or codec; None chooses one for the container.
        crf: constant rate factor; smaller is better and larger.
        preset: speed preset of x264 and x265.
        lossless: keep every sample; crf has no effect then.
        at_once: no picture waits for a later one.
    """

    codec: str | None
    crf: int
    preset: str
    lossless: bool = False
    at_once: bool = False


def choose_encoder(codec: str | None, container: str, tags: ContainerTags) -> tuple[str, str]:
    """Return the encoder and its pixel format for the tags of the original.

    The codec may be named by itself or by an encoder; None chooses one for FFmpeg's container.

    Raises:
        UsageError: the encoder is unknown, or none of its formats can hold the pictures.
    """
    wanted = tags.pixel_format
    if codec:
        names: tuple[str, ...] = (_named(codec),)
    else:
        names = _default(container, deep=bool(_depth(wanted)), fields=bool(tags.field_order))
        if container in _FOR_PLAYERS:
            wanted = f"yuv420p{_depth(wanted)}"
    offers = [(name, format_) for name in names for format_ in _formats(name, wanted)]
    if not offers:
        raise UsageError(f"encoder {names[0]} cannot hold {wanted}: choose another codec")
    kept = [offer for offer in offers if _depth(offer[1]) == _depth(wanted)]
    return (kept or offers)[0]


def encoded_size(encoder: str, format_: str, size: tuple[int, int]) -> tuple[int, int]:
    """Return the stored width and height that an encoder takes, the next even ones if need be."""
    if encoder in _ANY_SIZE:
        return size
    width, height = size
    chroma = format_[3:6]
    wide, high = chroma != "444", chroma == "420"
    return width + (width % 2 if wide else 0), height + (height % 2 if high else 0)


def encoder_options(encoder: str, settings: EncoderSettings, tags: ContainerTags) -> dict[str, str]:
    """Return FFmpeg's options for an encoder: quality and speed, and the tags it has to write."""
    fields = {"flags": "+ildct+ilme", "field_order": tags.field_order} if tags.field_order else {}
    at_once = _AT_ONCE.get(encoder, {}) if settings.at_once else {}
    return {**_quality(encoder, settings, tags), **fields, **at_once}


def _quality(encoder: str, settings: EncoderSettings, tags: ContainerTags) -> dict[str, str]:
    crf = {"crf": str(settings.crf)}
    if encoder == "libx264":
        quality = {"qp": "0"} if settings.lossless else crf
        first = {"tt": {"x264-params": "tff=1"}, "bb": {"x264-params": "bff=1"}}
        return {**quality, "preset": settings.preset, **first.get(tags.field_order, {})}
    if encoder == "libx265":
        exact = ":lossless=1" if settings.lossless else ""
        parameters = _x265_parameters(tags) + exact
        return {**crf, "preset": settings.preset, "x265-params": parameters}
    if encoder == "libvpx-vp9":
        exact = "1" if settings.lossless else "0"
        return {**crf, "lossless": exact, "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
    if encoder == "libsvtav1":
        return {**crf, "preset": _AV1_PRESET, "svtav1-params": _av1_parameters(tags, settings)}
    if encoder.endswith(NVENC):  # its default is 2 Mbit/s, whatever the size
        return {"rc": "vbr", "cq": str(settings.crf), "b": "0"}
    return crf if encoder in ("libaom-av1", "libvpx") else {}


def _x265_parameters(tags: ContainerTags) -> str:
    """Return x265's own parameters: the metadata of HDR10, in units of the HEVC standard."""
    parameters = ["log-level=error"]
    if tags.mastering_display:
        gx, gy, bx, by, rx, ry, wx, wy, most, least = tags.mastering_display
        points = f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"
        parameters.append(f"master-display={points}")
    if tags.light_levels:
        parameters.append("max-cll={},{}".format(*tags.light_levels))
    return ":".join(parameters)


def _av1_parameters(tags: ContainerTags, settings: EncoderSettings) -> str:
    """Return SVT-AV1's own parameters: the metadata of HDR10, in CIE 1931 and cd/m2."""
    parameters = [f"lossless={int(settings.lossless)}"]
    if tags.mastering_display:
        *points, most, least = tags.mastering_display
        places = [
            f"({x / 50_000},{y / 50_000})" for x, y in zip(points[::2], points[1::2], strict=True)
        ]
        named = "".join(map("".join, zip(("G", "B", "R", "WP"), places, strict=True)))
        parameters.append(f"mastering-display={named}L({most / 10_000},{least / 10_000})")
    if tags.light_levels:
        parameters.append("content-light={},{}".format(*tags.light_levels))
    return ":".join(parameters)


@contextmanager
def keeping_priority() -> Iterator[None]:
    """Keep this thread, and those started meanwhile, at the priority that it has.

    SVT-AV1, opened by the superuser, makes the thread that opens it and its own into real-time
    ones of the highest priority: whatever else the machine does, and every process started from
    there, suffers. Systems other than Linux, where it does not, are left alone.
    """
    threads = Path("/proc/self/task")
    if not threads.is_dir():
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    before = {thread.name for thread in threads.iterdir()} - {str(get_native_id())}
    try:
        yield
    finally:
        for thread in {thread.name for thread in threads.iterdir()} - before:
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setscheduler(int(thread), policy, parameters)


def fill(picture: VideoFrame, index: int, plane: Plane) -> None:
    """Copy a plane into a picture, whose lines may be padded.

    If the picture is larger than the plane, the last row and column are repeated.
    """
    target = picture.planes[index]
    view: Plane = np.ndarray(
        (target.height, target.width),
        plane.dtype,
        buffer=memoryview(target),
        strides=(target.line_size, plane.itemsize),
    )
    rows, columns = plane.shape
    np.copyto(view[:rows, :columns], plane)
    view[rows:, :columns] = plane[-1:]
    view[:, columns:] = view[:, columns - 1 : columns]


def _default(container: str, *, deep: bool, fields: bool) -> tuple[str, str]:
    """Return the encoders that are tried, best first.

    Pictures of more than 8 bits are HEVC, which devices and browsers play; they play H.264 of 8
    bits only. Interlaced pictures are H.264, which codes fields. WebM takes AV1, as VP9 has 8 bits
    here.
    """
    usual, other = ("libvpx-vp9", "libsvtav1") if container == "webm" else ("libx264", "libx265")
    swapped = deep and (container == "webm" or not fields)
    return (other, usual) if swapped else (usual, other)


def _named(name: str) -> str:
    """Return the encoder for a name such as h264."""
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError:
        codec = None
    if codec is None or codec.type != "video":
        raise UsageError(f"unknown codec {name!r}: wanted a video encoder such as h264, hevc, vp9")
    return codec.name


def _formats(name: str, wanted: str) -> list[str]:
    """Return the formats of an encoder that can replace the wanted one, best first."""
    known = {one.name for one in av.Codec(name, "w").video_formats or ()}
    tried = (
        f"yuv{chroma}p{depth}"
        for depth in _DEPTHS[_depth(wanted)]
        for chroma in _CHROMAS[wanted[3:6]]
    )
    return [format_ for format_ in tried if format_ in known]


def _depth(format_: str) -> str:
    return format_[7:]
