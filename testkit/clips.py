"""Clips that tests make for themselves, one property at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

CFR = tuple(range(0, 12 * 512, 512))
VFR = (0, 512, 600, 1500, 1600, 3000, 3512, 5120, 5632, 6144, 9000, 9100)


@dataclass(frozen=True)
class Clip:
    """What a clip is to be like."""

    codec: str = "libx264"
    layout: str = "yuv420p"
    size: tuple[int, int] = (96, 64)
    pts: tuple[int, ...] = CFR
    time_base: Fraction = Fraction(1, 12800)
    rotation: float = 0.0
    hflip: bool = False
    aspect: Fraction | None = None
    matrix: int = 2
    colour_range: int = 0
    sound: str | None = None
    cover: bool = False
    metadata: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=lambda: {"crf": "12", "g": "4"})


def picture(index: int, clip: Clip) -> av.VideoFrame:
    """Paint smooth luma with a block that moves, and chroma that differs from side to side."""
    frame = av.VideoFrame(*clip.size, clip.layout)
    for number, plane in enumerate(frame.planes):
        component = frame.format.components[min(number, len(frame.format.components) - 1)]
        deep = component.bits > 8
        samples = plane.line_size // (2 if deep else 1)
        view: NDArray[Any] = np.ndarray(
            (plane.height, samples), np.uint16 if deep else np.uint8, buffer=memoryview(plane)
        )
        rows, columns = np.indices(view.shape)
        values: NDArray[Any]
        if number == 0:
            values = np.asarray(40 + 100 * rows // plane.height + 60 * columns // samples)
            values[:8, 4 * (index % 8) : 4 * (index % 8) + 12] = 220
        else:
            values = np.where(columns < samples // 3, 90 + 60 * (number - 1), 150)
        view[:] = values << (component.bits - 8) if deep else values
    return frame


def write_clip(path: Path, clip: Clip | None = None) -> Path:
    """Encode a clip into a container by the suffix of its name."""
    clip = clip or Clip()
    with av.open(str(path), "w") as container:
        container.metadata.update(clip.metadata)
        video = container.add_stream(clip.codec, rate=25, options=clip.options)
        assert isinstance(video, VideoStream)
        video.metadata.update(clip.metadata)
        video.width, video.height = clip.size
        video.pix_fmt = clip.layout
        video.time_base = video.codec_context.time_base = clip.time_base
        video.colorspace, video.color_range = clip.matrix, clip.colour_range
        if clip.rotation or clip.hflip:
            video.set_display_rotation(clip.rotation, hflip=clip.hflip)
        if clip.aspect:
            video.codec_context.sample_aspect_ratio = clip.aspect
        sound = _add_sound(container, clip) if clip.sound else None
        cover = _add_cover(container) if clip.cover else None
        if sound:
            _write_sound(container, sound, clip)
        if cover:
            container.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
            container.mux(cover.encode())
        for index, pts in enumerate(clip.pts):
            frame = picture(index, clip)
            frame.pts, frame.time_base = pts, clip.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


Change = Callable[[int, Any], Iterable[Any]]
"""Returns the packets to write instead of one, from its number and itself."""


def remux(
    source: Path, target: Path, change: Change | None = None, options: dict[str, str] | None = None
) -> Path:
    """Copy the packets of a file into another, whose muxer gets the options."""
    with av.open(str(target), "w", options=options or {}) as out:
        copy_packets(source, out, change)
    return target


def copy_packets(source: Path, out: OutputContainer, change: Change | None = None) -> None:
    """Add the tracks of a file to an output that is open, and copy their packets."""
    with av.open(str(source)) as container:
        copies = [out.add_stream_from_template(stream) for stream in container.streams]
        for number, packet in enumerate(packet for packet in container.demux() if packet.size):
            copy = copies[packet.stream_index]
            for one in change(number, packet) if change else [packet]:
                one.stream = copy
                out.mux(one)


def moved(_: int, packet: Any, away_s: float) -> list[Any]:
    """Return a packet at another time."""
    ticks = round(Fraction(away_s) / packet.time_base)
    packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
    return [packet]


def _add_sound(container: OutputContainer, clip: Clip) -> AudioStream:
    sound = container.add_stream(clip.sound or "", rate=48000)
    assert isinstance(sound, AudioStream)
    sound.layout = "mono"
    sound.metadata.update({"language": "swe", **clip.metadata})
    return sound


def write_silence(container: OutputContainer, sound: AudioStream, frames: int) -> None:
    """Encode frames of 1024 samples of nothing into a track that takes planes of floats."""
    channels = len(sound.codec_context.layout.channels)
    for number in range(frames):
        quiet = np.zeros((channels, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(
            quiet, format="fltp", layout=sound.codec_context.layout.name
        )
        frame.sample_rate, frame.pts = 48000, number * 1024
        container.mux(sound.encode(frame))
    container.mux(sound.encode())


def _add_cover(container: OutputContainer) -> VideoStream:
    cover = container.add_stream("mjpeg", rate=25)
    assert isinstance(cover, VideoStream)
    cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
    cover.time_base = cover.codec_context.time_base = Fraction(1, 25)
    cover.disposition = Disposition.attached_pic
    return cover


def _write_sound(container: OutputContainer, sound: AudioStream, clip: Clip) -> None:
    for start in range(0, round(clip.pts[-1] * clip.time_base * 48000), 960):
        wave = 0.1 * np.sin(np.arange(start, start + 960) * 2 * np.pi * 440 / 48000)
        samples = wave.astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="flt", layout="mono")
        frame.sample_rate, frame.pts = 48000, start
        frame.time_base = Fraction(1, 48000)
        container.mux(sound.encode(frame))
    container.mux(sound.encode())
