"""A photograph of another person over the face, completed and lit by the AnonyGAN network.

The network sees the frame around the face, the landmarks, and the portrait already moved into
place (:mod:`streamanon.face.network_input`); the source's pixels inside the face are blanked inside
the network. It says how to light the portrait, where to trust it, and paints what it cannot show.
What it makes is checked now and then; a face it cannot be trusted with goes to another anonymiser.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import exp
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.errors import ModelError
from streamanon.face import landmarks as lm
from streamanon.face import lashes, mouth
from streamanon.face.drawing import Canvas, Focus, in_box
from streamanon.face.network_input import AlignedFace, Placement, chained, network_inputs
from streamanon.face.warp import depth_inside, soft_edge
from streamanon.imaging.picture import as_picture
from streamanon.safety.policy import PoseRange, can_carry
from streamanon.tracking.per_track import PerTrack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.anonymisers.network import Arrays, FaceNetwork, Known
    from streamanon.face.network_output import Painted, Wash
    from streamanon.protocols import Anonymiser, Mesher
    from streamanon.types import F32, U8, Patch, Picture, Scene, Subject

POSES = PoseRange(yaw_deg=(32.0, 36.0), pitch_deg=(24.0, 28.0))
"""Heads turned farther were less than one in a hundred in training."""

LIGHT_TAU_S = 0.4
"""Time constant with which gain and bias follow the network."""

ATTENTION_TAU_S = 0.08
"""The same for attention."""

MOVED_PX = 1.0
"""The network is asked again when a landmark has moved this far in its crop of 128 px ..."""

ASK_WITHIN_S = 0.2
"""... or after this long. Until then its last answer fits, for the crop moves with the face."""

ORGANS_SOFT_PX = 1.5
"""Standard deviation, in px of the crop, with which open eyes and mouths go over into paint."""

CHECK_EVERY = 24
"""Frames between two looks at what is shown: is it a face, its features in place?"""

LEAST_PORTRAIT = 0.25
"""Mean attention over the face below which hardly anything of the portrait is left."""

LEAST_PRESENCE = 0.5
"""Presence of the mesh fitted to the result, below which it is no face."""

MOST_DISPLACED = 0.12
"""Mean distance of the result's landmarks from the source's, in distances between the eyes."""


@dataclass
class _Answer:
    """What the network made of a face, and of which."""

    painted: Painted
    nodes: F32
    time_s: float

    def fits(self, nodes: F32, time_s: float) -> bool:
        """Return whether it would answer much the same again."""
        moved = np.abs(nodes - self.nodes).max() >= MOVED_PX
        return not moved and abs(time_s - self.time_s) < ASK_WITHIN_S


@dataclass
class _Look:
    """What must not jump from frame to frame: one a track."""

    identity: str
    focus: Focus = field(default_factory=Focus)
    answer: _Answer | None = None
    shown: Painted | None = None
    time_s: float = 0.0
    frames: int = 0
    turned: bool = False
    fault: str = ""

    @property
    def check_due(self) -> bool:
        """Whether what is made of this frame is looked at."""
        return self.frames % CHECK_EVERY == 1

    def follow(self, painted: Painted, time_s: float) -> Painted:
        """Return what is to be shown of what was painted, and remember it."""
        if self.shown is not None:
            since_s = abs(time_s - self.time_s)
            light, attention = (1 - exp(-since_s / tau) for tau in (LIGHT_TAU_S, ATTENTION_TAU_S))
            painted = painted.following(self.shown, light, attention)
        self.shown, self.time_s = painted, time_s
        return painted

    def distrust(self, why: str) -> str:
        """Forget what was painted, and return why."""
        self.answer = self.shown = None
        return why


@dataclass
class _Sitting:
    """One face of one frame, ready for the network."""

    face: AlignedFace
    known: Known
    placement: Placement
    canvas: Canvas
    look: _Look
    yaw_deg: float

    def still_answered(self, time_s: float) -> bool:
        """Return whether the network's last answer still fits."""
        answer = self.look.answer
        return answer is not None and answer.fits(self.face.nodes, time_s)

    @cached_property
    def inputs(self) -> Arrays:
        """What the network is shown."""
        return network_inputs(self.face, self.known.aligned, self.placement) | self.known.arrays

    @property
    def warped(self) -> U8:
        """(128, 128, 3) uint8 BGR: the portrait moved into place, as the network sees it."""
        return np.asarray(self.inputs["warped"], np.uint8)

    def finished(self, painted: Painted) -> Painted:
        """Return what was painted with the portrait's eyes and mouth: they are sharper."""
        maps = np.asarray(self.inputs["maps"], np.uint8)
        organs = cv2.max(maps[:, :, 1], maps[:, :, 2]) > 0
        kept = cv2.GaussianBlur(organs.astype(np.float32), (0, 0), ORGANS_SOFT_PX)
        return replace(painted, attention=np.maximum(painted.attention, np.asarray(kept)))

    def draw(self, wash: Wash) -> Patch:
        """Draw a result at the frame's resolution."""
        canvas, placement, known = self.canvas, self.placement, self.known
        depth = depth_inside(placement.ids)
        edge = soft_edge(depth, placement.space, self.yaw_deg)
        alpha = canvas.spread(edge, border=cv2.BORDER_CONSTANT)
        lookup = cv2.transform(placement.lookup, known.aligned.face.to_frame)
        image = known.portrait.sample(canvas.spread(np.asarray(lookup, np.float32)), canvas.face_px)
        image = self.look.focus.softened(image, canvas, alpha)
        mouth.fill(image, placement.mouth, canvas.to_patch, known.aligned.teeth)
        to_patch = in_box(self.face.to_frame, canvas.box)
        image = wash.placed(to_patch, canvas.size).over(image)
        lashes.draw(image, placement.space.points, canvas.to_patch, self.look.focus.blur_px)
        return canvas.patch(self.look.focus.grained(image), alpha)


