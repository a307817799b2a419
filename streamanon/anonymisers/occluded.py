"""Leaves what is in front of a face as it is, over the new face that another anonymiser draws.

What is in front is not moved with the surroundings of a face that changes its shape: it is shown
from the frame itself, where :mod:`streamanon.safety` agrees. Everything here is computed on the
very frame that it is applied to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.matting import refined
from streamanon.imaging.boxes import iou, side
from streamanon.imaging.picture import as_picture, blended, clip_box, read_bgr
from streamanon.imaging.structure import kept_structure
from streamanon.safety.policy import MOST_IN_FRONT, at_most, opened
from streamanon.tracking.occlusion import SIDE, InFront, OcclusionMemory
from streamanon.tracking.per_track import PerTrack
from streamanon.types import Occluder

if TYPE_CHECKING:
    from streamanon.protocols import Anonymiser, Embedder, OcclusionFinder
    from streamanon.types import F32, U8, Mesh, Patch, Picture, Scene, Subject, Track


_Sighting = tuple["U8", "F32", InFront]

SMALLEST_PX = 64
"""Side of the smallest face that is looked at: in front of smaller ones too little is seen."""

PLAIN_PX, LEAST_INSIDE = 10.0, 1e-3
"""Standard deviation of the blur that leaves only colours of a thing, in px of the crop: about a
quarter of the distance between the eyes; and the weight in it of what is beside the thing."""

RELIEF = 0.4
"""Share of the new face's shading on what hides it, as of a cloth: recognisers take two faces under
the same plain mask for one person (cosines to 0.73 without, to 0.53 with it)."""

MOST_KEPT = 0.84
"""Kept structure of a face, with what is in front of it, from which on that is softened, and at
last painted over: an audit cannot know that it was a hand, and takes 0.92 for a leak."""

MOST_ALIKE, OPACITIES = 0.5, (1.0, 0.7, 0.4)
"""Cosine of a recogniser's embeddings of the face before and after from which on what is in front
of it is shown less: to a recogniser a hand over much of it makes any two faces one, and an audit
takes 0.55 for a leak. And how opaque it may then be."""

DETAIL, SHARPENED, SOFT = (0.6, 0.45, 0.35), 0.01, 0.06
"""Shares of its detail that a softened hand keeps; how much of it comes back in a frame; and the
standard deviation of the blur that leaves no detail, in sides of the face."""

MOST_DRAWN = 0.62
"""Share of a face from which on hands are painted over; from MOST_IN_FRONT on they are softened."""


class OccludedAnonymiser:
    """Another anonymiser, whose new faces are behind what was in front of the old ones."""

    needs_mesh = True

    def __init__(self, inside: Anonymiser, finder: OcclusionFinder, embedder: Embedder) -> None:
        """Create one with no memory.

        Args:
            inside: draws the faces.
            finder: sees what is in front of them.
            embedder: recognises people, to know what an audit will.
        """
        self._inside, self._finder, self._embedder = inside, finder, embedder
        self._memories: PerTrack[OcclusionMemory] = PerTrack()

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None where the other anonymiser has none."""
        found = [self._look(scene, subject.track) for subject in scene.subjects]
        self._memories.forget(scene)
        subjects = tuple(
            replace(subject, in_front=self._memories[subject.track.id].at_points)
            for subject in scene.subjects
        )
        patches = self._inside.replace(replace(scene, subjects=subjects))
        if len(patches) != len(scene.subjects):
            return patches
        return [
            self._behind(patch, subject, one, scene.frame.picture) if patch and one else patch
            for patch, subject, one in zip(patches, scene.subjects, found, strict=True)
        ]

    def _look(self, scene: Scene, track: Track) -> _Sighting | None:
        """Look for what is in front of a face; None for nothing."""
        picture, mesh = scene.frame.picture, track.face.mesh
        certain = mesh is not None and track.unseen_s == 0
        certain &= side(track.face.box) >= SMALLEST_PX
        if track.id not in self._memories or not certain:
            self._memories[track.id] = OcclusionMemory()
        memory = self._memories[track.id]
        if mesh is None or not certain or not memory.is_due(scene.frame.time_s):
            return None
        others = (other.track for other in scene.subjects if other.track.id != track.id)
        alone = all(iou(track.cover, other.cover) == 0 for other in others)
        corners = lm.roi_from_mesh(mesh.points)
        points = lm.in_square(mesh.points, corners, SIDE)
        crop, classes = self._finder.look(picture, corners, points)
        found = memory.look(crop, classes, points, corners, scene.frame.time_s, alone=alone)
        return (crop, corners, found) if found else None

    def _behind(self, patch: Patch, subject: Subject, look: _Sighting, picture: Picture) -> Patch:
        """Return a patch of a subject with what is in front of it, by a look at the picture."""
        crop, corners, found = look
        height, width = patch.alpha.shape
        box = (patch.x, patch.y, patch.x + width, patch.y + height)
        if clip_box(picture, box) != box:
            return patch
        source = read_bgr(picture, box)
        coarse, fine = (
            np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8) for part in (crop, source)
        )
        axes = (corners[1:] - corners[0]).T / SIDE
        to_patch = np.asarray(np.column_stack([axes, corners[0] - box[:2]]), np.float32)
        cues = (found.things, np.maximum(found.hair, found.beside))
        seen, things, other = refined(found.seen, cues, coarse, fine, to_patch)
        if found.plain.any():
            patch = _plainly(patch, look, seen, to_patch)
        if not found.things.any():
            return replace(patch, occluder=Occluder(seen, other))
        return self._with_hand(_Hand(patch, subject, source, seen, things, other), found.strength)

    def _with_hand(self, hand: _Hand, strength: np.float32) -> Patch:
        """Return a patch with a hand in front as plainly as no audit takes it for the face.

        Args:
            hand: the hand or thing.
            strength: how far it is shown now, 0..1.
        """
        track_id, points = hand.subject.track.id, hand.five_points
        memory = self._memories[track_id]
        most = min(memory.detail + SHARPENED, 1.0)
        if hand.is_large:
            most = min(most, DETAIL[0])
        for detail in (most, *(one for one in DETAIL if one < most)):
            if hand.keeps(hand.shown(detail)) <= MOST_KEPT:
                break
        else:
            memory.withhold()
            return hand.hidden
        memory.detail = detail
        own = self._embedder.embed(hand.before, points)
        for opacity in OPACITIES:
            shown = hand.shown(detail, min(float(strength), opacity))
            if float(own @ self._embedder.embed(hand.after(shown), points)) <= MOST_ALIKE:
                return shown
        return hand.hidden


