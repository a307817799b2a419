"""Nothing painted on a face is taken for something in front of it, whatever the network says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.occluded import OccludedAnonymiser
from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.config import Config
from streamanon.detectors.occlusion import OcclusionNetwork
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.imaging.structure import kept_structure
from streamanon.safety.compose import compose
from streamanon.safety.policy import opened
from streamanon.types import OCCLUSION_CLASSES, Frame, Treatment
from testkit.networks import embedder, network
from testkit.painted import magenta_pixels
from testkit.staged import CALM, clip_frames, frame, mesh_of, scene

if TYPE_CHECKING:
    from streamanon.types import F32, U8, Identity, Mesh, Picture

PARTS = {
    "everything": np.s_[:, :],
    "below": np.s_[84:, :],
    "left": np.s_[:, :56],
    "right": np.s_[:, 72:],
    "above": np.s_[:60, :],
}
"""Rows and columns of a face's crop."""


@dataclass
class Liar:
    """A network that sees bare skin, and at times a part of it as something in front."""

    kind: str
    part: str
    lies: bool = False

    def look(self, picture: Picture, corners: F32, _points: F32) -> tuple[U8, F32]:
        classes = np.zeros((len(OCCLUSION_CLASSES), 128, 128), np.float32)
        classes[0] = 1
        if self.lies:
            classes[0][PARTS[self.part]] = 0
            classes[OCCLUSION_CLASSES.index(self.kind)][PARTS[self.part]] = 1
        return crop_square(picture, corners, 128), classes


FINDERS = [
    OcclusionNetwork(network("occlusion.onnx")),
    *(Liar("hand", part) for part in PARTS),
    *(Liar("hair", part) for part in ("everything", "above")),
]


def painted(image: U8, mesh: Mesh, inset_px: int) -> U8:
    """Return a frame whose face is magenta from so far within its outline on."""
    shade = np.zeros(image.shape[:2], np.uint8)
    hull = cv2.convexHull(np.rint(mesh.points[:468, :2]).astype(np.int32))
    cv2.fillConvexPoly(shade, hull, 255)
    image = image.copy()
    image[cv2.erode(shade, np.ones((inset_px,) * 2, np.uint8)) > 0] = (255, 0, 255)
    assert magenta_pixels(image) > 1000
    return image


def pasted(identity: Identity) -> tuple[U8, Mesh]:
    """Return a frame of the clip's size with somebody's portrait in it, and its mesh."""
    size = 360
    scale = size / max(identity.portrait.shape[:2])
    image = np.full_like(frame(CALM), 90)
    small = cv2.resize(identity.portrait, None, fx=scale, fy=scale)
    image[: small.shape[0], 140 : 140 + small.shape[1]] = small
    points = identity.mesh.points * np.float32(scale) + np.array((140, 0, 0), np.float32)
    return image, replace(identity.mesh, points=points)


def _name(finder: OcclusionNetwork | Liar) -> str:
    """Return a name that is the same in every process that runs tests."""
    return str(finder) if isinstance(finder, Liar) else "network"


@pytest.mark.parametrize("finder", FINDERS, ids=_name)
def test_paint_shows_nowhere(finder: OcclusionNetwork | Liar) -> None:
    image, mesh = frame(CALM), mesh_of(CALM)
    other, others_mesh = pasted(load_builtin()[0])
    bare = [(image, mesh, False)] * 10
    shots = [
        *bare,
        *[(painted(image, mesh, 5), mesh, True)] * 5,  # painted all over at once
        *bare,
        *[(painted(image, mesh, 41), mesh, True)] * 5,  # or in the middle only
        *bare,
        *[(painted(other, others_mesh, 5), others_mesh, True)] * 5,  # another face at its place
    ]
    anonymiser = OccludedAnonymiser(PlainAnonymiser("solid"), finder, embedder())
    for index, (shown, its_mesh, lies) in enumerate(shots):
        if isinstance(finder, Liar):
            finder.lies = lies
        shot = scene(shown, its_mesh, load_builtin()[0], 2 * index)
        safe = compose(shot, anonymiser.replace(shot))
        assert safe.treated[0].treatment is Treatment.REPLACED
        assert not lies or magenta_pixels(whole_bgr(safe.picture)) == 0, index


@pytest.mark.parametrize("part", ["below", "left", "right"])
def test_what_only_the_network_sees_in_front_keeps_nothing_but_colours(part: str) -> None:
    image, mesh = frame(CALM).copy(), mesh_of(CALM)
    finder = Liar("thing", part, lies=True)
    blue = np.zeros((128, 128), np.uint8)
    blue[PARTS[part]] = 1
    corners = lm.roi_from_mesh(mesh.points)
    to_frame = np.column_stack([(corners[1:] - corners[0]).T / 128, corners[0]])
    there = cv2.warpAffine(blue, to_frame, image.shape[1::-1]) > 0
    image[there] = image[there][:, ::-1]  # all its structure, in a colour that is not the face's
    shot = scene(image, mesh, load_builtin()[0], 0)
    (patch,) = OccludedAnonymiser(PlainAnonymiser("solid"), finder, embedder()).replace(shot)
    safe = compose(shot, [patch])
    box = shot.subjects[0].track.face.box
    assert whole_bgr(safe.picture)[there].max() > 60  # something is drawn
    assert kept_structure(shot.frame.picture, safe.picture, box) < 0.3


def test_a_hand_stays_in_front_and_is_softened_before_an_audit_takes_it_for_a_face() -> None:
    factory = Factory(Config(method="warp"))
    anonymiser = factory.anonymiser()
    observer = factory.observer(anonymiser, live=True)
    assert isinstance(anonymiser, OccludedAnonymiser)
    kept, open_frames, softened = [], 0, 0
    for index, image in clip_frames(range(36, 168, 3)).items():
        for shot in observer.push(Frame(index, as_picture(image), index, Fraction(1, 24))):
            patches = anonymiser.replace(shot)
            safe = compose(shot, patches)
            ((subject, patch),) = zip(shot.subjects, patches, strict=True)
            kept.append(kept_structure(shot.frame.picture, safe.picture, subject.track.face.box))
            open_frames += bool(patch and opened(patch, subject) is not patch)
            softened += anonymiser._memories[subject.track.id].detail < 1
    assert max(kept) < 0.87
    assert open_frames > 5
    assert 5 < softened < len(kept)
