"""Computes the embedding of each face from time to time and gives it to the identity assigner."""

from dataclasses import dataclass

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import side
from streamanon.protocols import Embedder, SexClassifier
from streamanon.tracking.identity_assigner import IdentityAssigner, skin_lab
from streamanon.types import Mesh, Picture, Track

EARLY = 4
"""Samples of a new track taken without waiting, so that the first decision is a good one."""

EVERY = 10
"""Later, one of so many good views is sampled."""

SKIPPED, SPACING = 7, 4
"""Good views of a live track that are not sampled, because the first pictures of a camera are dark
and those of a new connection coarse, and how far apart the early samples are then.

Measured on 28 recordings of 15 clips as a camera page sends them (VP8), whose first eight pictures
were dark and coarse, with 40 seeds: 78 % get the identity that the file gives, and all one of its
sex. More samples, all views of a file, and noise in place of a limit (Gumbel) change that by 5 %.
"""

SETTLED_S, PATIENCE_S = 1.0, 3.0
"""Time after which a live track with all early samples gets its identity, and one without."""

BETTER = 1.3
"""A view whose quality exceeds the best so far by this factor is always sampled."""

MIN_FACE_PX = 40.0
"""Side of the smallest face whose embedding is reliable enough."""

MAX_YAW_DEG = 35.0
MAX_PITCH_DEG = 30.0


@dataclass(slots=True)
class _TrackSamples:
    """Good views of one track so far, samples taken of them, the best quality, and its times."""

    since_s: float
    now_s: float
    views: int = 0
    samples: int = 0
    best: float = 0.0


class EmbeddingSampler:
    """Embeds each face in some of its frames only, because embedding is what costs."""

    def __init__(
        self,
        embedder: Embedder,
        sex: SexClassifier,
        assigner: IdentityAssigner,
        *,
        live: bool = False,
    ) -> None:
        """Create one for a new line of a stream, whose tracks are numbered from the start.

        Args:
            embedder: computes embeddings.
            sex: estimates apparent sex.
            assigner: gets them; it drops the tracks of the line before.
            live: no frame is held back until its people have been seen well.
        """
        self._live = live
        self._embedder, self._sex, self.assigner = embedder, sex, assigner
        assigner.forget_tracks()
        self._tracks: dict[int, _TrackSamples] = {}

    def sample(self, picture: Picture, track: Track, time_s: float) -> None:
        """Embed a face if the view is good and a sample is due."""
        so_far = self._tracks.setdefault(track.id, _TrackSamples(time_s, time_s))
        so_far.now_s = time_s
        mesh = track.face.mesh
        quality = view_quality(mesh) if mesh is not None else 0.0
        if mesh is None or quality <= 0:
            return
        so_far.views += 1
        if not self._is_due(so_far, quality):
            return
        so_far.samples, so_far.best = so_far.samples + 1, max(so_far.best, quality)
        embedding = self._embedder.embed(picture, lm.five_points(mesh.points))
        skin, p_female = skin_lab(picture, mesh), self._sex.p_female(picture, mesh.points)
        self.assigner.add_evidence(track.id, embedding, quality, skin, p_female)

    def _is_due(self, so_far: _TrackSamples, quality: float) -> bool:
        """Return whether a good view is to be sampled."""
        if self._live and so_far.views <= SKIPPED:
            return False
        early = SPACING if self._live else 1
        every = early if so_far.samples < EARLY else EVERY
        return so_far.views % every == 0 or quality > BETTER * so_far.best

    def is_settled(self, track_id: int) -> bool:
        """Return whether enough of a track was seen to give it an identity."""
        so_far = self._tracks.get(track_id)
        if not self._live or so_far is None:
            return not self._live
        age_s = so_far.now_s - so_far.since_s
        seen = so_far.samples >= EARLY and age_s >= SETTLED_S
        return seen or age_s >= PATIENCE_S or self.assigner.recognises(track_id)

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended; the assigner still knows the person."""
        self._tracks.pop(track_id, None)
        self.assigner.forget(track_id)


def view_quality(mesh: Mesh) -> float:
    """Return how well a view identifies a person, 0..1; 0 for a face turned away or too small."""
    size = side(lm.face_box_from_mesh(mesh.points))
    yaw, pitch, _ = lm.head_pose(mesh.points)
    if size < MIN_FACE_PX or abs(yaw) > MAX_YAW_DEG or abs(pitch) > MAX_PITCH_DEG:
        return 0.0
    frontal = np.cos(np.radians(1.5 * yaw)) * np.cos(np.radians(1.5 * pitch))
    return float(mesh.presence * frontal * min(1.0, size / 112))
