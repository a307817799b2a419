"""A photograph of another person over the face, completed and lit by the AnonyGAN network.

The network's input is the frame around the face, the landmarks, and the portrait already warped
into place (:mod:`streamanon.face.network_input`); the source's pixels inside the face are blanked
inside the network. Its output is a light correction for the portrait, an attention map that says
where the portrait is shown, and pixels for the rest. Every CHECK_EVERY frames of a track the result
is checked; faces that fail go to another anonymiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import exp
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.errors import ModelError
from streamanon.face import irises, lashes, maps, mouth, shading
from streamanon.face import landmarks as lm
from streamanon.face.drawing import (
    FaceRegion,
    LightFollower,
    SharpnessMatcher,
    affine_to_box,
)
from streamanon.face.network_input import (
    CROP,
    AlignedFace,
    ConditionWarp,
    affine_product,
    network_inputs,
)
from streamanon.face.warp import feathered_alpha, into_face_space
from streamanon.imaging.picture import as_picture
from streamanon.protocols import Anonymiser, Mesher
from streamanon.safety.policy import PoseRange, is_replaceable
from streamanon.tracking.per_track import PerTrack
from streamanon.types import F32, U8, Frame, Patch, Scene, Subject

if TYPE_CHECKING:
    from streamanon.anonymisers.network import Arrays, FaceNetwork, PreparedIdentity
    from streamanon.face.network_output import ColourTransform, GeneratorOutput

POSES = PoseRange(yaw_deg=(32.0, 36.0), pitch_deg=(24.0, 28.0))
"""Heads turned farther were less than one in a hundred in training."""

ATTENTION_TAU_S = 0.08
"""Time constant with which attention follows the network; light: LightFollower."""

REUSE_WITHIN_PX = 2.0
"""The cached output is reused until a landmark moves this far in the 128 px crop ..."""

REUSE_FOR_S = 0.2
"""... or this much time has passed. The crop moves with the face, so the output still fits: on four
clips, pixels differ from those of a network asked for every frame by 0.1 to 0.3 levels on average,
99 % of them by at most 4."""

SPARING = 2.0
"""Factor on both where networks are asked less often (0.1 to 0.8 levels, 99 % of pixels at most 9);
light follows slowly in any case."""

SMALL_PX = 80.0
"""Height of a face in frame px below which the network is asked as seldom: there, steps of a pixel
are more in the crop, and what changes is not seen."""

FEATURES_BLUR_PX = 1.5
"""Standard deviation, in crop px, of the fade between the portrait's eyes and mouth and the rest of
the output."""

PAINT_HUE = 12.0
"""Levels by which the hue of generated pixels may differ from the portrait's: in light of a colour
that was rare in training they turn orange."""

CHECK_EVERY = 24
"""Frames of a track between two checks that the result is a face with its features in place."""

MIDDLE = np.s_[CROP // 4 : -CROP // 4, CROP // 4 : -CROP // 4]
"""The face without its outline, in its crop."""

MIN_ATTENTION = 0.25
"""Mean attention over the face below which hardly anything of the portrait is left."""

MIN_PRESENCE = 0.5
"""Presence of the mesh fitted to the result below which the result counts as no face."""

MAX_DISPLACEMENT = 0.12
"""Mean distance of the result's landmarks from the source's, in distances between the eyes."""


@dataclass
class _CachedOutput:
    """The network's output for a face, with the landmarks and time it was computed for."""

    output: GeneratorOutput
    nodes: F32
    time_s: float

    def fits(self, nodes: F32, time_s: float, patience: float) -> bool:
        """Return whether the face has changed too little to run the network again."""
        moved = np.abs(nodes - self.nodes).max() >= REUSE_WITHIN_PX * patience
        return not moved and abs(time_s - self.time_s) < REUSE_FOR_S * patience


