"""A photograph of another person in place of the face, moving with it. No network.

Method: the mesh warp of :mod:`streamanon.face.warp`, lit, focused and grained like the frame. The
source's pixels inside the face reach the result only as slow light: blurred over a quarter of the
distance between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face import lashes, mouth, shading
from streamanon.face.drawing import Canvas, Focus
from streamanon.face.warp import (
    MARGIN,
    RASTER,
    Condition,
    FaceSpace,
    depth_inside,
    inset_oval,
    lay_over,
    saturated,
    soft_edge,
)
from streamanon.safety.policy import PoseRange, can_carry
from streamanon.tracking.identity_assigner import colourfulness
from streamanon.tracking.per_track import PerTrack

if TYPE_CHECKING:
    from streamanon.types import F32, U8, Frame, Identity, Mesh, Patch, Scene, Subject

POSES = PoseRange(yaw_deg=(38.0, 44.0), pitch_deg=(38.0, 46.0))
"""Beyond these the portrait's far cheek is guesswork."""

LIGHT_TAU_S = 0.4
"""Time constant with which light follows the frame."""

GAIN_STEPS = 128
"""Steps of 8 bit gain between 0 and 1."""


@dataclass
class _Look:
    """What must not jump from frame to frame: one a track."""

    identity: str
    condition: Condition
    teeth: U8
    time_s: float
    light: F32 | None = None
    focus: Focus = field(default_factory=Focus)
    turned: bool = False


class WarpAnonymiser:
    """Warps the portrait of each subject's identity onto the subject's face."""

    needs_mesh = True

    def __init__(self, teeth: U8 | None = None) -> None:
        """Create one with no memory.

        Args:
            teeth: mouth texture for identities that show no teeth.
        """
        self._looks: PerTrack[_Look] = PerTrack()
        self._teeth = teeth

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None for faces too small, turned away or without a mesh."""
        patches = [self._replace_one(scene, subject) for subject in scene.subjects]
        self._looks.forget(scene)
        return patches

    def _replace_one(self, scene: Scene, subject: Subject) -> Patch | None:
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not can_carry(mesh):
            return None
        track_id = subject.track.id
        if track_id not in self._looks or self._looks[track_id].identity != identity.name:
            self._looks[track_id] = self._first_look(scene.frame, mesh, identity)
        look = self._looks[track_id]
        yaw, pitch, _ = lm.head_pose(mesh.points)
        look.turned = POSES.left(yaw, pitch, before=look.turned)
        if look.turned:
            return None
        space = FaceSpace.around(mesh.points)
        canvas = Canvas.under(scene.frame.picture, space)
        if canvas is None:
            return None
        patch = _draw(canvas, space, look, scene.frame.time_s, yaw)
        look.time_s = scene.frame.time_s
        return patch

    def _first_look(self, frame: Frame, mesh: Mesh, identity: Identity) -> _Look:
        """Prepare an identity's portrait for a person: as colourful as the person's skin."""
        saturation = colourfulness(frame.picture, mesh, identity)
        points = inset_oval(identity.mesh.points[:, :2])
        return _Look(
            identity.name,
            Condition(identity.portrait, points, saturation),
            saturated(mouth.texture_for(identity, self._teeth), saturation),
            frame.time_s,
        )


def _draw(canvas: Canvas, space: FaceSpace, look: _Look, time_s: float, yaw_deg: float) -> Patch:
    """Draw a face and bring the look of its track up to date."""
    ids, _, lookup = lay_over(space, look.condition)
    depth = depth_inside(ids)
    light = _light(canvas, space, look.condition.sample(lookup, RASTER / MARGIN), depth)
    if look.light is None:
        look.light = light
    else:
        pace = 1 - np.exp(-abs(time_s - look.time_s) / LIGHT_TAU_S)
        look.light += np.float32(pace) * (light - look.light)
    alpha = canvas.spread(soft_edge(depth, space, yaw_deg), border=cv2.BORDER_CONSTANT)
    image = look.condition.sample(canvas.spread(lookup), canvas.face_px)
    image = look.focus.softened(image, canvas, alpha)
    image = _lit(image, canvas, look.light)
    lashes.draw(image, space.points, canvas.to_patch, look.focus.blur_px)
    image = look.focus.grained(image)
    mouth.fill(image, mouth.interior(space), canvas.to_patch, look.teeth)
    return canvas.patch(image, alpha)


def _light(canvas: Canvas, space: FaceSpace, warped: U8, depth: F32) -> F32:
    """Return the light that puts a portrait into this frame.

    Args:
        canvas: what the face is drawn on.
        space: the face.
        warped: (RASTER, RASTER, 3) uint8 BGR portrait on the face.
        depth: how far inside the face a pixel lies.
    """
    small = (shading.LIGHT_SIZE, shading.LIGHT_SIZE)
    source = cv2.warpAffine(
        canvas.source,
        canvas.to_patch,
        (RASTER, RASTER),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    skin = np.asarray(depth > 0.08 * space.eye_distance, np.uint8)
    for outline in (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
        hull = cv2.convexHull(np.rint(space.points[list(outline)]).astype(np.int32))
        cv2.fillConvexPoly(skin, hull, 0)
    wanted, given = (
        np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
        for part in (source, warped)
    )
    weight = np.asarray(
        cv2.resize(skin.astype(np.float32), small, interpolation=cv2.INTER_AREA), np.float32
    )
    sigma = 0.25 * space.eye_distance * small[0] / RASTER
    return shading.light_transfer(wanted, given, weight, sigma)


def _lit(image: U8, canvas: Canvas, light: F32) -> U8:
    """Apply a track's light to the patch."""
    size = canvas.size
    coarse = (max(2, size[0] // 4), max(2, size[1] // 4))
    shrink = np.array([coarse[0] / size[0], coarse[1] / size[1]])
    to_coarse = canvas.to_patch * shrink[:, None]
    to_coarse[:, :2] *= RASTER / shading.LIGHT_SIZE
    gain, lift, drop = (
        _coarse_to_patch_size(part, to_coarse, coarse, size)
        for part in (
            light[:, :, :3] * GAIN_STEPS,
            np.maximum(light[:, :, 3:], 0),
            np.maximum(-light[:, :, 3:], 0),
        )
    )
    lit = cv2.multiply(image, gain, scale=1 / GAIN_STEPS)
    return np.asarray(cv2.subtract(cv2.add(lit, lift), drop), np.uint8)


def _coarse_to_patch_size(
    part: F32, to_coarse: F32, coarse: tuple[int, int], size: tuple[int, int]
) -> U8:
    """Scale a slow field to the patch, in 8 bits: its steps are below what the eye sees."""
    placed = cv2.warpAffine(
        np.rint(part).astype(np.uint8),
        to_coarse,
        coarse,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(placed, size, interpolation=cv2.INTER_LINEAR), np.uint8)
