"""A photograph of another person in place of the face, moving with it. No network.

Method: the mesh warp of :mod:`streamanon.core.warp`, lit, focused and grained like the frame. The
source's pixels inside the face reach the result only as slow light: blurred over a quarter of the
distance between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.core import landmarks as lm
from streamanon.core import mouth, shading
from streamanon.core.identity import skin_lab
from streamanon.core.picture import clip_box, read_bgr
from streamanon.core.warp import (
    MARGIN,
    RASTER,
    SKIN_POINTS,
    Condition,
    FaceSpace,
    depth_inside,
    follow_gaze,
    inset_oval,
    lookup_map,
    paint_triangles,
    saturated,
    soft_edge,
    triangle_maps,
)
from streamanon.types import Patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8, Frame, Identity, Mesh, Picture, Scene, Subject

YAW_LIMIT_DEG = (38.0, 44.0)
"""Beyond the second number the portrait's far cheek is guesswork: give up until below the first."""

PITCH_LIMIT_DEG = (38.0, 46.0)
"""The same for nodding."""

SMALLEST_FACE_PX = 36.0
"""Below this height the mesh is too coarse to carry a face."""

FORGET_S = 1.0
"""How long the look of a track that is not in view is kept."""

LIGHT_TAU_S = 0.4
"""Time constant with which light follows the frame."""

GAIN_STEPS = 128
"""Steps of 8 bit gain between 0 and 1."""

FOCUS_EVERY = 4
"""Frames between two looks at how sharp the frame is."""

DULLEST = 0.25
"""Least share of its colourfulness a portrait keeps in a colourless scene."""


@dataclass
class _Look:
    """What must not jump from frame to frame: one a track."""

    identity: str
    condition: Condition
    teeth: U8
    time_s: float
    light: F32 | None = None
    blur_px: float = 0.0
    grain: float = 0.0
    drawn: int = 0
    turned: bool = False


