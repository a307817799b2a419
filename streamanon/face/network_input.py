"""The network's input arrays for one face, the same in the product and in training.

A face is cut out of its frame as an upright square, the *crop*, with the eyes always at the same
height and the whole face inside. The condition's portrait is cut the same way, once, and warped
onto the source with :mod:`streamanon.face.warp`. "Crop px" are pixels of either crop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import irises, mouth
from streamanon.face import landmarks as lm
from streamanon.face import maps as face_maps
from streamanon.face.irises import Irises, without_irises
from streamanon.face.warp import (
    RASTER,
    SKIN_POINTS,
    Condition,
    FaceSpace,
    edge_distance,
    feathered_alpha,
    inset_oval,
    upright_rotation,
    warp_portrait,
)
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8, Identity, MouthInside, Picture

CROP = 128
"""Side of the crop in px."""

EYES_DOWN = 44.0
"""Distance of the middle between the eyes from the top of the crop, in px."""

EYE_DISTANCE = 40.0
"""Distance between the centres of the eyes in the crop, in px."""

EYES_TO_MOUTH, EYES_TO_CHIN = 0.9, 0.5
"""Least eye distance that a distance from the eyes to the mouth, and to the chin, implies, as a
share of it: a turned head brings the eyes together, and an open mouth must not leave the crop."""

GRID = 32
"""Side of the grid on which the condition's features are looked up."""

NODES = 70
"""Landmarks of the network's graph: 68 of iBUG, then the centres of the right and left iris."""

HOLE_GROWTH = 3.0
"""Distance by which the hole exceeds the outline of the face, in crop px."""

VISIBLE_STRETCH = 128
"""Stretch, 0..255, above which skin counts as visible and towards the complexion."""

_RASTER_PX = np.dstack(np.meshgrid(*[np.arange(RASTER, dtype=np.float32)] * 2))

BACKGROUND_GREY = 128
"""Grey level of the warped portrait beside the face."""

CONVENTION: dict[str, str | float] = {
    "landmarks": "iBUG 68 of the MediaPipe mesh, right iris, left iris; px of the crop",
    "side_px": CROP,
    "eyes_down_px": EYES_DOWN,
    "eye_distance_px": EYE_DISTANCE,
    "eyes_to_mouth": EYES_TO_MOUTH,
    "eyes_to_chin": EYES_TO_CHIN,
    "hole_growth_px": HOLE_GROWTH,
    "beside": BACKGROUND_GREY,
}
"""Conventions that a network must have been trained with; stored in its model card."""


@dataclass(frozen=True)
class AlignedFace:
    """One face in its crop.

    Attributes:
        image: (128, 128, 3) uint8 BGR crop.
        points: (478, 3) float32 mesh in crop px.
        to_frame: (2, 3) float32 affine from crop px to frame px.
    """

    image: U8
    points: F32
    to_frame: F32

    @classmethod
    def of(cls, picture: Picture, mesh_points: F32) -> AlignedFace:
        """Cut the face with this (478, 3) mesh out of a picture."""
        to_frame = crop_to_frame(mesh_points)
        ends = np.array([[0, 0, 1], [CROP, 0, 1], [0, CROP, 1]], np.float32)
        image = crop_square(picture, ends @ to_frame.T, CROP)
        return cls(image, transformed(mesh_points, inverse_affine(to_frame)), to_frame)

    def displacement(self, mesh_points: F32) -> float:
        """Return the mean distance of a (478, 3) mesh in crop px, in eye distances."""
        away = lm.ibug68(mesh_points) - lm.ibug68(self.points)
        return float(np.hypot(*away.T).mean()) / EYE_DISTANCE

    def blended(self, result: U8, alpha: F32) -> U8:
        """Return the crop with a (128, 128, 3) uint8 BGR result blended in, by opacity 0..1."""
        return np.asarray(cv2.blendLinear(result, self.image, alpha, 1 - alpha), np.uint8)

    @property
    def nodes(self) -> F32:
        """(70, 2) float32 landmarks in crop px."""
        irises = self.points[[lm.RIGHT_IRIS_CENTRE, lm.LEFT_IRIS_CENTRE], :2]
        return np.concatenate([lm.ibug68(self.points), irises]).astype(np.float32)


