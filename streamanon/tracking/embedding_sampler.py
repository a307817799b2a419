"""Computes the embedding of each face from time to time and gives it to the identity assigner.

In the same pictures it looks for glasses, and whether a track still shows the same person.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import side
from streamanon.imaging.picture import clip_box, shrink
from streamanon.protocols import AgeEstimator, Embedder, GlassesFinder, SexClassifier
from streamanon.tracking.glasses import WornGlasses
from streamanon.tracking.identity_assigner import IdentityAssigner, skin_lab
from streamanon.tracking.same_person import SamePerson, Sample
from streamanon.types import Mesh, Picture, Track

SPACING_S, LATER_S = 0.1, 0.4
"""Time between two samples of a new track, and of one whose person is known.

Samples are taken at fixed times after the first good view, so that frames left out hardly matter.
"""

WARM_UP_S, WARM_UP_WEIGHT = 0.25, 0.01
"""Time for which samples count little, and how much: the first pictures of a camera are dark and
those of a new connection coarse."""

SETTLED_S, SETTLED_SAMPLES = 1.2, 4
"""Time after its first good view, and samples after the warm-up, with which a track gets its
identity."""

PATIENCE_S = 2.0
"""Time after its first mesh when a track gets an identity that was not seen well for so long."""

MIN_FACE_PX = 40.0
"""Side of the smallest face whose embedding is reliable enough."""

MIN_EYES_PX = 47.0
"""Least distance between the outer corners of the eyes at which glasses are looked for: nearly all
of LFW, but in a crowd brows, shadows and glasses look alike."""

MAX_YAW_DEG = 35.0
MAX_PITCH_DEG = 30.0

FLAT, FLAT_PX = 3.0, 32
"""Standard deviation of a face's levels below which it shows nothing, as in a flash, and the side
to which it is scaled first. Faces in a dark night have 7, in a flash 1."""

ASIDE_DEG, ASIDE_WEIGHT = 60.0, 0.001
"""Yaw up to which samples of somebody not seen better count for sex, age and skin, and how
much they count: apparent sex is right in 24 of 28 pictures of men turned by 40 degrees and more."""

LOST_S = 0.25
"""Time without a mesh after which it may be somebody else to whom one fits again."""

_JITTER_S = 0.005
"""A frame may come so much before a sample is due."""


@dataclass(slots=True)
class _TrackSamples:
    """When a track had its first mesh, its first good view (infinite before) and its newest frame.

    And its newest mesh, and when it last began to have none for a while.
    Samples count after the warm-up; it is settled once an identity was asked for; samples of a head
    that is turned aside are due apart.
    """

    since_s: float
    now_s: float
    mesh_s: float = -math.inf
    lost_s: float = -math.inf
    first_s: float = math.inf
    due_s: float = -math.inf
    samples: int = 0
    settled: bool = False
    aside_due_s: float = -math.inf
    glasses: WornGlasses = field(default_factory=WornGlasses)
    person: SamePerson = field(default_factory=SamePerson)


class EmbeddingSampler:
    """Embeds each face in some of its frames only, because embedding is what costs.

    The identity is assigned when a track was seen well for a while, or when it ends: from the same
    frames the same, whether these were held back until then or not.
    """

    def __init__(
        self,
        embedder: Embedder,
        sex: SexClassifier,
        age: AgeEstimator,
        assigner: IdentityAssigner,
        glasses: GlassesFinder | None = None,
    ) -> None:
        """Create one for a new line of a stream, whose tracks are numbered from the start.

        The assigner drops the tracks of the line before.
        """
        self._embedder, self._sex, self._age, self.assigner = embedder, sex, age, assigner
        self._glasses = glasses
        assigner.forget_tracks()
        self._tracks: dict[int, _TrackSamples] = {}

    def sample(
        self,
        picture: Picture,
        track: Track,
        time_s: float,
        visible: Collection[int],
        *,
        changed: bool = False,
    ) -> float | None:
        """Embed a face if the view is good and a sample is due; assign its identity once it is due.

        Args:
            picture: frame.
            track: the face's.
            time_s: time of the frame.
            visible: ids of all tracks in the frame.
            changed: whether the picture changed so much that it may show somebody else.

        Returns:
            The time from which on the track shows somebody else (:meth:`part` it then), or None.
        """
        mesh = track.face.mesh
        if mesh is None and track.id not in self._tracks:
            return None
        so_far = self._tracks.setdefault(track.id, _TrackSamples(time_s, time_s))
        so_far.now_s = time_s
        if mesh is not None:
            if time_s - so_far.mesh_s > LOST_S:
                so_far.lost_s, changed = so_far.mesh_s + _JITTER_S, True
            so_far.mesh_s = time_s
        if changed:
            so_far.due_s = -math.inf
        if mesh is not None and time_s >= so_far.due_s - _JITTER_S:
            self._embed(picture, mesh, track.id)
        if self._is_due(track.id, visible):
            self._settle(track.id, visible)
        return so_far.person.until_s(so_far.lost_s)

    def part(self, track_id: int, new_id: int, visible: Collection[int]) -> None:
        """Give the samples of somebody else, over whom a track went on, to a track of their own."""
        ended = self._tracks[track_id]
        samples = ended.person.strange
        ended.person = SamePerson()
        self.conclude(track_id, visible)
        self._tracks[new_id] = _TrackSamples(samples[0].time_s, ended.now_s, ended.mesh_s)
        for sample in samples:
            self._take(new_id, sample)

    def conclude(self, track_id: int, visible: Collection[int]) -> None:
        """Assign the identity of a track that ended before it was seen for long enough."""
        so_far = self._tracks.get(track_id)
        if so_far and so_far.samples:
            self._settle(track_id, visible)

    def is_awaited(self, track_id: int) -> bool:
        """Return whether a track has had a mesh and will get its identity later."""
        return track_id in self._tracks and not self._tracks[track_id].settled

    def glasses_of(self, track_id: int) -> float:
        """Return how dark a person's glasses are, see :class:`Subject`; 0 while none are seen."""
        known = self._tracks.get(track_id)
        return known.glasses.darkness if known and known.glasses.worn else 0.0

    def _embed(self, picture: Picture, mesh: Mesh, track_id: int) -> None:
        """Take a sample if the view is good, and plan the next one."""
        so_far, quality = self._tracks[track_id], view_quality(mesh)
        if _is_flat(picture, mesh):
            return
        if quality <= 0:
            self._sample_aside(picture, mesh, track_id)
            return
        sample = self._described(picture, mesh, quality, so_far.now_s)
        if not self._take(track_id, sample):
            return
        if self._glasses and lm.inter_ocular_px(mesh.points) >= MIN_EYES_PX:
            so_far.glasses.look(*self._glasses.look(picture, mesh.points))

    def _take(self, track_id: int, sample: Sample) -> bool:
        """Add a sample to a track and plan the next; return False for one of somebody else."""
        so_far = self._tracks[track_id]
        if not so_far.person.is_in(sample):
            so_far.due_s = sample.time_s + SPACING_S
            return False
        so_far.first_s = min(so_far.first_s, sample.time_s)
        seen_s = sample.time_s - so_far.first_s
        spacing_s = LATER_S if so_far.settled else SPACING_S
        steps = math.floor((seen_s + _JITTER_S) / spacing_s) + 1
        so_far.due_s = so_far.first_s + steps * spacing_s
        if seen_s < WARM_UP_S:
            self._add_evidence(track_id, sample, WARM_UP_WEIGHT * sample.quality)
        else:
            so_far.samples += 1
            self._add_evidence(track_id, sample, sample.quality)
        return True

    def _sample_aside(self, picture: Picture, mesh: Mesh, track_id: int) -> None:
        """Sample a head that is turned aside, now and then until it has an identity."""
        so_far = self._tracks[track_id]
        due = not so_far.settled and so_far.now_s >= so_far.aside_due_s - _JITTER_S
        large = side(lm.face_box_from_mesh(mesh.points)) >= MIN_FACE_PX
        if due and large and abs(lm.head_pose(mesh.points)[0]) <= ASIDE_DEG:
            so_far.aside_due_s = so_far.now_s + SPACING_S
            sample = self._described(picture, mesh, 0.0, so_far.now_s)
            self._add_evidence(track_id, sample, ASIDE_WEIGHT)

    def _described(self, picture: Picture, mesh: Mesh, quality: float, time_s: float) -> Sample:
        embedding = self._embedder.embed(picture, lm.five_points(mesh.points))
        skin, p_female = skin_lab(picture, mesh), self._sex.p_female(picture, mesh.points)
        years = self._age.years(picture, mesh.points)
        return Sample(time_s, embedding, quality, skin, p_female, years)

    def _add_evidence(self, track_id: int, sample: Sample, weight: float) -> None:
        seen = (sample.skin_lab, sample.p_female, sample.years)
        self.assigner.add_evidence(track_id, sample.embedding, weight, *seen)

    def _is_due(self, track_id: int, visible: Collection[int]) -> bool:
        """Return whether enough of a track was seen to give it an identity."""
        so_far = self._tracks[track_id]
        if self.assigner.has_identity(track_id) or so_far.now_s - so_far.since_s >= PATIENCE_S:
            return True
        if not so_far.samples:
            return False
        seen = so_far.samples >= SETTLED_SAMPLES and so_far.now_s - so_far.first_s >= SETTLED_S
        return seen or self.assigner.recognises(track_id, visible)

    def _settle(self, track_id: int, visible: Collection[int]) -> None:
        self._tracks[track_id].settled = True
        self.assigner.identity_of(track_id, visible)

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


def _is_flat(picture: Picture, mesh: Mesh) -> bool:
    """Return whether a face is so bright or dark that nothing shows of it."""
    x0, y0, x1, y1 = box = clip_box(picture, lm.face_box_from_mesh(mesh.points))
    if min(x1 - x0, y1 - y0) < 2:
        return True
    return float(shrink(picture, box, (FLAT_PX, FLAT_PX)).mean(axis=2).std()) < FLAT
