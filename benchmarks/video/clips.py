"""The clips that are measured: the first frames of the files given, and a still with noise."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet

from benchmarks.video.integrity import read
from streamanon.errors import UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.media.file_types import VIDEO_SUFFIXES
from streamanon.sources.video import VideoSource
from streamanon.types import U8, MediaInfo

NOISE = 3.0
"""Standard deviation of the sensor noise of a still clip, of 255, in each colour: ISO 800 or so."""

_NEAR_LOSSLESS = {"crf": "8", "preset": "veryfast"}


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip to measure.

    Attributes:
        name: name of the original file without suffix.
        path: file that is measured.
        frames: number of frames in that file.
        of_frames: number of frames in the original file.
        digest: SHA-256 of the file that is measured, in hex.
    """

    name: str
    path: Path
    frames: int
    of_frames: int
    digest: str


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the videos among files and folders, each folder's sorted by name.

    Raises:
        UsageError: something does not exist or holds no video, or two have the same name.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise UsageError(f"clip {path} does not exist: check the name")
        if path.is_dir():
            inside = [one for one in path.iterdir() if one.suffix.lower() in VIDEO_SUFFIXES]
            if not inside:
                raise UsageError(f"folder {path} holds no video: name another, or files")
            found += sorted(inside)
        else:
            found.append(path)
    names = [path.stem for path in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UsageError(f"two clips are called {twice}: rename one")
    return found


def first_frames(path: Path, frames: int, folder: Path) -> Clip:
    """Return the first frames of a video, with the sound that belongs to them.

    A video no longer than that is measured as it is. A longer one is encoded again, nearly lossless
    and upright; its frames keep their times and its sound is copied.
    """
    times_s = read(path).times_s
    target = path
    if len(times_s) > frames:
        target = folder / f"{path.stem}-{digest_of(path)[:12]}-{frames}.mkv"
        if not target.exists():
            source = VideoSource(path)
            shown = islice(source, frames)
            _write(target, ((whole_bgr(f.picture), f.pts) for f in shown), source.info, path)
            source.close()
    return Clip(path.stem, target, min(frames, len(times_s)), len(times_s), digest_of(target))


def still_with_noise(clip: Clip, index: int, frames: int, folder: Path) -> Clip:
    """Return a clip that repeats one frame of another with sensor noise, the same every time."""
    target = folder / f"{clip.name}-{clip.digest[:12]}-still-{index}-{frames}.mkv"
    if not target.exists():
        source = VideoSource(clip.path)
        frame = next(islice(source, index, None))
        step = round(1 / (source.info.rate * source.info.time_base))
        noisy = _noisy(whole_bgr(frame.picture), frames)
        _write(target, ((image, n * step) for n, image in enumerate(noisy)), source.info)
        source.close()
    return Clip(f"{clip.name}-still", target, frames, frames, digest_of(target))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _noisy(image: U8, frames: int) -> Iterator[U8]:
    random = np.random.default_rng(0)
    for _ in range(frames):
        noise = random.standard_normal(image.shape, np.float32) * NOISE
        yield np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def _write(
    path: Path, images: Iterator[tuple[U8, int]], info: MediaInfo, sound_of: Path | None = None
) -> None:
    """Encode (image, pts) near lossless; the file appears when it is complete."""
    part = path.with_suffix(".part.mkv")
    with av.open(str(part), "w") as output:
        video = output.add_stream("libx264", rate=info.rate, options=_NEAR_LOSSLESS)
        video.width, video.height = info.width // 2 * 2, info.height // 2 * 2
        video.pix_fmt = "yuv420p"
        video.time_base = video.codec_context.time_base = info.time_base
        sound = _sound(sound_of, output) if sound_of else []
        for image, pts in images:
            even = np.ascontiguousarray(image[: video.height, : video.width])
            frame = av.VideoFrame.from_ndarray(even, format="bgr24")
            frame.pts, frame.time_base = pts, info.time_base
            output.mux(video.encode(frame))
            end_s = frame.pts * frame.time_base
        output.mux(video.encode())
        for packet in sound:
            if packet.pts is not None and packet.pts * packet.time_base <= end_s:
                output.mux(packet)
    part.replace(path)


def _sound(path: Path, output: OutputContainer) -> list[Packet[AudioStream]]:
    """Return the packets of a file's sound, bound for tracks of their own in an output."""
    with av.open(str(path)) as source:
        tracks = source.streams.audio
        copies = {track.index: output.add_stream_from_template(track) for track in tracks}
        packets = [packet for packet in source.demux(tracks) if packet.size] if tracks else []
        for packet in packets:
            packet.stream = copies[packet.stream_index]
    return packets
