"""Which encoder writes a picture, in which pixel format, with which settings; and filling one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.codec import UnknownCodecError

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from streamanon.config import Config
    from streamanon.types import Plane

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm"}
"""FFmpeg's name of the container for every suffix we write."""

NVENC = "_nvenc"
"""How FFmpeg's names of the encoders of NVIDIA cards end."""

_DEFAULTS = {"webm": ("libvpx-vp9",)}
_H264_OR_HEVC = ("libx264", "libx265")
"""HEVC where H.264 cannot hold the depth."""

_ANY_SIZE = ("libvpx", "libvpx-vp9")
"""Encoders that subsample odd sizes. For the others an odd picture is written as 4:4:4, which keeps
its size for every player, where a padded one would rely on cropping that most ignore."""

_DEPTHS = {"": ("", "10le", "12le"), "10le": ("10le", "12le", ""), "12le": ("12le", "10le", "")}
_CHROMAS = {
    "420": ("420", "422", "444"),
    "422": ("422", "444", "420"),
    "444": ("444", "422", "420"),
}
"""What to try for each, best first."""


def choose(config: Config, container: str, wanted: str, size: tuple[int, int]) -> tuple[str, str]:
    """Return the encoder and the pixel format.

    Args:
        config: names the encoder, or leaves it to the container.
        container: FFmpeg's name of it.
        wanted: planar YUV format of the pictures.
        size: stored width and height.

    Raises:
        UsageError: there is no such encoder, or none of its formats can hold the pictures.
    """
    names = (_named(config.codec),) if config.codec else _DEFAULTS.get(container, _H264_OR_HEVC)
    offers = [(name, format_) for name in names for format_ in _formats(name, wanted, size)]
    if not offers:
        raise UsageError(f"encoder {names[0]} cannot hold {wanted} at {size}: choose another codec")
    kept = [offer for offer in offers if _depth(offer[1]) == _depth(wanted)]
    return (kept or offers)[0]


def settings(codec: str, config: Config) -> dict[str, str]:
    """Return the options of an encoder."""
    crf = {"crf": str(config.crf)}
    if codec == "libx264":
        return {**crf, "preset": config.file_preset}
    if codec == "libx265":
        return {**crf, "preset": config.file_preset, "x265-params": "log-level=error"}
    if codec == "libvpx-vp9":
        return {**crf, "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
    if codec.endswith(NVENC):  # left to itself it takes 2 Mbit/s, whatever the size
        return {"rc": "vbr", "cq": str(config.crf), "b": "0"}
    return crf if codec in ("libsvtav1", "libaom-av1", "libvpx") else {}


def fill(picture: VideoFrame, index: int, plane: Plane) -> None:
    """Copy a plane into a picture, whose lines may be padded."""
    target = picture.planes[index]
    view: Plane = np.ndarray(
        plane.shape,
        plane.dtype,
        buffer=memoryview(target),
        strides=(target.line_size, plane.itemsize),
    )
    np.copyto(view, plane)


def _named(name: str) -> str:
    """Return the encoder that stands behind a name such as h264."""
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError:
        codec = None
    if codec is None or codec.type != "video":
        raise UsageError(f"unknown codec {name!r}: wanted a video encoder such as h264, hevc, vp9")
    return codec.name


def _formats(name: str, wanted: str, size: tuple[int, int]) -> list[str]:
    """Return the formats an encoder could use in place of the wanted one, best first."""
    known = {one.name for one in av.Codec(name, "w").video_formats or ()}
    tried = (
        (chroma, f"yuv{chroma}p{depth}")
        for depth in _DEPTHS[_depth(wanted)]
        for chroma in _CHROMAS[wanted[3:6]]
    )
    return [
        format_
        for chroma, format_ in tried
        if format_ in known and (name in _ANY_SIZE or _divides(chroma, size))
    ]


def _depth(format_: str) -> str:
    return format_[7:]


def _divides(chroma: str, size: tuple[int, int]) -> bool:
    """Tell whether a size consists of whole chroma samples."""
    width, height = size
    return (chroma == "444" or width % 2 == 0) and (chroma != "420" or height % 2 == 0)
