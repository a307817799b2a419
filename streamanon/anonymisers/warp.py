"""A photograph of another person in place of the face, moving with it. No network.

Method: the mesh warp of :mod:`streamanon.face.warp`, with light, sharpness and noise matched to the
frame. The source's pixels inside the face reach the result only as low-frequency light: blurred
over a quarter of the distance between the eyes.
"""

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from streamanon.face import irises, lashes, mouth, shading, turned
from streamanon.face import landmarks as lm
from streamanon.face.bare_skin import bare_portrait
from streamanon.face.drawing import FaceRegion, LightFollower, SharpnessMatcher
from streamanon.face.irises import Irises
from streamanon.face.warp import (
    MARGIN,
    RASTER,
    Condition,
    FaceSpace,
    edge_distance,
    feathered_alpha,
    inset_oval,
    into_face_space,
    saturated,
    warp_portrait,
)
from streamanon.safety.cover import faded_into, mosaic
from streamanon.safety.policy import PoseRange, is_replaceable
from streamanon.tracking.identity_assigner import colourfulness
from streamanon.tracking.per_track import PerTrack
from streamanon.types import F32, U8, Frame, Identity, Mesh, Patch, Scene, Subject

POSES = PoseRange(yaw_deg=(60.0, 66.0), pitch_deg=(39.0, 46.0))
"""Between these a face fades into its cover: farther on hardly any mesh fits. In meshes a head in
profile is turned by little more than 60 degrees."""

GAIN_STEPS = 128
"""Steps of 8 bit gain between 0 and 1."""


@dataclass
class _TrackState:
    """What is smoothed or reused from frame to frame, one per track."""

    identity: str
    condition: Condition
    teeth: U8
    irises: Irises
    light: LightFollower = field(default_factory=LightFollower)
    sharpness: SharpnessMatcher = field(default_factory=SharpnessMatcher)


class WarpAnonymiser:
    """Warps the portrait of each subject's identity onto the subject's face."""

    needs_mesh = True

    def __init__(self, teeth: U8 | None = None) -> None:
        """Create one; ``teeth`` is a mouth texture for identities that show no teeth."""
        self._states: PerTrack[_TrackState] = PerTrack()
        self._teeth = teeth
        self._portraits: dict[str, U8] = {}

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch per subject; None if the face is small, turned away or has no mesh."""
        patches = [self._replace_one(scene, subject) for subject in scene.subjects]
        self._states.forget(scene)
        return patches

    def _replace_one(self, scene: Scene, subject: Subject) -> Patch | None:
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not is_replaceable(mesh):
            return None
        track_id = subject.track.id
        if track_id not in self._states or self._states[track_id].identity != identity.name:
            self._states[track_id] = self._new_state(scene.frame, mesh, identity)
        state = self._states[track_id]
        yaw, pitch, _ = lm.head_pose(mesh.points)
        faded = POSES.beyond(yaw, pitch)
        if faded == 1:
            return None
        space = FaceSpace.around(mesh.points)
        region = FaceRegion.of(scene.frame.picture, space)
        if region is None:
            return None
        if state.light.has_jumped(region.source[region.middle], scene.frame.time_s):
            lit = self._new_state(scene.frame, mesh, identity)
            state.condition, state.irises = lit.condition, lit.irises
        patch = _draw(region, space, state, subject, scene.frame.time_s, yaw)
        cover = mosaic(scene.frame.picture, subject.track.cover) if faded else None
        return faded_into(patch, cover, faded) if cover else patch

    def _new_state(self, frame: Frame, mesh: Mesh, identity: Identity) -> _TrackState:
        """Return a state whose portrait is as saturated as the person's skin."""
        saturation = colourfulness(frame.picture, mesh, identity)
        points = inset_oval(identity.mesh.points[:, :2])
        if identity.name not in self._portraits:
            self._portraits[identity.name] = bare_portrait(identity)
        eyes = Irises.of(saturated(identity.portrait, saturation), identity.mesh.points)
        return _TrackState(
            identity.name,
            Condition(self._portraits[identity.name], points, saturation),
            mouth.texture_or_default(identity, self._teeth),
            eyes,
        )


def _draw(
    region: FaceRegion,
    space: FaceSpace,
    state: _TrackState,
    subject: Subject,
    time_s: float,
    yaw_deg: float,
) -> Patch:
    """Draw a face and update the state of its track."""
    aside = turned.turned_away(yaw_deg)
    warp = ids, _, lookup = warp_portrait(space, state.condition)
    depth = edge_distance(ids)

    def light_field() -> F32:
        x, y = (np.asarray(part, np.float32) for part in cv2.split(lookup))
        given = state.condition.sample(x, y, RASTER / MARGIN)
        source = into_face_space(region.source, region.to_patch)
        return shading.light_field(space, depth, source, given, subject.in_front)

    light = state.light.follow(light_field, time_s)
    edge = feathered_alpha(depth, space, yaw_deg * (1 - aside))
    if abs(yaw_deg) < turned.FROM_DEG:
        x, y, alpha = region.resampled(lookup, edge)
    else:
        x, y, alpha = turned.resampled(region, space, warp, edge, yaw_deg)
    image = state.sharpness.sampled(state.condition, x, y, region, alpha)
    irises.draw(image, state.irises, space, region.to_patch, state.sharpness.blur_px)
    image = _apply_light(image, region, light)
    lashes.draw(image, space.points, region.to_patch, state.sharpness.blur_px)
    image = state.sharpness.with_grain(image)
    opened, blur_px = mouth.placement(space, subject.mouth), state.sharpness.blur_px
    mouth.draw(image, opened, region.to_patch, state.teeth, blur_px, subject.mouth)
    return replace(region.patch(image, alpha), method="warp")


def _apply_light(image: U8, region: FaceRegion, light: F32) -> U8:
    """Apply a track's gain and bias to the patch."""
    size = region.size
    coarse = (max(2, size[0] // 4), max(2, size[1] // 4))
    shrink = np.array([coarse[0] / size[0], coarse[1] / size[1]])
    to_coarse = region.to_patch * shrink[:, None]
    to_coarse[:, :2] *= RASTER / shading.LIGHT_SIZE
    gain, lift, drop = (
        _upscaled(part, to_coarse, coarse, size)
        for part in (
            light[:, :, :3] * GAIN_STEPS,
            np.maximum(light[:, :, 3:], 0),
            np.maximum(-light[:, :, 3:], 0),
        )
    )
    lit = cv2.multiply(image, gain, scale=1 / GAIN_STEPS)
    return np.asarray(cv2.subtract(cv2.add(lit, lift), drop), np.uint8)


def _upscaled(part: F32, to_coarse: F32, coarse: tuple[int, int], size: tuple[int, int]) -> U8:
    """Scale a low-frequency field to the patch, in 8 bits: its steps are invisible."""
    placed = cv2.warpAffine(
        np.rint(part).astype(np.uint8),
        to_coarse,
        coarse,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.resize(placed, size, interpolation=cv2.INTER_LINEAR), np.uint8)
