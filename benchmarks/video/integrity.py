"""Whether an anonymised file keeps its source's frames, times and sound."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import av

MIN_SHIFT_S = 0.001
"""Time a frame may move before it counts as moved; Matroska counts in milliseconds."""


@dataclass(frozen=True)
class Contents:
    """What a file holds, as decoded.

    Attributes:
        times_s: presentation time of each frame in seconds.
        duration_s: duration of the video track, or of the file if tracks have none.
        audio: a digest of every audio track's packets.
    """

    times_s: tuple[float, ...]
    duration_s: float
    audio: tuple[str, ...]


def read(path: Path) -> Contents:
    """Decode a file."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = tuple(
            round(float(frame.pts * frame.time_base), 5)
            for frame in container.decode(stream)
            if frame.pts is not None and frame.time_base is not None
        )
        duration_s = (container.duration or 0) / av.time_base
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
    tracks = []
    with av.open(str(path)) as container:
        for track in container.streams.audio:
            digest = hashlib.sha256()
            container.seek(0)
            for packet in container.demux(track):
                digest.update(bytes(packet))
            tracks.append(digest.hexdigest()[:16])
    return Contents(times, round(duration_s, 3), tuple(tracks))


def kept(original: Path, anonymised: Path) -> dict[str, bool | int | None]:
    """Return which properties the anonymised file kept; ``audio`` is None without sound."""
    before, after = read(original), read(anonymised)
    frames = len(before.times_s)
    return {
        "source_frames": frames,
        "frames": len(after.times_s) == frames,
        "times": _close(before.times_s, after.times_s),
        "duration": abs(after.duration_s - before.duration_s) < before.duration_s / frames / 2,
        "audio": after.audio == before.audio if before.audio else None,
    }


def _close(before: tuple[float, ...], after: tuple[float, ...]) -> bool:
    """Tell whether frames are shown at the same times, but for how containers count."""
    pairs = zip(before, after, strict=False)
    return len(before) == len(after) and all(abs(a - b) < MIN_SHIFT_S for a, b in pairs)