@dataclass(frozen=True)
class AlignedCondition:
    """A condition identity as the network sees it, made once per identity.

    Attributes:
        face: crop of the portrait.
        teeth: (h, w, 3) uint8 mouth texture, drawn into an open mouth.
        irises: drawn into open eyes.
    """

    face: AlignedFace
    teeth: U8
    irises: Irises

    @classmethod
    def of(cls, identity: Identity, portrait: U8, default_teeth: U8 | None) -> AlignedCondition:
        """Cut an identity out of its portrait; the default is for those that show no teeth."""
        face = AlignedFace.of(as_picture(portrait), identity.mesh.points)
        teeth = mouth.texture_or_default(identity, default_teeth)
        return cls(face, teeth, Irises.of(identity.portrait, identity.mesh.points))

    @classmethod
    def of_crop(cls, face: AlignedFace, teeth: U8) -> AlignedCondition:
        """Take the irises out of a crop of somebody else; teeth are drawn into an open mouth."""
        bare = AlignedFace(without_irises(face.image, face.points), face.points, face.to_frame)
        return cls(bare, teeth, Irises.of(face.image, face.points))

    @cached_property
    def condition(self) -> Condition:
        """Crop, ready to be warped."""
        return Condition(self.face.image, inset_oval(self.face.points[:, :2]))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return ``condition``, (128, 128, 3) BGR, and ``condition_points``, (70, 2) px."""
        return {"condition": self.face.image, "condition_points": self.face.nodes}


@dataclass(frozen=True)
class ConditionWarp:
    """The warp of the condition's crop onto the source's face, in face space.

    Attributes:
        space: face space of the source; its "frame" is the source's crop.
        ids: (RASTER, RASTER) int32 triangles, see :func:`warp_portrait`.
        affines: (6, n + 1) float32 from face space to the condition's crop.
        lookup: (RASTER, RASTER, 2) float32 condition crop px; 0 beside the face.
        condition: the condition that is warped.
        inside: what the person shows in their mouth, None where that is not known.
    """

    space: FaceSpace
    ids: NDArray[np.int32]
    affines: F32
    lookup: F32
    condition: AlignedCondition
    inside: MouthInside | None = None

    @classmethod
    def of(
        cls, face: AlignedFace, condition: AlignedCondition, inside: MouthInside | None = None
    ) -> ConditionWarp:
        """Compute the warp of a condition onto a face."""
        space = FaceSpace.around(face.points)
        return cls(space, *warp_portrait(space, condition.condition), condition, inside)

    @cached_property
    def depth(self) -> F32:
        """(RASTER, RASTER) float32 distance from the face's edge in px."""
        return edge_distance(self.ids)

    @cached_property
    def field(self) -> F32:
        """(RASTER, RASTER, 4) float32, 0 beside the face: shift x, y, coverage, stretch.

        The shift is from the source's crop to the condition's, in crop px. The stretch of a
        triangle is the smaller singular value of its affine, negative where it is mirrored.
        """
        at = cv2.transform(_RASTER_PX, self.space.to_frame)
        covered = np.asarray(self.ids > 0, np.float32)
        x, y = cv2.split(cv2.subtract(self.lookup, at))
        xx, xy, _, yx, yy, _ = self.affines / self.space.scale_px
        least = (np.hypot(xx + yy, yx - xy) - np.hypot(xx - yy, xy + yx)) / 2
        stretch = np.take(np.clip(least, 0, 1), self.ids.astype(np.intp), mode="clip")
        parts = [cv2.multiply(x, covered), cv2.multiply(y, covered), covered, stretch]
        return np.asarray(cv2.merge(parts), np.float32)

    @cached_property
    def placed(self) -> F32:
        """(128, 128, 4) float32: the field in the source's crop."""
        return np.asarray(cv2.warpAffine(self.field, self.space.to_frame, (CROP, CROP)), np.float32)

    @cached_property
    def portrait(self) -> U8:
        """(128, 128, 3) uint8 BGR: the condition on the source's face, BACKGROUND_GREY elsewhere.

        In an open mouth it has the mouth texture.
        """
        x, y, coverage, _ = cv2.split(self.placed)
        share = cv2.max(coverage, 0.5)  # type: ignore[call-overload]
        grid = np.arange(CROP, dtype=np.float32)
        x, y = cv2.divide(x, share) + grid, cv2.divide(y, share) + grid[:, None]
        image, border = self.condition.face.image, cv2.BORDER_REPLICATE
        warped = np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=border), np.uint8)
        irises.draw(warped, self.condition.irises, self.space, self.space.to_frame, 0)
        mouth.draw(warped, self.mouth, self.space.to_frame, self.condition.teeth)
        covered = np.asarray(coverage >= 0.5, np.uint8)
        beside = np.full_like(warped, BACKGROUND_GREY)
        return np.asarray(cv2.copyTo(warped, covered, beside), np.uint8)

    @cached_property
    def mouth(self) -> mouth.MouthPlacement | None:
        """Where the mouth texture is drawn, or None while the mouth is closed."""
        return mouth.placement(self.space, self.inside)

    def alpha(self, yaw_deg: float) -> F32:
        """Return (128, 128) float32 in 0..1: the opacity with which a result replaces the crop.

        Args:
            yaw_deg: yaw of the source's face.
        """
        edge = feathered_alpha(self.depth, self.space, yaw_deg)
        return np.asarray(cv2.warpAffine(edge, self.space.to_frame, (CROP, CROP)), np.float32)


