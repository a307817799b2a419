"""The observations of an original clip, made once for all methods."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.video.face_series import FaceFollower, FaceSeries, FaceSeriesBuilder
from streamanon.atomic_write import write_atomically
from streamanon.errors import UsageError
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource
from streamanon.types import Face

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.video.clips import Clip
    from benchmarks.video.panel import Panel
    from streamanon.types import F32

_COLUMNS = 16
"""Columns of a stored face: frame, box, score and five points."""


@dataclass(frozen=True)
class Source:
    """The observations of an original clip.

    Attributes:
        rate: frames a second.
        faces: all faces, frame by frame, as the audit's detector finds them.
        subject: the one that is followed.
    """

    rate: float
    faces: list[list[Face]]
    face: FaceSeries

    def save(self, path: Path) -> None:
        """Write everything into one .npz file."""
        rows = [
            np.concatenate([[n], face.box, [face.score], _points(face)])
            for n, faces in enumerate(self.faces)
            for face in faces
        ]
        arrays: dict[str, Any] = {
            "rate": self.rate,
            "frames": len(self.faces),
            "faces": np.array(rows, np.float32).reshape(-1, _COLUMNS),
            "points": self.face.points,
            "blendshapes": self.face.blendshapes,
            **{f"vectors {name}": rows for name, rows in self.face.vectors.items()},
        }
        content = io.BytesIO()
        np.savez(content, **arrays)
        write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> Source:
        """Read what :meth:`save` wrote."""
        with np.load(path) as stored:
            faces: list[list[Face]] = [[] for _ in range(int(stored["frames"]))]
            for row in stored["faces"]:
                points = row[6:].reshape(5, 2)
                faces[int(row[0])].append(Face(row[1:5], float(row[5]), points))
            names = [key for key in stored if key.startswith("vectors ")]
            vectors = {key.removeprefix("vectors "): stored[key] for key in names}
            face = FaceSeries(stored["points"], stored["blendshapes"], vectors)
            return cls(float(stored["rate"]), faces, face)


def examine(clip: Clip, panel: Panel, advance: Callable[[], None]) -> Source:
    """Examine every frame of a clip.

    Raises:
        UsageError: it shows no face.
    """
    source = VideoSource(clip.path)
    follower, builder = FaceFollower(panel.recognisers[-1]), FaceSeriesBuilder(panel.recognisers)
    faces = []
    for frame in source:
        image = whole_bgr(frame.picture)
        seen = follower.locate(image)
        builder.add(image, seen, None if seen is None else seen.points)
        faces.append(panel.judge.find(frame.picture))
        advance()
    source.close()
    face = builder.build()
    if not any(faces) or not face.seen.any():
        raise UsageError(f"clip {clip.name} shows no face that can be measured: leave it out")
    return Source(float(source.info.rate), faces, face)


def _points(face: Face) -> F32:
    assert face.points is not None  # CenterFace gives them for every face
    return face.points.ravel()
