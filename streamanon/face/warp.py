"""The condition portrait warped onto the source's face, triangle by triangle.

The 478-point meshes of source and condition share one triangulation. The triangles of the source
are rasterised far to near (painter's algorithm), so that each pixel holds the nearest triangle; the
triangle's affine map gives the position in the portrait to sample. This is done on a small upright
raster (*face space*) and scaled to the frame afterwards: between vertices the map is linear, so
nothing is lost, and the portrait itself is still sampled at the frame's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import log2

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.bare_skin import smooth_skin
from streamanon.face.canonical_face import TRIANGLES
from streamanon.face.lids import portrait_triangles, with_lids_closed
from streamanon.imaging.boxes import bounds
from streamanon.types import F32, U8

RASTER = 160
"""Side of face space in px; the face with a margin fills it."""

MARGIN = 1.08
"""Side of face space over the longer side of the upright face."""

RIM = 0.1
"""Share of the radius by which a portrait's outline is pulled inwards."""

FEATHER = (0.015, 0.12)
"""Distances inside the contour where the portrait's opacity starts and is full, in eye
distances."""

TURN_FEATHER_DEG = 55.0
"""Yaw at which that fade would vanish: the far eye of a turned head lies close to the contour."""

SKIN_POINTS = 468
"""Mesh points on the skin; the rest are irises."""


@dataclass(frozen=True)
class FaceSpace:
    """An upright square around one face.

    Attributes:
        to_frame: (2, 3) float32 affine from face space px to frame px.
        points: (478, 2) float32 mesh in face space px, nearly shut lids closed.
        depth: (478,) float32, larger is farther.
    """

    to_frame: F32
    points: F32
    depth: F32

    @classmethod
    def around(cls, mesh_points: F32) -> FaceSpace:
        """Fit face space to a (478, 3) mesh in frame px."""
        flat = with_lids_closed(mesh_points[:, :2].astype(np.float64))
        turn = upright_rotation(flat)
        upright = flat @ turn.T
        low, high = bounds(upright[:SKIN_POINTS])
        side = max(float((high - low).max()) * MARGIN, 1.0)
        scale = RASTER / side
        corner = (low + high - side) / 2
        to_frame = np.column_stack([turn.T / scale, turn.T @ corner])
        return cls(
            to_frame.astype(np.float32),
            ((upright - corner) * scale).astype(np.float32),
            mesh_points[:, 2].astype(np.float32),
        )

    @property
    def scale_px(self) -> float:
        """Frame px per px of face space."""
        return float(np.hypot(self.to_frame[0, 0], self.to_frame[1, 0]))

    @property
    def height_px(self) -> float:
        """Height of the face in px of face space."""
        return float(np.hypot(*(self.points[lm.CHIN] - self.points[lm.FOREHEAD])))

    @property
    def eye_distance(self) -> float:
        """Distance between the outer eye corners in face space px, at least a third of the raster.

        In profile the corners come together; feathers and blurs must not shrink with them.
        """
        across = self.points[lm.LEFT_EYE_OUTER] - self.points[lm.RIGHT_EYE_OUTER]
        return max(float(np.hypot(*across)), RASTER / 3)


