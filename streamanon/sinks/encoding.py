"""Choice of encoder, pixel format and encoder options for video files."""

from dataclasses import dataclass

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.frame import VideoFrame

from streamanon.errors import UsageError
from streamanon.types import Plane

FORMATS = {".mp4": "mp4", ".mkv": "matroska", ".mov": "mov", ".webm": "webm"}
"""FFmpeg's name of the container for each suffix of an output."""

NVENC = "_nvenc"
"""Suffix of FFmpeg's names of the encoders of NVIDIA GPUs."""

_DEFAULTS = {"webm": ("libvpx-vp9",)}
_H264_OR_HEVC = ("libx264", "libx265")
"""HEVC is used where H.264 cannot hold the bit depth."""

_ANY_SIZE = ("libvpx", "libvpx-vp9")
"""Encoders that subsample odd sizes. Others get a picture of odd size as 4:4:4, which
keeps its size in every player; padding would need cropping, which most players ignore."""

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
    """

    codec: str | None
    crf: int
    preset: str


def choose_encoder(
    codec: str | None, container: str, wanted: str, size: tuple[int, int]
) -> tuple[str, str]:
    """Return the encoder and its pixel format.

    Args:
        codec: name of an encoder or codec; None chooses one for the container.
        container: FFmpeg's name of the container.
        wanted: planar YUV format of the pictures.
        size: stored width and height.

    Raises:
        UsageError: the encoder is unknown, or none of its formats can hold the pictures.
    """
    names = (_named(codec),) if codec else _DEFAULTS.get(container, _H264_OR_HEVC)
    offers = [(name, format_) for name in names for format_ in _formats(name, wanted, size)]
    if not offers:
        raise UsageError(f"encoder {names[0]} cannot hold {wanted} at {size}: choose another codec")
    kept = [offer for offer in offers if _depth(offer[1]) == _depth(wanted)]
    return (kept or offers)[0]


def encoder_options(encoder: str, settings: EncoderSettings) -> dict[str, str]:
    """Return FFmpeg's options for an encoder."""
    crf = {"crf": str(settings.crf)}
    if encoder == "libx264":
        return {**crf, "preset": settings.preset}
    if encoder == "libx265":
        return {**crf, "preset": settings.preset, "x265-params": "log-level=error"}
    if encoder == "libvpx-vp9":
        return {**crf, "deadline": "realtime", "cpu-used": "8", "row-mt": "1"}
    if encoder.endswith(NVENC):  # its default is 2 Mbit/s, whatever the size
        return {"rc": "vbr", "cq": str(settings.crf), "b": "0"}
    return crf if encoder in ("libsvtav1", "libaom-av1", "libvpx") else {}


def fill(picture: VideoFrame, index: int, plane: Plane) -> None:
    """Copy a plane into a picture whose lines may be padded."""
    target = picture.planes[index]
    view: Plane = np.ndarray(
        plane.shape,
        plane.dtype,
        buffer=memoryview(target),
        strides=(target.line_size, plane.itemsize),
    )
    np.copyto(view, plane)


def _named(name: str) -> str:
    """Return the encoder for a name such as h264."""
    try:
        codec = av.Codec(name, "w")
    except UnknownCodecError:
        codec = None
    if codec is None or codec.type != "video":
        raise UsageError(f"unknown codec {name!r}: wanted a video encoder such as h264, hevc, vp9")
    return codec.name


def _formats(name: str, wanted: str, size: tuple[int, int]) -> list[str]:
    """Return the formats of an encoder that can replace the wanted one, best first."""
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
    """Return whether a size consists of whole chroma samples."""
    width, height = size
    return (chroma == "444" or width % 2 == 0) and (chroma != "420" or height % 2 == 0)
