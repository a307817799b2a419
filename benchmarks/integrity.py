"""Whether an anonymised file keeps its source's frames, times and sound."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Contents:
    """What a file holds, as decoded.

    Attributes:
        times_s: presentation time of each frame in seconds.
        duration_s: of the video track, or of the file where tracks have none.
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


def differences(original: Path, anonymised: Path) -> dict[str, object]:
    """Return what differs between two files; empty when nothing does."""
    before, after = asdict(read(original)), asdict(read(anonymised))
    found: dict[str, object] = {}
    for key in before:
        if before[key] != after[key]:
            value = (before[key], after[key])
            found[key] = (len(before[key]), len(after[key])) if key == "times_s" else value
    return found