@dataclass
class _TrackState:
    """What is smoothed or reused from frame to frame, one per track."""

    identity: str
    sharpness: SharpnessMatcher = field(default_factory=SharpnessMatcher)
    cached: _CachedOutput | None = None
    smoothed: GeneratorOutput | None = None
    light: LightFollower = field(default_factory=LightFollower)
    time_s: float = 0.0
    frames: int = 0
    turned: bool = False
    fault: str = ""

    @property
    def check_due(self) -> bool:
        """Whether the result for this frame is checked."""
        return self.frames % CHECK_EVERY == 1

    def look(self, source: U8, time_s: float) -> None:
        """Look at the light of the next frame's face; where it jumped, the result is checked."""
        self.frames += 1
        if self.light.has_jumped(source, time_s):
            self.frames = 1
        if not self.light.is_steady:
            self.cached = None

    def smooth(self, output: GeneratorOutput, time_s: float) -> GeneratorOutput:
        """Return an output smoothed over time, and remember it."""
        if self.smoothed is not None:
            since_s = abs(time_s - self.time_s)
            light, attention = (
                1 - exp(-since_s / tau_s) for tau_s in (self.light.tau_s, ATTENTION_TAU_S)
            )
            output = output.smoothed(self.smoothed, light, attention)
        self.smoothed, self.time_s = output, time_s
        return output

    def reset(self, reason: str) -> str:
        """Forget earlier outputs, and return the reason."""
        self.cached = self.smoothed = None
        self.light = LightFollower()
        return reason


@dataclass
class _PreparedFace:
    """One face of one frame, ready for the network."""

    face: AlignedFace
    identity: PreparedIdentity
    warp: ConditionWarp
    region: FaceRegion
    state: _TrackState
    yaw_deg: float
    in_front: F32 | None = None

    def cached(self, time_s: float, patience: float) -> bool:
        """Return whether the network's last output still fits."""
        cached = self.state.cached
        patience = patience if self.region.face_px >= SMALL_PX else SPARING
        return cached is not None and cached.fits(self.face.nodes, time_s, patience)

    @cached_property
    def inputs(self) -> Arrays:
        """The network's inputs."""
        return network_inputs(self.face, self.identity.aligned, self.warp) | self.identity.arrays

    def with_features(self, output: GeneratorOutput) -> GeneratorOutput:
        """Return an output that keeps the portrait's eyes and mouth: they are sharper."""
        features = maps.features(self.face.points, CROP).astype(np.float32) / 255
        kept = cv2.GaussianBlur(features, (0, 0), FEATURES_BLUR_PX)
        attention = np.asarray(cv2.max(output.attention, kept), np.float32)
        return replace(output.with_hues_of(self.warp.portrait, PAINT_HUE), attention=attention)

    def light_field(self, transform: ColourTransform) -> F32:
        """Return what the network's result still lacks of the frame's light and contrast."""
        space = self.warp.space
        source, given = (
            into_face_space(image, space.to_frame)
            for image in (self.face.image, transform.apply(self.warp.portrait))
        )
        return shading.light_field(space, self.warp.depth, source, given, self.in_front)

    def crop(self, transform: ColourTransform) -> U8:
        """Return the result in its crop, (128, 128, 3) uint8 BGR."""
        return self.face.blended(transform.apply(self.warp.portrait), self.warp.alpha(self.yaw_deg))

    def draw(self, transform: ColourTransform) -> Patch:
        """Draw the result at the frame's resolution."""
        region, warp, identity = self.region, self.warp, self.identity
        sharpness = self.state.sharpness
        edge = feathered_alpha(warp.depth, warp.space, self.yaw_deg)
        lookup = cv2.transform(warp.lookup, identity.aligned.face.to_frame)
        x, y, alpha = region.resampled(np.asarray(lookup, np.float32), edge)
        image = sharpness.sampled(identity.portrait, x, y, region, alpha)
        blur_px = sharpness.blur_px
        irises.draw(image, identity.aligned.irises, warp.space, region.to_patch, blur_px)
        to_patch = affine_to_box(self.face.to_frame, region.box)
        image = transform.resampled(to_patch, region.size).apply(image)
        teeth = identity.aligned.teeth
        mouth.draw(image, warp.mouth, region.to_patch, teeth, blur_px, warp.inside)
        lashes.draw(image, warp.space.points, region.to_patch, blur_px)
        return replace(region.patch(sharpness.with_grain(image), alpha), method="anonygan")


