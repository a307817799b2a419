"""Gives those who wear glasses a pair of others, on the new face that another anonymiser draws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from streamanon.face import glasses
from streamanon.face import landmarks as lm
from streamanon.face.drawing import Follower
from streamanon.tracking.per_track import PerTrack

if TYPE_CHECKING:
    from streamanon.protocols import Anonymiser
    from streamanon.types import Patch, Scene, Subject

FADE_S = 0.25
"""Time constant with which glasses come and go."""

AWAY_DEG = (40.0, 48.0)
"""Yaws between which they vanish: their far side would stand out from the face."""

SMALLEST_PX = 14.0
"""Distance between the outer corners of the eyes below which they are less than a line."""

FAINTEST = 0.02
"""Share of light below which lines that take no more of it are not drawn."""


class GlassesAnonymiser:
    """Another anonymiser, whose new faces wear glasses where the old ones do."""

    needs_mesh = True

    def __init__(self, inside: Anonymiser) -> None:
        """Create one with no memory; ``inside`` draws the faces."""
        self._inside = inside
        self._drawn: PerTrack[Follower[float]] = PerTrack()

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None where the other anonymiser has none."""
        patches = self._inside.replace(scene)
        self._drawn.forget(scene)
        if len(patches) != len(scene.subjects):
            return patches
        return [
            self._with_glasses(patch, subject, scene.frame.time_s) if patch else None
            for subject, patch in zip(scene.subjects, patches, strict=True)
        ]

    def _with_glasses(self, patch: Patch, subject: Subject, time_s: float) -> Patch:
        """Return a patch with glasses, as dark as they are in this frame."""
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or lm.inter_ocular_px(mesh.points) < SMALLEST_PX:
            return patch
        if subject.track.id not in self._drawn:
            self._drawn[subject.track.id] = Follower(FADE_S)
        darkness = self._drawn[subject.track.id].follow(subject.glasses, time_s)
        if darkness >= FAINTEST:
            low, high = AWAY_DEG
            darkness *= min(max((high - abs(lm.head_pose(mesh.points)[0])) / (high - low), 0), 1)
        if darkness < FAINTEST:
            return patch
        image = patch.image.copy()
        points = mesh.points[:, :2] - (patch.x, patch.y)
        glasses.draw(image, points, glasses.style_of(identity.name), darkness)
        return replace(patch, image=image)