@dataclass(frozen=True)
class _Hand:
    """A hand or a thing in front of a face, that the face confirms.

    Attributes:
        patch: patch of the new face.
        subject: whose face it is.
        source: (h, w, 3) uint8 BGR pixels of the frame beneath the patch.
        seen: (h, w) float32 0..1, what is seen in front.
        things: (h, w) float32 0..1, what of it is confirmed.
        other: (h, w) float32 0..1, what else is.
    """

    patch: Patch
    subject: Subject
    source: U8
    seen: F32
    things: F32
    other: F32

    @property
    def hidden(self) -> Patch:
        """The patch without it."""
        return replace(self.patch, occluder=Occluder(self.seen, self.other))

    def shown(self, detail: float, opacity: float = 1.0) -> Patch:
        """Return the patch with it: the frame's own pixels, or drawn with a share of its detail."""
        things = np.asarray(self.things * opacity, np.float32)
        if detail == 1:
            return replace(self.patch, occluder=Occluder(self.seen, np.maximum(things, self.other)))
        over = at_most(MOST_DRAWN, np.minimum(self.seen, things), self.patch, self._mesh)
        drawn = self._soft + np.float32(detail) * (self.source - self._soft)
        image = np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
        return replace(self.hidden, image=blended(self.patch.image, image, over))

    @property
    def is_large(self) -> bool:
        """Whether it is in front of too much of the face for the frame's own pixels to be shown."""
        whole = np.minimum(self.seen, self.things)
        return bool((at_most(MOST_IN_FRONT, whole, self.patch, self._mesh) != whole).any())

    @cached_property
    def before(self) -> Picture:
        """The frame beneath the patch."""
        return as_picture(self.source)

    def after(self, patch: Patch) -> Picture:
        """Return the same with a patch over it, as it will be seen."""
        patch = opened(patch, self.subject)
        return as_picture(blended(self.source, patch.image, patch.alpha))

    def keeps(self, patch: Patch) -> float:
        """Return how much of the face's structure a patch would leave, as an audit sees it."""
        box = self.subject.track.face.box - np.tile(self._origin, 2)
        return kept_structure(self.before, self.after(patch), box)

    @property
    def five_points(self) -> F32:
        """(5, 2) float32 points of the face, in px of the patch."""
        return np.asarray(lm.five_points(self._mesh.points) - self._origin, np.float32)

    @cached_property
    def _soft(self) -> F32:
        """(h, w, 3) float32 its colours without any detail, nor any of the face's."""
        inside = np.minimum(self.seen, self.things)[:, :, None] + np.float32(LEAST_INSIDE)
        sigma = SOFT * side(self.subject.track.face.box)
        stack = np.concatenate([self.source * inside, inside], axis=2)
        slow = cv2.GaussianBlur(stack, (0, 0), sigma)
        return np.asarray(slow[:, :, :3] / slow[:, :, 3:], np.float32)

    @property
    def _mesh(self) -> Mesh:
        mesh = self.subject.track.face.mesh
        assert mesh is not None
        return mesh

    @property
    def _origin(self) -> F32:
        return np.array([self.patch.x, self.patch.y], np.float32)


def _plainly(patch: Patch, look: _Sighting, seen: F32, to_patch: F32) -> Patch:
    """Return a patch with things in front of the face, in colours that tell nothing of its pixels.

    Args:
        patch: patch of a new face.
        look: what was seen of the face.
        seen: (h, w) float32 0..1, what is in front, of the size of the patch.
        to_patch: (2, 3) affine from px of the crop to px of the patch.
    """
    crop, _, found = look
    inside = cv2.erode(found.plain, np.ones((3, 3), np.uint8))[:, :, None] + LEAST_INSIDE
    stack = np.concatenate([crop * inside, inside], axis=2)
    slow = cv2.GaussianBlur(stack, (0, 0), PLAIN_PX)
    colours = np.asarray(slow[:, :, :3] / slow[:, :, 3:], np.float32)
    placed = cv2.warpAffine(
        np.dstack([colours, found.plain]), to_patch, patch.alpha.shape[::-1], flags=cv2.INTER_LINEAR
    )
    over = np.asarray(np.minimum(2 * placed[:, :, 3], seen), np.float32)
    grey = np.asarray(cv2.cvtColor(patch.image, cv2.COLOR_BGR2GRAY), np.float32)
    blur_px = PLAIN_PX * float(np.hypot(to_patch[0, 0], to_patch[1, 0]))
    relief = RELIEF * (grey - cv2.GaussianBlur(grey, (0, 0), blur_px))
    thing = np.clip(np.rint(placed[:, :, :3] + relief[:, :, None]), 0, 255).astype(np.uint8)
    return replace(patch, image=blended(patch.image, thing, over))
