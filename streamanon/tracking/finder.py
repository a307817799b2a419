"""Finds faces in one picture: anywhere, or near where one is expected."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from streamanon.errors import ModelError
from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import centre, iou, is_sane, side, touches
from streamanon.imaging.picture import clip_box, shrink
from streamanon.tracking.tracker import likeness
from streamanon.types import ColourSpace, Face, Mesh, Picture

if TYPE_CHECKING:
    from streamanon.protocols import Detector, Mesher
    from streamanon.types import F32

PRESENCE = 0.5
"""Least presence at which a mesh is believed (MediaPipe's own default)."""

FOLLOW_PRESENCE = 0.7
"""The same for a mesh that alone says a face is there, without the detector."""

LEAST_MESH_PX = 28.0
"""Side of the smallest face a mesh is fitted to; smaller ones are only covered."""

SEARCH_SIDES = 3.0
"""Side of the region searched around an expected face, in face sides."""

SEARCH_FACE_PX = 80
"""Side to which an expected face is scaled for the search."""

AGREEMENT = 0.25
"""Least overlap (IoU) of a mesh with the box it was fitted for."""

_BGR = ColourSpace("rgb", full_range=True, chroma_shift=(0, 0))


class Finder:
    """The detector and the mesh network, with their answers checked."""

    def __init__(self, detector: Detector, mesher: Mesher | None) -> None:
        """Create one; without a mesher faces have no mesh.

        Attributes:
            meshes: whether faces get a mesh at present; costs nothing while they do not.
            mesh_failures: times the mesh network failed.
        """
        self._detector, self._mesher = detector, mesher
        self.meshes = True
        self.mesh_failures = 0

    def everywhere(self, picture: Picture) -> list[Face]:
        """Return every face of a picture.

        Raises:
            ModelError: the detector answered nonsense.
        """
        faces = self._detector.detect(picture)
        limit_px = 3 * max(picture.width, picture.height)
        for face in faces:
            if not is_sane(face.box, limit_px):
                raise ModelError(f"the detector answered a face at {face.box.tolist()} px")
        return [face for face in faces if touches(face.box, picture.width, picture.height)]

    def near(self, picture: Picture, expected: Face) -> Face | None:
        """Return the face at or close to an expected one, or None; a closer look than everywhere.

        Args:
            picture: a whole frame.
            expected: where it should be; its mesh, if it has one, tells where to fit the next.
        """
        found = self._near_by_detector(picture, expected.box)
        if found is None:
            return self._by_mesh(picture, expected)
        return replace(found, mesh=self.mesh(picture, found, expected.mesh))

    def _by_mesh(self, picture: Picture, expected: Face) -> Face | None:
        """Return the face that the mesh of an expected one still fits, or None; no detector."""
        if expected.mesh is None:
            return None
        mesh = self._fit(picture, _moved(expected.mesh, expected.box), FOLLOW_PRESENCE)
        if mesh is None:
            return None
        box = lm.face_box_from_mesh(mesh.points)
        if iou(box, expected.box) < AGREEMENT:
            return None
        return Face(box, mesh.presence, lm.five_points(mesh.points), mesh)

    def mesh(self, picture: Picture, face: Face, before: Mesh | None) -> Mesh | None:
        """Fit the mesh to a face.

        Args:
            picture: a whole frame.
            face: as the detector sees it.
            before: the same face's mesh in the frame before, if there is one.

        Returns:
            The mesh, or None when it is not to be believed.
        """
        if not self.meshes or side(face.box) < LEAST_MESH_PX:
            return None
        if before is not None:
            mesh = self._fit(picture, _moved(before, face.box), PRESENCE)
            if mesh is not None and iou(lm.face_box_from_mesh(mesh.points), face.box) > AGREEMENT:
                return mesh
        if face.points is None:
            return None
        mesh = self._fit(picture, lm.roi_from_points(face.points), PRESENCE)
        if mesh is None or iou(lm.face_box_from_mesh(mesh.points), face.box) < AGREEMENT:
            return None
        return mesh

    def _fit(self, picture: Picture, roi: F32, presence: float) -> Mesh | None:
        """Return a finite mesh that the network itself believes, or None."""
        if self._mesher is None or not self.meshes or not np.isfinite(roi).all():
            return None
        try:
            mesh = self._mesher.fit(picture, roi)
        except Exception:  # noqa: BLE001  whatever it was: this face is covered instead
            self.mesh_failures += 1
            return None
        return mesh if mesh.presence >= presence and np.isfinite(mesh.points).all() else None

    def _near_by_detector(self, picture: Picture, expected: F32) -> Face | None:
        """Return the best face in an enlarged region around a box."""
        half = np.float32(SEARCH_SIDES / 2 * side(expected))
        middle = centre(expected)
        x0, y0, x1, y1 = clipped = clip_box(
            picture, np.concatenate([middle - half, middle + half]).astype(np.float32)
        )
        if x1 - x0 < 8 or y1 - y0 < 8:
            return None
        scale = SEARCH_FACE_PX / side(expected)
        size = (max(8, round((x1 - x0) * scale)), max(8, round((y1 - y0) * scale)))
        crop = shrink(picture, clipped, size)
        faces = self._detector.detect(
            Picture(tuple(np.ascontiguousarray(crop.transpose(2, 0, 1))), _BGR)
        )
        to_frame = np.array([(x1 - x0) / size[0], (y1 - y0) / size[1]], np.float32)
        origin = np.array([x0, y0], np.float32)
        found = [_mapped(face, to_frame, origin) for face in faces]
        found = [
            face
            for face in found
            if np.isfinite(face.box).all() and likeness(expected, face.box) > 0
        ]
        return max(found, key=lambda face: face.score, default=None)


def _moved(mesh: Mesh, box: F32) -> F32:
    """Return the region of a mesh of another frame, moved to a box that is clearly elsewhere."""
    roi = lm.roi_from_mesh(mesh.points)
    away = centre(box) - centre(lm.face_box_from_mesh(mesh.points))
    return roi + away if float(np.hypot(*away)) > 0.15 * side(box) else roi


def _mapped(face: Face, scale: F32, origin: F32) -> Face:
    """Return a face seen in an enlarged region, in frame px; pixel centres stay pixel centres."""
    points = face.points
    if points is not None:
        points = ((points + 0.5) * scale - 0.5 + origin).astype(np.float32)
    box = face.box * np.tile(scale, 2) + np.tile(origin, 2)
    return Face(np.asarray(box, np.float32), face.score, points)
