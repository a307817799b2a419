"""Finds faces in one picture: all of them, or the one near an expected position."""

from dataclasses import replace
from typing import cast

import numpy as np

from streamanon.errors import ModelError
from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import centre, iou, is_plausible, side, touches
from streamanon.imaging.picture import as_picture, clip_box, shrink
from streamanon.protocols import Detector, Mesher
from streamanon.tracking.tracker import DETECTED_SCORE, match_score
from streamanon.types import F32, Face, Mesh, Picture, Plane

PRESENCE = 0.5
"""Least presence of a mesh that is accepted (MediaPipe's own default)."""

FOLLOW_PRESENCE = 0.7
"""The same where only the mesh indicates a face and the detector does not."""

MIN_MESH_PX = 28.0
"""Side of the smallest face that gets a mesh; smaller ones are only covered."""

SEARCH_SIDES = 3.0
"""Side of the region searched around an expected face, in sides of the face."""

SEARCH_FACE_PX = 80
"""Side to which an expected face is scaled for the search."""

_EDGE_PARTS = 4
"""One of so many parts of a panorama, at either edge, is searched for faces that are cut by it."""

CONTINUED, AGREEMENT, FOLLOW_AGREEMENT = 0.65, 0.5, 0.25
"""Least overlap (IoU) of a mesh with the box of its face: fitted where the face was before (below
it, the mesh is fitted where the detector saw it), where it was detected, and without a detection.

On twelve clips the first is 0.69 and more. A mesh that begins where a smaller face was before a cut
may end up on half of a face, with a presence of 1.
"""

SETTLED, SURE = 0.04, 0.012
"""Most by which a mesh moves when it is fitted once more where it lies, on average, in sides of the
face; and by how much at the second fit where that is the last and the only direction.

Where points of the detector say too little, of turned heads above all, only later fits are good. On
hair, and on faces taken for upright that are not, fits go on wandering, whatever their presence.
"""

TIGHT = 0.85
"""Side of the second region in which a known face is fitted, in sides of the first: of faces that
look down, and beside shadows, it finds more."""

CLEAR_SCORE, AGREED = 0.7, 0.16
"""Detector score from which its five points tell where the features of a face are, and the farthest
that those of a mesh may be from them, in sides of the face.

Of 400 meshes that fit upright nine in ten are closer, of 1,600 turned by quarters none is closer
than 0.3. The presence of one mesh after the other of a face in profile, or that looks down, is at
random near 0 or 1, while the points stay: such a mesh is believed where they agree.
"""

CARRIED = 0.8
"""Least overlap (IoU) of two boxes of a face, laid upon each other, with which its mesh is carried
from one to the other."""

SMALL_PX, STILL = 64.0, 0.05
"""Side of a face below which a mesh that is a little old is not seen to be, and the farthest that
the five points of one that keeps its pose move against each other, in sides of the face."""

UPRIGHT, MIN_TURNED_PX = 0.7, 48.0
"""Least presence of a first fit in a region turned by quarters, and the side of the smallest face
for which these are tried."""


