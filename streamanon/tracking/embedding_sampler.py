"""Collects evidence of who is who and asks the book for identities. In memory only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import side
from streamanon.tracking.identity_assigner import skin_lab

if TYPE_CHECKING:
    from collections.abc import Collection

    from streamanon.protocols import Embedder
    from streamanon.tracking.identity_assigner import IdentityBook
    from streamanon.types import Identity, Mesh, Picture, Track

EARLY = 4
"""Looks taken as soon as possible, so that the first decision is good."""

EVERY = 10
"""Good views of a known face between two looks."""

BETTER = 1.3
"""A view this many times better than the best so far is looked at whenever it comes."""

LEAST_FACE_PX = 40.0
"""Smaller faces say too little about who it is."""

MOST_YAW_DEG = 35.0
MOST_PITCH_DEG = 30.0


@dataclass(slots=True)
class _Views:
    """What was made of one track so far: good views, looks taken at them, quality of the best."""

    good: int = 0
    looks: int = 0
    best: float = 0.0


class Witness:
    """Looks closely at each face now and then; the look is what costs."""

    def __init__(self, embedder: Embedder, book: IdentityBook) -> None:
        """Create one for a stream, or for what comes of it after its line was started anew."""
        self._embedder, self._book = embedder, book
        book.forget_tracks()
        self._views: dict[int, _Views] = {}

    def consider(self, picture: Picture, track: Track) -> None:
        """Take a look at a face if it is a good view and worth the time."""
        mesh = track.face.mesh
        quality = _quality(mesh) if mesh is not None else 0.0
        if mesh is None or quality <= 0:
            return
        views = self._views.setdefault(track.id, _Views())
        views.good += 1
        due = views.looks < EARLY or views.good % EVERY == 0 or quality > BETTER * views.best
        if not due:
            return
        views.looks, views.best = views.looks + 1, max(views.best, quality)
        embedding = self._embedder.embed(picture, lm.five_points(mesh.points))
        self._book.evidence(track.id, embedding, quality, skin_lab(picture, mesh))

    def identity_of(self, track_id: int, visible: Collection[int]) -> Identity | None:
        """Return whom a track is to be replaced by, given everybody in the same frame."""
        return self._book.identity_of(track_id, visible)

    def forget(self, track_id: int) -> None:
        """Drop what was kept about a track that has ended; the book still knows the person."""
        self._views.pop(track_id, None)
        self._book.forget(track_id)


def _quality(mesh: Mesh) -> float:
    """Return how much a view says about who it is, 0..1; 0 when it is turned away or small."""
    size = side(lm.face_box_from_mesh(mesh.points))
    yaw, pitch, _ = lm.head_pose(mesh.points)
    if size < LEAST_FACE_PX or abs(yaw) > MOST_YAW_DEG or abs(pitch) > MOST_PITCH_DEG:
        return 0.0
    frontal = np.cos(np.radians(1.5 * yaw)) * np.cos(np.radians(1.5 * pitch))
    return float(mesh.presence * frontal * min(1.0, size / 112))