def crop_to_frame(mesh_points: F32) -> F32:
    """Return the (2, 3) float32 similarity from crop px to the frame px of a (478, 3) mesh.

    Horizontally the middle of the mesh is centred, not the eyes: in a turned head they lie to one
    side.
    """
    flat = mesh_points[:, :2].astype(np.float64)
    turn = upright_rotation(flat)
    five = lm.five_points(mesh_points)
    eyes = five[:2].mean(axis=0)
    distances = (
        float(np.hypot(*(five[1] - five[0]))),
        EYES_TO_MOUTH * float(np.hypot(*(five[3:].mean(axis=0) - eyes))),
        EYES_TO_CHIN * float(np.hypot(*(flat[lm.CHIN] - eyes))),
    )
    linear = turn.T * max(max(distances) / EYE_DISTANCE, 1e-6)
    across = flat[:SKIN_POINTS] @ turn[0]
    middle = turn.T @ np.array([(across.min() + across.max()) / 2, turn[1] @ eyes])
    at = np.array([(CROP - 1) / 2, EYES_DOWN])
    return np.column_stack([linear, middle - linear @ at]).astype(np.float32)


def inverse_affine(affine: F32) -> F32:
    """Return the inverse of a (2, 3) affine map."""
    return np.asarray(cv2.invertAffineTransform(affine), np.float32)


def affine_product(second: F32, first: F32) -> F32:
    """Return the (2, 3) affine that applies the first, then the second."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]]).astype(np.float32)


def transformed(points: F32, similarity: F32) -> F32:
    """Return (n, 3) float32 points transformed by a (2, 3) similarity, depth scaled with it."""
    flat = points[:, :2] @ similarity[:, :2].T + similarity[:, 2]
    scale = float(np.hypot(similarity[0, 0], similarity[1, 0]))
    return np.column_stack([flat, points[:, 2] * scale]).astype(np.float32)


def network_inputs(
    face: AlignedFace, condition: AlignedCondition, warp: ConditionWarp | None = None
) -> dict[str, NDArray[Any]]:
    """Return the live network's inputs for one face, without the batch axis.

    Returns:
        ``context`` (128, 128, 3) uint8 BGR, the raw crop;
        ``maps`` (128, 128, 4) uint8: hole (255 inside), eyes (255 opening, 128 iris), mouth
        interior (255), and stretch (0 facing away or beside the face .. 255 at least as large in
        the condition);
        ``warped`` (128, 128, 3) uint8 BGR: the condition warped onto the source's face,
        BACKGROUND_GREY elsewhere;
        ``complexion`` (3,) float32: mean BGR of the source's skin that is visible in both, 0..255,
        the only input that depends on what the hole hides;
        ``points`` (70, 2) float32 crop px; ``lookup`` (32, 32, 2) float32 condition crop px for the
        centre of each cell of the source's crop.
    """
    warp = warp or ConditionWarp.of(face, condition)
    share = cv2.extractChannel(warp.placed, 3)
    stretch = np.asarray(cv2.convertScaleAbs(share, alpha=255), np.uint8)
    drawn = (
        face_maps.hole(face.points, CROP, HOLE_GROWTH),
        face_maps.eyes(face.points, CROP),
        face_maps.mouth_interior(face.points, CROP),
    )
    skin = (stretch > VISIBLE_STRETCH) & (cv2.max(drawn[1], drawn[2]) == 0)
    return {
        "context": face.image,
        "maps": np.asarray(cv2.merge([*drawn, stretch]), np.uint8),
        "warped": warp.portrait,
        "complexion": np.array(cv2.mean(face.image, skin.astype(np.uint8))[:3], np.float32),
        "points": face.nodes,
        "lookup": _grid_lookup(warp.field, warp.space.to_frame),
    }


def _grid_lookup(field: F32, to_crop: F32) -> F32:
    """Return (32, 32, 2) float32 condition crop px; beside the face, the nearest shift applies."""
    cell = CROP / GRID
    to_grid = to_crop / np.float32(cell)
    to_grid[:, 2] -= (cell - 1) / (2 * cell)
    placed = np.asarray(cv2.warpAffine(field, to_grid, (GRID, GRID)), np.float32)
    beside = np.asarray(placed[:, :, 2] < 0.5, np.uint8)
    shift = placed[:, :, :2] / np.maximum(placed[:, :, 2:3], 0.5)
    if not beside.all():
        kind = cv2.DIST_LABEL_PIXEL
        _, nearest = cv2.distanceTransformWithLabels(beside, cv2.DIST_L2, 5, labelType=kind)
        shifts = np.zeros((int(nearest.max()) + 1, 2), np.float32)
        shifts[nearest[beside == 0]] = shift[beside == 0]
        shift = shifts[nearest]
    at = np.arange(GRID, dtype=np.float32) * cell + (cell - 1) / 2
    return np.asarray(shift + np.dstack(np.meshgrid(at, at)), np.float32)
