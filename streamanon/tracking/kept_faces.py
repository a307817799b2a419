"""Recognises people who agreed to be seen, by their photographs, in memory only.

Every frame is asked for itself: a track that goes on over somebody else hides them.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from streamanon.safety.permits import kept_person
from streamanon.tracking.embedding_sampler import view_quality
from streamanon.types import F32, Frame, Permit, Picture, Track

Recogniser: TypeAlias = "Callable[[Picture, F32], F32]"
"""Returns the unit vector of a face from a picture and its (478, 3) mesh points in px."""


@dataclass(slots=True)
class _Views:
    """Sums of the unit vectors of a track, of each recogniser, and those of frames held back."""

    sums: list[F32]
    by_frame: dict[int, list[F32]] = field(default_factory=dict)


class KeptFaces:
    """Tells which tracks of a frame show somebody who agreed to be seen."""

    def __init__(self, recognisers: Sequence[Recogniser], photos: Sequence[Sequence[F32]]) -> None:
        """Create one for one line, from unit vectors of each recogniser for each photograph."""
        self._recognisers, self._photos = recognisers, photos
        self._views: dict[int, _Views] = {}

    def sample(self, frame: Frame, track: Track) -> None:
        """Look at a face of a frame; a view that says too little, or fails, counts for nothing."""
        mesh = track.face.mesh
        if mesh is None or view_quality(mesh) <= 0:
            return
        try:
            vectors = [one(frame.picture, mesh.points) for one in self._recognisers]
        except Exception:  # noqa: BLE001  any failure: the face is hidden
            return
        if not all(np.isfinite(vector).all() for vector in vectors):
            return
        views = self._views.setdefault(track.id, _Views([np.zeros_like(one) for one in vectors]))
        views.by_frame[frame.index] = vectors
        views.sums = [total + one for total, one in zip(views.sums, vectors, strict=True)]

    def permits(self, index: int, tracks: Sequence[Track]) -> dict[int, Permit]:
        """Return the permits of the tracks of a frame; call it once for each frame, in order.

        A person is in a frame once: where two tracks look like one photograph, both are hidden.
        """
        found: dict[int, Permit] = {}
        for track in tracks:
            views = self._views.get(track.id)
            here = views.by_frame.pop(index, None) if views else None
            if views is None or here is None or track.unseen_s > 0:
                continue
            mean = [total / max(float(np.linalg.norm(total)), 1e-12) for total in views.sums]
            permit = kept_person(mean, here, self._photos)
            if permit:
                found[track.id] = permit
        seen = Counter(permit.reason for permit in found.values())
        return {track: permit for track, permit in found.items() if seen[permit.reason] == 1}

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended."""
        self._views.pop(track_id, None)