@dataclass(frozen=True)
class Condition:
    """A portrait with its mesh, ready to be sampled at any size.

    Attributes:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 2) float32 mesh in portrait px.
        saturation: factor of the portrait's saturation, 0..1.
    """

    portrait: U8
    points: F32
    saturation: float = 1.0

    @cached_property
    def _pyramids(self) -> dict[float, tuple[U8, ...]]:
        return {}

    def pyramid(self, smoothness: float = 0.0) -> tuple[U8, ...]:
        """Return the portrait at scales 1, 1/2, 1/4, ...: a smaller one is sampled without aliases.

        A fourth channel, of no use, halves the time that sampling takes.

        Args:
            smoothness: share of its skin's texture that is left out, 0..1; remembered by value.
        """
        if smoothness not in self._pyramids:
            image = smooth_skin(self.portrait, self.points, smoothness)
            image = np.asarray(saturated(image, self.saturation), np.uint8)
            images = [np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), np.uint8)]
            while min(images[-1].shape[:2]) > 64:
                images.append(np.asarray(cv2.pyrDown(images[-1]), np.uint8))
            self._pyramids[smoothness] = tuple(images)
        return self._pyramids[smoothness]

    @cached_property
    def size_px(self) -> float:
        """Height of the face in the portrait in px."""
        return float(np.hypot(*(self.points[lm.CHIN] - self.points[lm.FOREHEAD])))

    def sample(self, x: F32, y: F32, face_px: float, smoothness: float = 0.0) -> U8:
        """Return (h, w, 3) uint8 BGR: the portrait at the px wanted.

        Args:
            x: (h, w) float32 portrait px for each output pixel.
            y: the same of its row.
            face_px: height of the face in the output in px; picks the pyramid level.
            smoothness: see :meth:`pyramid`.
        """
        pyramid = self.pyramid(smoothness)
        level = min(int(log2(max(self.size_px / max(face_px, 1.0), 1.0))), 6)
        level = min(level, len(pyramid) - 1)
        if level:
            share = 0.5**level
            x, y = (
                np.asarray(cv2.addWeighted(part, share, part, 0, (share - 1) / 2), np.float32)
                for part in (x, y)
            )
        found = sample_at(pyramid[level], x, y)
        return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGRA2BGR), np.uint8)


