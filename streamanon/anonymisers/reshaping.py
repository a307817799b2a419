"""Gives faces the shape of the portraits they wear, before another anonymiser draws them.

To the other anonymiser a face and what is around it look as if they had had the portrait's
proportions from the start; it, its network and its checks work as they would on such a frame. Its
patches come back completed by the surroundings, moved to meet the new outline.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face import surroundings
from streamanon.face.shape import (
    ExpressionKeeper,
    NeutralEstimate,
    Pose,
    away_from_outline,
    reshaped,
    shape_for,
)
from streamanon.imaging.boxes import union
from streamanon.imaging.picture import blend_bgr, blended, copy_picture
from streamanon.safety.cover import faded_into, mosaic
from streamanon.safety.policy import fault_of_patch, is_replaceable
from streamanon.tracking.per_track import PerTrack
from streamanon.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamanon.face.shape import ShapeModel
    from streamanon.face.surroundings import Surroundings
    from streamanon.protocols import Anonymiser
    from streamanon.types import F32, Identity, Patch, Picture, Scene, Subject

ROOM = 0.35
"""Distance to another person's cover, in sides of the face, from which on an outline is free."""

FREED_S = 0.5
"""Time an outline takes to be free again after somebody was close."""

FADE_S = 0.2
"""Time in which a cover fades into the new face that takes its place."""


CLOSELY, LOOK_EVERY = 25, 4
"""Frames of a track in each of which the person's shape is looked at; then every so many."""


@dataclass
class Person:
    """What is known of the shape of somebody, one a track; for :class:`ReshapingAnonymiser`.

    Attributes:
        estimate: finds the neutral.
        expression: finds what the new shape needs.
        identity: name of whom the person becomes.
        neutral: (478, 3) float32 canonical.
        shape: (478, 3) float32 canonical, the new one, without what it needs.
        frames: how many the person was seen in.
        strength: how freely the outline moved in the last one, 0..1.
        time_s: time of that.
    """

    estimate: NeutralEstimate
    expression: ExpressionKeeper
    identity: str
    neutral: F32 = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    shape: F32 = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    frames: int = 0
    strength: float = 1.0
    time_s: float = -np.inf

    @property
    def look_due(self) -> bool:
        """Whether the person's shape is looked at in this frame."""
        return self.frames < CLOSELY or self.frames % LOOK_EVERY == 0

    def freed(self, strength: float, time_s: float) -> float:
        """Return how freely the outline may move now: less at once, more only slowly."""
        most = self.strength + (time_s - self.time_s) / FREED_S
        self.strength, self.time_s = min(strength, max(most, 0.0)), time_s
        return self.strength


@dataclass(frozen=True)
class _Reshaped:
    """A subject with its new shape, and what is around it."""

    subject: Subject
    around: Surroundings

    @property
    def place(self) -> F32:
        """(4,) float32 box in px around the new face."""
        mesh = self.subject.track.face.mesh
        assert mesh is not None
        return lm.face_box_from_mesh(mesh.points)