class AnonyganAnonymiser:
    """Draws the identity of each subject onto the subject's face."""

    needs_mesh = True

    def __init__(self, network: FaceNetwork, checker: Mesher, fallback: Anonymiser) -> None:
        """Create one without track states.

        The fallback hides faces that the network cannot; the checker fits meshes to results.
        """
        self._network, self._checker, self._fallback = network, checker, fallback
        self._states: PerTrack[_TrackState] = PerTrack()

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch per subject; None where the fallback returns None."""
        prepared = [self._prepare(scene.frame, subject) for subject in scene.subjects]
        patience = SPARING if scene.sparing else 1.0
        results = self._generate(prepared, scene.frame.time_s, patience)
        self._states.forget(scene)
        return self._with_fallback(scene, results)

    def _prepare(self, frame: Frame, subject: Subject) -> _PreparedFace | str:
        """Prepare a face for the network, or return the reason why it cannot be used."""
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not is_replaceable(mesh):
            return "there is no face that can be painted"
        track_id = subject.track.id
        if track_id not in self._states or self._states[track_id].identity != identity.name:
            self._states[track_id] = _TrackState(identity.name)
        state = self._states[track_id]
        yaw, pitch, _ = lm.head_pose(mesh.points)
        state.turned = POSES.is_outside(yaw, pitch, before=state.turned)
        if state.turned:
            return "the head is turned farther than the network has learnt"
        face = AlignedFace.of(frame.picture, mesh.points)
        state.look(face.image[MIDDLE], frame.time_s)
        if state.fault and not state.check_due:
            return state.fault
        prepared = self._network.prepare(identity)
        warp = ConditionWarp.of(face, prepared.aligned, subject.mouth)
        to_frame = affine_product(face.to_frame, warp.space.to_frame)
        region = FaceRegion.of(frame.picture, replace(warp.space, to_frame=to_frame))
        if region is None:
            return "the face is outside the picture"
        return _PreparedFace(face, prepared, warp, region, state, yaw, subject.in_front)

    def _generate(
        self, prepared: Sequence[_PreparedFace | str], time_s: float, patience: float
    ) -> list[Patch | str]:
        """Draw all faces of a frame, running the network at most once."""
        faces = [one for one in prepared if not isinstance(one, str)]
        changed = [one for one in faces if not one.cached(time_s, patience)]
        try:
            outputs = self._network.generate([one.inputs for one in changed])
        except ModelError as error:
            reason = f"the network failed: {error}"
            return [one if isinstance(one, str) else reason for one in prepared]
        for one, output in zip(changed, outputs, strict=True):
            one.state.cached = _CachedOutput(one.with_features(output), one.face.nodes, time_s)
        return [one if isinstance(one, str) else self._draw(one, time_s) for one in prepared]

    def _draw(self, prepared: _PreparedFace, time_s: float) -> Patch | str:
        """Draw a face from its cached output, or return the reason why it must not be shown."""
        state = prepared.state
        assert state.cached is not None
        if not state.cached.output.finite:
            return state.reset("the network gave numbers that are not finite")
        output = state.smooth(state.cached.output, time_s)
        transform = output.colour_transform()
        if state.check_due:
            state.fault = self._fault(prepared, output, transform)
        if state.fault:
            return state.reset(state.fault)
        light = state.light.follow(lambda: prepared.light_field(transform), time_s)
        return prepared.draw(transform.lit(light, prepared.warp.space.to_frame))

    def _fault(
        self, prepared: _PreparedFace, output: GeneratorOutput, transform: ColourTransform
    ) -> str:
        """Check a result and return what is wrong with it, or ""."""
        hole = np.ascontiguousarray(prepared.inputs["maps"][:, :, 0])
        if cv2.mean(output.attention, hole)[0] < MIN_ATTENTION:
            return "the network leaves too little of the portrait"
        face = prepared.face
        crop = as_picture(prepared.crop(transform))
        mesh = self._checker.fit(crop, lm.roi_from_mesh(face.points))
        if mesh.presence < MIN_PRESENCE:
            return "what the network painted is not recognised as a face"
        if face.displacement(mesh.points) > MAX_DISPLACEMENT:
            return "what the network painted has its features out of place"
        return ""

    def _with_fallback(self, scene: Scene, results: Sequence[Patch | str]) -> list[Patch | None]:
        """Return the patches, with those of the fallback in place of reasons."""
        patches = [None if isinstance(one, str) else one for one in results]
        reasons = {at: one for at, one in enumerate(results) if isinstance(one, str)}
        if reasons:
            rest = replace(scene, subjects=tuple(scene.subjects[at] for at in reasons))
            for at, patch in zip(reasons, self._fallback.replace(rest), strict=True):
                reason = f"the portrait alone is shown: {reasons[at]}"
                patches[at] = replace(patch, reason=reason) if patch else None
        return patches