class AnonyganAnonymiser:
    """Paints the identity of each subject onto the subject's face."""

    needs_mesh = True

    def __init__(self, network: FaceNetwork, checker: Mesher, fallback: Anonymiser) -> None:
        """Create one with no memory.

        Args:
            network: what paints.
            checker: fits meshes to results; called by the thread that replaces.
            fallback: hides the faces the network cannot be trusted with.
        """
        self._network, self._checker, self._fallback = network, checker, fallback
        self._looks: PerTrack[_Look] = PerTrack()

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return one patch a subject; None where the fallback has none either."""
        sittings = [self._sit(scene.frame.picture, subject) for subject in scene.subjects]
        made = self._paint(sittings, scene.frame.time_s)
        self._looks.forget(scene)
        return self._with_fallback(scene, made)

    def _sit(self, picture: Picture, subject: Subject) -> _Sitting | str:
        """Prepare a face for the network, or say why it cannot be."""
        mesh, identity = subject.track.face.mesh, subject.identity
        if mesh is None or identity is None or not can_carry(mesh):
            return "there is no face that can be painted"
        track_id = subject.track.id
        if track_id not in self._looks or self._looks[track_id].identity != identity.name:
            self._looks[track_id] = _Look(identity.name)
        look = self._looks[track_id]
        yaw, pitch, _ = lm.head_pose(mesh.points)
        look.turned = POSES.left(yaw, pitch, before=look.turned)
        if look.turned:
            return "the head is turned farther than the network has learnt"
        look.frames += 1
        if look.fault and not look.check_due:
            return look.fault
        known = self._network.know(identity)
        face = AlignedFace.of(picture, mesh.points)
        placement = Placement.of(face, known.aligned)
        to_frame = chained(face.to_frame, placement.space.to_frame)
        canvas = Canvas.under(picture, replace(placement.space, to_frame=to_frame))
        if canvas is None:
            return "the face is outside the picture"
        return _Sitting(face, known, placement, canvas, look, yaw)

    def _paint(self, sittings: Sequence[_Sitting | str], time_s: float) -> list[Patch | str]:
        """Draw what the network makes of all faces of a frame; it is asked once."""
        ready = [one for one in sittings if not isinstance(one, str)]
        asked = [one for one in ready if not one.still_answered(time_s)]
        try:
            answers = self._network.paint([one.inputs for one in asked])
        except ModelError as error:
            why = f"the network failed: {error}"
            return [one if isinstance(one, str) else why for one in sittings]
        for one, painted in zip(asked, answers, strict=True):
            one.look.answer = _Answer(one.finished(painted), one.face.nodes, time_s)
        return [one if isinstance(one, str) else self._finish(one, time_s) for one in sittings]

    def _finish(self, sitting: _Sitting, time_s: float) -> Patch | str:
        """Draw what was painted, or say why it cannot be trusted."""
        look = sitting.look
        assert look.answer is not None
        if not look.answer.painted.finite:
            return look.distrust("the network gave numbers that are not finite")
        painted = look.follow(look.answer.painted, time_s)
        wash = painted.wash()
        if look.check_due:
            look.fault = self._fault(sitting, painted, wash)
        if look.fault:
            return look.distrust(look.fault)
        return sitting.draw(wash)

    def _fault(self, sitting: _Sitting, painted: Painted, wash: Wash) -> str:
        """Look at a result and return why it cannot be trusted, or "" when it can."""
        hole = np.ascontiguousarray(sitting.inputs["maps"][:, :, 0])
        if cv2.mean(painted.attention, hole)[0] < LEAST_PORTRAIT:
            return "the network leaves too little of the portrait"
        face, edge = sitting.face, sitting.placement.edge(sitting.yaw_deg)
        shown = face.wearing(wash.over(sitting.warped), edge)
        mesh = self._checker.fit(as_picture(shown), lm.roi_from_mesh(face.points))
        if mesh.presence < LEAST_PRESENCE:
            return "what the network painted is not recognised as a face"
        if face.displacement(mesh.points) > MOST_DISPLACED:
            return "what the network painted has its features out of place"
        return ""

    def _with_fallback(self, scene: Scene, made: Sequence[Patch | str]) -> list[Patch | None]:
        """Let the fallback hide whom the network does not."""
        patches = [None if isinstance(one, str) else one for one in made]
        why = {at: one for at, one in enumerate(made) if isinstance(one, str)}
        if why:
            left = replace(scene, subjects=tuple(scene.subjects[at] for at in why))
            for at, patch in zip(why, self._fallback.replace(left), strict=True):
                reason = f"the portrait alone is shown: {why[at]}"
                patches[at] = replace(patch, reason=reason) if patch else None
        return patches
