"""Leaves what is in front of a face as it is, over the new face that another anonymiser draws.

What is in front is not moved with the surroundings of a face that changes its shape: it is shown
from the frame itself, where :mod:`streamanon.safety` agrees.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.matting import refined
from streamanon.imaging.picture import clip_box, read_bgr
from streamanon.tracking.occlusion import SIDE, InFront, OcclusionMemory, is_of_the_face
from streamanon.tracking.per_track import PerTrack
from streamanon.types import Occluder

if TYPE_CHECKING:
    from streamanon.protocols import Anonymiser, OcclusionFinder
    from streamanon.types import F32, U8, Patch, Scene, Track


SPECKS_PX = 5
"""Of a colour of the face in hair or in glasses, smaller ones count as their highlights."""


class OccludedAnonymiser:
    """Another anonymiser, whose new faces are behind what was in front of the old ones."""

    needs_mesh = True

    def __init__(self, inside: Anonymiser, finder: OcclusionFinder) -> None:
        """Create one with no memory.

        Args:
            inside: draws the faces.
            finder: looks at them.
        """
        self._inside, self._finder = inside, finder
        self._memories: PerTrack[OcclusionMemory] = PerTrack()

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None where the other anonymiser has none."""
        patches = self._inside.replace(scene)
        if len(patches) != len(scene.subjects):
            return patches
        made = [
            self._behind(patch, scene, subject.track) if patch else None
            for subject, patch in zip(scene.subjects, patches, strict=True)
        ]
        self._memories.forget(scene)
        return made

    def _behind(self, patch: Patch, scene: Scene, track: Track) -> Patch:
        """Return a patch with what is in front of it."""
        height, width = patch.alpha.shape
        box = (patch.x, patch.y, patch.x + width, patch.y + height)
        picture, mesh = scene.frame.picture, track.face.mesh
        if mesh is None or clip_box(picture, box) != box:
            return patch
        if track.id not in self._memories:
            self._memories[track.id] = OcclusionMemory()
        crop, classes = self._finder.look(picture, mesh.points)
        corners = lm.roi_from_mesh(mesh.points)
        points = lm.in_square(mesh.points, corners, SIDE)
        found = self._memories[track.id].look(crop, classes, points, scene.frame.time_s)
        if found is None:
            return patch
        to_patch = np.column_stack([(corners[1:] - corners[0]).T / SIDE, corners[0] - box[:2]])
        return replace(patch, occluder=_placed(found, crop, read_bgr(picture, box), to_patch))


def _placed(found: InFront, crop: U8, source: U8, to_patch: F32) -> Occluder:
    """Return what was found in a crop at the pixels of a patch.

    Args:
        found: cues in px of the crop.
        crop: (128, 128, 3) uint8 BGR.
        source: (h, w, 3) uint8 BGR pixels of the frame under the patch.
        to_patch: (2, 3) affine from px of the crop to px of the patch.
    """
    coarse, fine = (
        np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), np.uint8) for part in (crop, source)
    )
    things, thin = (
        cv2.warpAffine(cue, to_patch, (fine.shape[1], fine.shape[0]), flags=cv2.INTER_LINEAR)
        for cue in (found.things, found.thin)
    )
    own = np.asarray(is_of_the_face(source, found.colours), np.uint8)
    thin[cv2.medianBlur(own, SPECKS_PX) > 0] = 0
    confirmed = np.asarray(np.maximum(things, thin), np.float32)
    return Occluder(refined(found.seen, coarse, fine, to_patch), confirmed)