class ReshapingAnonymiser:
    """Another anonymiser, on faces of the portraits' shape; implements the protocol of one."""

    needs_mesh = True

    def __init__(
        self,
        inside: Anonymiser,
        model: ShapeModel,
        blendshapes: Callable[[F32], F32],
        people: PerTrack[Person] | None = None,
    ) -> None:
        """Create one.

        Args:
            inside: draws the faces.
            model: tells shape from expression.
            blendshapes: returns the (52,) blendshapes of a (478, 3) mesh.
            people: what is known of people's shapes; others may use it between two frames.
        """
        self._inside, self._model, self._blendshapes = inside, model, blendshapes
        self._people: PerTrack[Person] = PerTrack() if people is None else people
        self._covered_s: PerTrack[float] = PerTrack()
        self._portraits: dict[str, F32] = {}
        self._inwards = away_from_outline(model.mean)

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None where the other anonymiser has none."""
        picture = copy_picture(scene.frame.picture)
        places = [subject.track.cover for subject in scene.subjects]
        made = []
        for index, subject in enumerate(scene.subjects):
            others = places[:index] + places[index + 1 :]
            one = self._reshape(picture, subject, others, scene.frame.time_s)
            made.append(one)
            if one:
                places[index] = union(places[index], one.place)
            else:
                self._covered_s[subject.track.id] = scene.frame.time_s
        self._people.forget(scene)
        self._covered_s.forget(scene)
        subjects = tuple(
            one.subject if one else subject
            for one, subject in zip(made, scene.subjects, strict=True)
        )
        raw = scene.frame
        frame = Frame(raw.index, picture, raw.pts, raw.time_base, raw.damaged)
        patches = self._inside.replace(replace(scene, frame=frame, subjects=subjects))
        if len(patches) != len(made):
            return patches
        return [
            self._faded(_completed(patch, one, picture), one.subject, raw)
            if patch and one
            else patch
            for patch, one in zip(patches, made, strict=True)
        ]

    def _faded(self, patch: Patch | None, subject: Subject, frame: Frame) -> Patch | None:
        """Return the patch of a face, partly its cover where it was covered or will be."""
        track, share = subject.track, subject.faded
        if patch is None:
            self._covered_s[track.id] = frame.time_s
            return None
        if track.id in self._covered_s:
            since_s = abs(frame.time_s - self._covered_s[track.id])
            share = max(share, 1 - since_s / FADE_S)
        cover = mosaic(frame.picture, track.cover) if share > 0 else None
        return faded_into(patch, cover, share) if cover else patch

    def _reshape(
        self, picture: Picture, subject: Subject, others: Sequence[F32], time_s: float
    ) -> _Reshaped | None:
        """Give a subject its new shape and move what is around it in the picture, in place.

        Args:
            picture: the frame, with those who were reshaped before.
            subject: person to reshape.
            others: (4,) boxes in px of where everybody else is.
            time_s: time of the frame.
        """
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not is_replaceable(mesh):
            return None
        person = self._person(subject.track.id, identity)
        if person.look_due:
            self._look(person, mesh.points, identity)
        person.frames += 1
        strength = person.freed(_strength(mesh.points, others), time_s)
        inwards = np.float32(1) - np.float32(1 - strength) * (1 - self._inwards)
        wanted = person.shape + person.expression.correction
        points = reshaped(mesh.points, person.neutral, wanted, inwards)
        around = surroundings.fit(picture, mesh.points, points, others, strength)
        if around is None:
            return None
        blend_bgr(picture, around.box, around.fitted, around.moved.astype(np.float32))
        face = replace(subject.track.face, mesh=replace(mesh, points=points))
        return _Reshaped(replace(subject, track=replace(subject.track, face=face)), around)

    def _person(self, track_id: int, identity: Identity) -> Person:
        """Return what is known of a track, and nothing of its expression in another's shape."""
        if track_id not in self._people:
            self._people[track_id] = Person(
                NeutralEstimate(self._model.spread),
                ExpressionKeeper(self._model, self._blendshapes),
                identity.name,
            )
        person = self._people[track_id]
        if person.identity != identity.name:
            person.expression = ExpressionKeeper(self._model, self._blendshapes)
            person.identity = identity.name
            person.shape = self._shape_for(person.neutral, identity)
        return person

    def _look(self, person: Person, points: F32, identity: Identity) -> None:
        """Take what is seen of a person now into account.

        Args:
            person: who it is.
            points: (478, 3) mesh in frame px.
            identity: whom they become.
        """
        seen = self._blendshapes(points)
        sight = self._model.neutral(points, seen)
        person.neutral = person.estimate.add(sight, Pose.of(points).facing)
        person.shape = self._shape_for(person.neutral, identity)
        person.expression.look(points, seen, person.neutral, person.shape)

    def _shape_for(self, own: F32, identity: Identity) -> F32:
        """Return the shape of somebody with this neutral who becomes an identity."""
        other, mean = self._neutral_of_portrait(identity), self._model.at_age(identity.years)
        return shape_for(own, other, mean)

    def _neutral_of_portrait(self, identity: Identity) -> F32:
        """Return the neutral of an identity, with the share of its kin's."""
        own = self._neutral_of_face(identity)
        if identity.kin is None:
            return own
        kin, share = identity.kin
        return own + np.float32(share) * (self._neutral_of_face(kin) - own)

    def _neutral_of_face(self, identity: Identity) -> F32:
        """Return the neutral of a portrait, remembered from the first time on."""
        if identity.name not in self._portraits:
            points = identity.mesh.points
            self._portraits[identity.name] = self._model.neutral(points, self._blendshapes(points))
        return self._portraits[identity.name]


def _strength(points: F32, others: Sequence[F32]) -> float:
    """Return how freely the outline of a face may move, 0..1: not where others are close.

    Args:
        points: (478, 3) mesh in frame px.
        others: (4,) boxes of other people's covers.
    """
    box = lm.face_box_from_mesh(points)
    side = max(float((box[2:] - box[:2]).max()), 1.0)
    gaps = [
        float(np.hypot(*np.maximum(np.maximum(other[:2] - box[2:], box[:2] - other[2:]), 0)))
        for other in others
    ]
    return min([gap / (ROOM * side) for gap in gaps] + [1.0])


def _completed(patch: Patch, one: _Reshaped, picture: Picture) -> Patch | None:
    """Return a patch with the moved surroundings; None where it would not hide the face.

    The surroundings hold nothing of the old face but its rim, moved to that of the new one, without
    the features that reach into it when a head is turned.
    """
    if fault_of_patch(patch, one.subject, picture, emptied=True):
        return None
    around = one.around
    x0, y0, x1, y1 = around.box
    image, alpha = around.shown.copy(), around.moved.astype(np.float32)
    left, top = max(patch.x, x0), max(patch.y, y0)
    height, width = patch.alpha.shape
    right, bottom = min(patch.x + width, x1), min(patch.y + height, y1)
    here = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
    there = (slice(top - patch.y, bottom - patch.y), slice(left - patch.x, right - patch.x))
    over = np.ascontiguousarray(patch.alpha[there])
    face = np.ascontiguousarray(patch.image[there])
    beside = (alpha[here] > 0).astype(np.uint8)
    image[here] = cv2.copyTo(blended(image[here], face, over), beside, face)
    alpha[here] = np.maximum(alpha[here], over)
    return replace(patch, x=x0, y=y0, image=image, alpha=alpha)