def upright_rotation(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 2) rotation that makes the face of (478, 2) points upright."""
    across = points[lm.LEFT_EYE_OUTER] - points[lm.RIGHT_EYE_OUTER]
    down = points[lm.CHIN] - points[lm.FOREHEAD]
    # In profile the line between the eyes is short and noisy: the face's axis is averaged in.
    axis = across + np.array([down[1], -down[0]])
    cosine, sine = axis / max(float(np.hypot(*axis)), 1e-6)
    return np.array([[cosine, sine], [-sine, cosine]])


def inset_oval(points: F32) -> F32:
    """Pull the outline of a portrait's (478, 2) mesh inwards, off hair, ears and background.

    A turned head shows much of one cheek, which stretches what the portrait holds at its outline.
    """
    inset = points.copy()
    oval = list(lm.FACE_OVAL)
    inset[oval] += RIM * (points[oval].mean(axis=0) - points[oval])
    return inset


def saturated(image: U8, saturation: float) -> U8:
    """Scale the saturation of a BGR image; 0 makes it grey."""
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    return np.asarray(cv2.addWeighted(image, saturation, grey, 1 - saturation, 0), np.uint8)


def sample_at(image: U8, x: F32, y: F32) -> U8:
    """Return (h, w, c) uint8: the image sampled at (h, w) float32 columns and rows of its px."""
    found = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.uint8)


def draw_triangles(space: FaceSpace, points: F32, ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """Draw the triangles that face the camera, far to near, as their index plus 1.

    Args:
        space: face space, which knows what is nearer.
        points: (478, 2) mesh in px of what is drawn on.
        ids: (h, w) int32, drawn on in place, and returned.
    """
    corner, first, second = space.points.take(TRIANGLES.T, axis=0)
    edge, other = first - corner, second - corner
    facing = edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0] < 0
    order = np.argsort(-sum(space.depth.take(TRIANGLES.T)))
    order = order[facing[order]]
    fixed = np.rint(points * 16).astype(np.int32).take(TRIANGLES[order], axis=0)
    for triangle, number in zip(fixed, (order + 1).tolist(), strict=True):
        cv2.fillConvexPoly(ids, triangle, number, cv2.LINE_8, 4)
    return ids


def rasterise_triangles(space: FaceSpace) -> NDArray[np.int32]:
    """Return (RASTER, RASTER) int32: index of the nearest triangle plus 1, 0 beside the face."""
    return draw_triangles(space, space.points, np.zeros((RASTER, RASTER), np.int32))


def triangle_affines(space: FaceSpace, condition: Condition) -> F32:
    """Return the affine map of each triangle of the source to the portrait's.

    Returns:
        (6, n + 1) float32: rows xx, xy, x0, yx, yy, y0 of the affines from face space px to
        portrait px; column 0, for pixels beside the face, is 0.
    """
    source = space.points.astype(np.float64).T.take(TRIANGLES.T, axis=1)
    target = portrait_triangles(condition.points, space.points).astype(np.float64)
    x, y = source[:, 0]
    (x1, y1), (x2, y2) = (source[:, corner] - source[:, 0] for corner in (1, 2))
    area = x1 * y2 - x2 * y1
    area = np.where(np.abs(area) < 1e-6, 1e-6, area)
    maps = np.zeros((6, len(TRIANGLES) + 1), np.float32)
    for axis, (start, *ends) in enumerate(target.transpose(2, 1, 0)):
        first, second = ((end - start) / area for end in ends)
        across, down = first * y2 - second * y1, second * x1 - first * x2
        maps[3 * axis : 3 * axis + 3, 1:] = across, down, start - across * x - down * y
    return maps


def lookup_map(affines: F32, ids: NDArray[np.int32], portrait: U8) -> F32:
    """Return (RASTER, RASTER, 2) float32: the position in the portrait of each pixel of the face.

    Pixels beside the face map to a corner of the portrait; a patch is transparent there.

    Args:
        affines: affines of the triangles (:func:`triangle_affines`).
        ids: rasterised triangles (:func:`rasterise_triangles`).
        portrait: (h, w, 3) portrait; positions are clipped to it.
    """
    columns = np.arange(RASTER, dtype=np.float32)
    rows = columns[:, None]
    found = np.take(affines, ids.astype(np.intp), axis=1, mode="clip")
    ends = []
    for first, side in ((0, portrait.shape[1]), (3, portrait.shape[0])):
        place = found[first] * columns
        place += found[first + 1] * rows
        place += found[first + 2]
        ends.append(np.clip(place, 0, side - 1, out=place))
    return np.asarray(cv2.merge(ends), np.float32)


def warp_portrait(space: FaceSpace, condition: Condition) -> tuple[NDArray[np.int32], F32, F32]:
    """Compute the warp of a portrait onto a face.

    Returns:
        The rasterised triangles (:func:`rasterise_triangles`), their affines
        (:func:`triangle_affines`), and the position in the portrait of each pixel
        (:func:`lookup_map`).
    """
    ids = rasterise_triangles(space)
    affines = triangle_affines(space, condition)
    lookup = lookup_map(affines, ids, condition.portrait)
    return ids, affines, lookup


def into_face_space(image: U8, to_image: F32) -> U8:
    """Return (RASTER, RASTER, 3) uint8: what an image shows in face space.

    Args:
        image: (h, w, 3) uint8 BGR.
        to_image: (2, 3) float32 affine from face space px to px of the image.
    """
    seen = cv2.warpAffine(
        image,
        to_image,
        (RASTER, RASTER),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(seen, np.uint8)


def edge_distance(ids: NDArray[np.int32]) -> F32:
    """Return (RASTER, RASTER) float32: distance of each pixel of a face from its edge, in px."""
    inside = np.asarray(ids > 0, np.uint8)
    inside[[0, -1]] = inside[:, [0, -1]] = 0
    return np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 3), np.float32)


def feathered_alpha(depth: F32, space: FaceSpace, yaw_deg: float) -> F32:
    """Return (RASTER, RASTER) float32 in 0..1: opacity of the portrait, feathered at the edge.

    Args:
        depth: distance of each pixel from the face's edge (:func:`edge_distance`).
        space: face space of the source.
        yaw_deg: yaw of the source's face.
    """
    start, full = (part * space.eye_distance for part in FEATHER)
    full *= 1 - min(abs(yaw_deg) / TURN_FEATHER_DEG, 0.7)
    ramp = np.clip((depth - start) / (full - start), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)