class Finder:
    """The detector and the mesh network, with their results checked."""

    def __init__(self, detector: Detector, mesher: Mesher | None) -> None:
        """Create one; without a mesher it finds boxes only."""
        self._detector, self._mesher = detector, mesher
        self.meshes = True
        self.mesh_failures = 0

    def find_all(self, picture: Picture) -> list[Face]:
        """Return all faces of a picture.

        Raises:
            ModelError: the detector returned an impossible box.
        """
        faces = self._detector.detect(picture)
        if picture.wraps:
            faces = [*faces, *self._across_the_edge(picture)]
        limit_px = 3 * max(picture.width, picture.height)
        for face in faces:
            if not is_plausible(face.box, limit_px):
                raise ModelError(f"the detector answered a face at {face.box.tolist()} px")
        return [face for face in faces if touches(face.box, picture.width, picture.height)]

    def _across_the_edge(self, picture: Picture) -> list[Face]:
        """Return faces that begin at the right edge of a panorama and go on at the left one.

        Each is two, one for either edge, without points: they are covered.
        """
        reach, width = picture.width // (2 * _EDGE_PARTS) * 2, picture.width
        shift, _ = picture.colour.chroma_shift
        joined: list[Plane] = []
        for index, plane in enumerate(picture.planes):
            part = reach >> (shift if index else 0)
            joined.append(cast("Plane", np.hstack([plane[:, -part:], plane[:, :part]])))
        found = self._detector.detect(Picture(tuple(joined), picture.colour))
        return [
            Face(face.box + np.array([moved, 0, moved, 0], np.float32), face.score)
            for face in found
            if face.box[0] < reach < face.box[2]
            for moved in (width - reach, -reach)
        ]

    def find_near(self, picture: Picture, expected: Face) -> Face | None:
        """Return the face at or close to an expected one, or None; more sensitive than find_all.

        It has a mesh where the expected one has and it fits.
        """
        found = self._detect_near(picture, expected.box)
        if found is None:
            return self._follow_mesh(picture, expected)
        if expected.mesh is None:
            return found
        return replace(found, mesh=self.fit_mesh(picture, found, expected.mesh, upright=True))

    def _follow_mesh(self, picture: Picture, expected: Face) -> Face | None:
        """Return the face to which the mesh of an expected one can be fitted, or None."""
        if expected.mesh is None:
            return None
        mesh = self._fit(picture, _moved_roi(expected.mesh, expected.box), FOLLOW_PRESENCE)
        if mesh is None:
            return None
        box = lm.face_box_from_mesh(mesh.points)
        if iou(box, expected.box) < FOLLOW_AGREEMENT:
            return None
        return Face(box, mesh.presence, lm.five_points(mesh.points), mesh)

    def fit_mesh(
        self, picture: Picture, face: Face, before: Mesh | None, *, upright: bool = False
    ) -> Mesh | None:
        """Return the mesh of a face, or None when none fits well enough.

        Args:
            picture: frame.
            face: the face as it was detected.
            before: mesh of the same face in a frame close by.
            upright: whether other directions are only tried for a face that may be upright; never
                for one that had a mesh before.
        """
        if not self.meshes or side(face.box) < MIN_MESH_PX:
            return None
        if before is not None:
            mesh = self._continued(picture, face, before)
            if mesh is not None:
                return mesh
        if face.points is None:
            return None
        ways = 1 if side(face.box) < MIN_TURNED_PX or before is not None else 4
        found: list[tuple[float, Mesh]] = []
        for turns in range(ways):
            roi = lm.turned_roi(lm.roi_from_points(face.points), turns)
            one = self._settled(picture, roi, face.box, UPRIGHT if turns else 0.0)
            found += [one] if one else []
            if turns == 0 and (one[0] < SURE if one else upright):
                break
        return min(found, key=lambda one: one[0])[1] if found else None

    def _continued(self, picture: Picture, face: Face, before: Mesh) -> Mesh | None:
        """Return the mesh of a face that had one before; of little presence where points agree."""
        rois = [_moved_roi(before, face.box)]
        if face.points is not None and face.score >= CLEAR_SCORE:
            nearby = (rois[0], lm.roi_from_points(face.points))
            rois += [lm.scaled_roi(roi, TIGHT) for roi in nearby]
        agreeing = []
        for roi in rois:
            mesh = self._fit(picture, roi, 0.0)
            if mesh is None or iou(lm.face_box_from_mesh(mesh.points), face.box) <= CONTINUED:
                continue
            agrees = _agrees(mesh, face)
            if mesh.presence >= PRESENCE and (agrees or roi is rois[0]):
                return mesh
            agreeing += [mesh] if agrees else []
        return max(agreeing, key=lambda mesh: mesh.presence, default=None)

    def _settled(
        self, picture: Picture, roi: F32, box: F32, presence: float
    ) -> tuple[float, Mesh] | None:
        """Return a mesh fitted until it stays, and by how much it still moved; or None.

        Args:
            picture: frame.
            roi: (3, 2) region in which the face is upright, if it is.
            box: (4,) box of the face.
            presence: least presence of the first fit.
        """
        first = self._fit(picture, roi, presence)
        if first is None or iou(lm.face_box_from_mesh(first.points), box) < AGREEMENT:
            return None
        mesh, moved = first, np.inf
        for _ in range(3):
            again = self._fit(picture, lm.roi_from_mesh(mesh.points), PRESENCE)
            if again is None:
                return None
            sooner, moved, mesh = mesh, _apart(mesh, again) / side(box), again
            if sooner is first and moved < SURE:
                break
        agrees = iou(lm.face_box_from_mesh(mesh.points), box) >= AGREEMENT
        return (moved, mesh) if agrees and moved < SETTLED else None

    def _fit(self, picture: Picture, roi: F32, presence: float) -> Mesh | None:
        """Return a finite mesh with at least this presence, or None."""
        if self._mesher is None or not self.meshes or not np.isfinite(roi).all():
            return None
        try:
            mesh = self._mesher.fit(picture, roi)
        except Exception:  # noqa: BLE001  any failure: the face is covered
            self.mesh_failures += 1
            return None
        return mesh if mesh.presence >= presence and np.isfinite(mesh.points).all() else None

    def _detect_near(self, picture: Picture, expected: F32) -> Face | None:
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
        faces = self._detector.detect(as_picture(shrink(picture, clipped, size)))
        to_frame = np.array([(x1 - x0) / size[0], (y1 - y0) / size[1]], np.float32)
        origin = np.array([x0, y0], np.float32)
        found = [_mapped(face, to_frame, origin) for face in faces]
        found = [
            face
            for face in found
            if face.score >= DETECTED_SCORE
            and np.isfinite(face.box).all()
            and match_score(expected, face.box) > 0
        ]
        return max(found, key=lambda face: face.score, default=None)