class WarpAnonymiser:
    """Warps the portrait of each subject's identity onto the subject's face."""

    needs_mesh = True

    def __init__(self, teeth: Identity | None = None) -> None:
        """Create one with no memory.

        Args:
            teeth: identity whose portrait lends its teeth to those that show none.
        """
        self._looks: dict[int, _Look] = {}
        self._teeth = _own_teeth(teeth) if teeth else None

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None for faces too small, turned away or without a mesh."""
        time_s = scene.frame.time_s
        patches = [self._replace_one(scene, subject) for subject in scene.subjects]
        present = {subject.track.id for subject in scene.subjects}
        self._looks = {
            track_id: look
            for track_id, look in self._looks.items()
            if track_id in present or abs(time_s - look.time_s) < FORGET_S
        }
        return patches

    def _replace_one(self, scene: Scene, subject: Subject) -> Patch | None:
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not np.isfinite(mesh.points).all():
            return None
        height_px = float(np.hypot(*(mesh.points[lm.CHIN, :2] - mesh.points[lm.FOREHEAD, :2])))
        if height_px < SMALLEST_FACE_PX:
            return None
        look = self._looks.get(subject.track.id)
        if look is None or look.identity != identity.name:
            look = self._looks[subject.track.id] = self._first_look(scene.frame, mesh, identity)
        yaw, pitch, _ = lm.head_pose(mesh.points)
        limit = 0 if look.turned else 1
        look.turned = abs(yaw) > YAW_LIMIT_DEG[limit] or abs(pitch) > PITCH_LIMIT_DEG[limit]
        if look.turned:
            return None
        drawing = _Drawing(scene.frame.picture, FaceSpace.around(mesh.points), look.condition)
        if drawing.empty:
            return None
        patch = drawing.draw(look, scene.frame.time_s, yaw)
        look.time_s = scene.frame.time_s
        return patch

    def _first_look(self, frame: Frame, mesh: Mesh, identity: Identity) -> _Look:
        """Prepare an identity's portrait for a person: as colourful as the person's skin."""
        wanted, given = skin_lab(frame.picture, mesh), identity.skin_lab
        saturation = 1.0
        if wanted is not None:
            ratio = float(np.hypot(wanted[1], wanted[2]) / max(np.hypot(given[1], given[2]), 1.0))
            saturation = min(max(ratio, DULLEST), 1.0)
        points = inset_oval(identity.mesh.points[:, :2])
        own = _own_teeth(identity)
        teeth = self._teeth if own is None else own
        return _Look(
            identity.name,
            Condition(identity.portrait, points, saturation),
            saturated(mouth.dark_texture() if teeth is None else teeth, saturation),
            frame.time_s,
        )


def _own_teeth(identity: Identity) -> U8 | None:
    points = identity.mesh.points[:, :2]
    if mouth.opening(points) < mouth.OPEN_FULLY:
        return None
    return mouth.texture(identity.portrait, points)


class _Drawing:
    """One face of one frame being drawn."""

    def __init__(self, picture: Picture, space: FaceSpace, condition: Condition) -> None:
        self.space, self.condition = space, condition
        skin = np.column_stack([space.points[:SKIN_POINTS], np.ones(SKIN_POINTS, np.float32)])
        where = skin @ space.to_frame.T
        around = np.concatenate([where.min(axis=0), where.max(axis=0)])
        self.box = clip_box(picture, np.asarray(around, np.float32))
        x0, y0, x1, y1 = self.box
        self.size = (x1 - x0, y1 - y0)
        self.empty = min(self.size) < 8
        if self.empty:
            return
        self.source = read_bgr(picture, self.box)
        self.to_patch = space.to_frame.copy()
        self.to_patch[:, 2] -= (x0, y0)
        self.face_px = RASTER / MARGIN * space.scale_px

    def draw(self, look: _Look, time_s: float, yaw_deg: float) -> Patch:
        """Draw the patch and bring the track's look up to date."""
        ids = paint_triangles(self.space)
        maps = triangle_maps(self.space, self.condition)
        lookup = lookup_map(maps, ids, self.condition.portrait)
        follow_gaze(lookup, self.space, self.condition)
        depth = depth_inside(ids)
        self._light(look, lookup, depth, time_s)
        edge = soft_edge(depth, self.space, yaw_deg)
        alpha = self._to_patch_size(edge, border=cv2.BORDER_CONSTANT)
        image = self.condition.sample(self._to_patch_size(lookup), self.face_px)
        image = self._focus(image, alpha, look)
        image = self._lit(image, look)
        mouth.fill(image, self.space, self.to_patch, look.teeth)
        x0, y0, _, _ = self.box
        return Patch(x0, y0, image, alpha)

    def _to_patch_size(self, field: F32, *, border: int = cv2.BORDER_REPLICATE) -> F32:
        """Scale a face space raster to the patch."""
        scaled = cv2.warpAffine(
            field, self.to_patch, self.size, flags=cv2.INTER_LINEAR, borderMode=border
        )
        return np.asarray(scaled, np.float32)

    def _light(self, look: _Look, lookup: F32, depth: F32, time_s: float) -> None:
        """Let the track's light follow this frame's."""
        small = (shading.LIGHT_SIZE, shading.LIGHT_SIZE)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        source = cv2.warpAffine(
            self.source,
            self.to_patch,
            (RASTER, RASTER),
            flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )
        warped = self.condition.sample(lookup, RASTER / MARGIN)
        skin = np.asarray(depth > 0.08 * self.space.eye_distance, np.uint8)
        for outline in (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
            hull = cv2.convexHull(np.rint(self.space.points[list(outline)]).astype(np.int32))
            cv2.fillConvexPoly(skin, hull, 0)
        source, warped = (
            np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)
            for part in (source, warped)
        )
        weight = np.asarray(
            cv2.resize(skin.astype(np.float32), small, interpolation=cv2.INTER_AREA), np.float32
        )
        sigma = 0.25 * self.space.eye_distance * small[0] / RASTER
        light = shading.light_transfer(source, warped, weight, sigma)
        if look.light is None:
            look.light = light
        else:
            pace = 1 - np.exp(-abs(time_s - look.time_s) / LIGHT_TAU_S)
            look.light += np.float32(pace) * (light - look.light)

    def _lit(self, image: U8, look: _Look) -> U8:
        """Apply the track's light to the patch."""
        assert look.light is not None
        coarse = (max(2, self.size[0] // 4), max(2, self.size[1] // 4))
        shrink = np.array([coarse[0] / self.size[0], coarse[1] / self.size[1]])
        to_coarse = self.to_patch * shrink[:, None]
        to_coarse[:, :2] *= RASTER / shading.LIGHT_SIZE
        gain, lift, drop = (
            self._coarse_to_patch_size(field, to_coarse, coarse)
            for field in (
                look.light[:, :, :3] * GAIN_STEPS,
                np.maximum(look.light[:, :, 3:], 0),
                np.maximum(-look.light[:, :, 3:], 0),
            )
        )
        lit = cv2.multiply(image, gain, scale=1 / GAIN_STEPS)
        lit = cv2.subtract(cv2.add(lit, lift), drop)
        if look.grain > 0:
            lit = cv2.add(lit, self._grain(look), dtype=cv2.CV_8U)
        return np.asarray(lit, np.uint8)

    def _coarse_to_patch_size(self, field: F32, to_coarse: F32, coarse: tuple[int, int]) -> U8:
        """Scale a slow field to the patch, in 8 bits: its steps are below what the eye sees."""
        placed = cv2.warpAffine(
            np.rint(field).astype(np.uint8),
            to_coarse,
            coarse,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return np.asarray(cv2.resize(placed, self.size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _focus(self, image: U8, alpha: F32, look: _Look) -> U8:
        """Blur or grain the portrait until it is as sharp as the frame, step by step."""
        first = look.drawn == 0
        look.drawn += 1
        if look.drawn % FOCUS_EVERY == 1:
            middle = tuple(slice(side // 4, side - side // 4) for side in self.size[::-1])
            weight = alpha[middle]
            wanted = shading.fine_detail(self.source[middle], weight)
            for _ in range(4 if first else 1):
                softened = shading.soften(image[middle], look.blur_px)
                got = shading.fine_detail(softened, weight)
                look.blur_px, look.grain = shading.refocus(look.blur_px, wanted, got)
        return shading.soften(image, look.blur_px)

    def _grain(self, look: _Look) -> NDArray[np.int16]:
        """Return (h, w, 3) int16 noise for the patch, the same in all channels."""
        noise = np.empty(self.size[::-1], np.int16)
        cv2.randn(noise, np.zeros(1), np.full(1, look.grain))
        return np.asarray(cv2.merge([noise, noise, noise]), np.int16)