def _moved_roi(mesh: Mesh, box: F32) -> F32:
    """Return the region of interest of an older mesh, moved if the face has clearly moved."""
    roi = lm.roi_from_mesh(mesh.points)
    away = centre(box) - centre(lm.face_box_from_mesh(mesh.points))
    return roi + away if float(np.hypot(*away)) > 0.15 * side(box) else roi


def carried(before: Face, face: Face) -> Mesh | None:
    """Return a mesh that nothing fits to any more, moved along with its face.

    None where the detector is not sure of the face, or where it may have turned.

    Args:
        before: the face as it was detected when the last one was fitted, with that.
        face: the face now.
    """
    away = centre(face.box) - centre(before.box)
    same_size = iou(before.box + np.tile(away, 2), face.box) >= CARRIED
    if before.mesh is None or face.score < CLEAR_SCORE or not same_size:
        return None
    points = before.mesh.points.copy()
    points[:, :2] += away
    return Mesh(points, 0.0)


def has_kept_still(before: Face, face: Face) -> bool:
    """Tell whether a small face keeps its pose since it had a mesh, by the detector's points."""
    if before.mesh is None or not _agrees(before.mesh, before) or side(face.box) >= SMALL_PX:
        return False
    if before.points is None or face.points is None:
        return False
    moved = face.points - before.points
    return float(np.linalg.norm(moved - moved.mean(axis=0), axis=1).max()) < STILL * side(face.box)


def _mapped(face: Face, scale: F32, origin: F32) -> Face:
    """Return a face of a scaled region in frame px; pixel centres map to pixel centres."""
    points = face.points
    if points is not None:
        points = ((points + 0.5) * scale - 0.5 + origin).astype(np.float32)
    box = face.box * np.tile(scale, 2) + np.tile(origin, 2)
    return Face(np.asarray(box, np.float32), face.score, points)


def _agrees(mesh: Mesh, face: Face) -> bool:
    """Tell whether a mesh has its features where the detector clearly saw those of the face."""
    if face.points is None or face.score < CLEAR_SCORE:
        return False
    away = np.linalg.norm(lm.five_points(mesh.points) - face.points, axis=1)
    return float(away.max()) < AGREED * side(face.box)


def _apart(one: Mesh, two: Mesh) -> float:
    """Return how many px the points of two meshes are apart on average."""
    return float(np.linalg.norm((one.points - two.points)[:, :2], axis=1).mean())
