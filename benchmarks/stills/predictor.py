"""Landmarks by dlib's own predictor: a second opinion that no method places faces by.

``warp`` draws a face where MediaPipe's mesh wants it, so the mesh flatters it. The paper's tables
come from FAN, whose weights no package carries; its code has a variant with this predictor, which
was trained on 300-W. It starts from a box of dlib's HOG detector: a still in which that finds no
face at the place of the original's is left out, as the paper does.
"""

import dlib
import numpy as np

from benchmarks.judges.detectors import DlibHog
from benchmarks.judges.self_check import MOST, SelfCheck, known_faces
from streamanon.detectors.dlib_networks import load_dlib
from streamanon.face.landmarks import face_box_from_mesh, ibug68
from streamanon.types import F32, U8

_FILE = "shape_predictor_68_face_landmarks.dat"
_RIGHT_EYE_OUTER, _LEFT_EYE_OUTER = 36, 45


class Predictor:
    """dlib's 68-point predictor."""

    name = "dlib-68"

    def __init__(self) -> None:
        """Load it.

        Raises:
            UsageError: the package that carries it is not installed.
        """
        _, folder = load_dlib(f"{self.name} needs packages that are missing")
        self._predict = dlib.shape_predictor(str(folder / _FILE))

    def __call__(self, image: U8, boxes: F32, around: F32) -> F32:
        """Return the landmarks of one face.

        Args:
            image: (h, w, 3) uint8 BGR.
            boxes: (n, 5) float32 that dlib's detector found in it, best first.
            around: (478, 2 or 3) mesh of the original; the box's middle must lie in its own.

        Returns:
            (68, 2) float32 px in iBUG order; (0, 2) where there is no such box.
        """
        at_face = np.flatnonzero(lie_in_face(boxes, around))
        if at_face.size == 0:
            return np.empty((0, 2), np.float32)
        left, top, right, bottom = np.rint(boxes[at_face[0], :4]).astype(int).tolist()
        rectangle = dlib.rectangle(left, top, right - 1, bottom - 1)
        found = self._predict(np.ascontiguousarray(image[:, :, ::-1]), rectangle)
        return np.array([(point.x, point.y) for point in found.parts()], np.float32)


def lie_in_face(boxes: F32, points: F32) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Tell for each of (n, 5) boxes whether its middle lies in the box of a mesh."""
    x0, y0, x1, y1 = face_box_from_mesh(points)
    middles = (boxes[:, :2] + boxes[:, 2:4]) / 2
    inside = (middles >= (x0, y0)) & (middles <= (x1, y1))
    return np.asarray(inside.all(axis=1), np.bool_)


def error_paper(before: F32, after: F32) -> float:
    """Return the paper's "Pose" between (68, 2) landmarks.

    Normalised as in :func:`benchmarks.judges.expression.landmark_error_paper`.
    """
    corners = np.abs(before[_LEFT_EYE_OUTER] - before[_RIGHT_EYE_OUTER])
    return float(np.abs(before - after).mean() / corners.mean())


def error(before: F32, after: F32) -> float:
    """Return the mean distance of (68, 2) landmarks over that of the outer eye corners."""
    apart = np.linalg.norm(before - after, axis=1).mean()
    return float(apart / np.linalg.norm(before[_LEFT_EYE_OUTER] - before[_RIGHT_EYE_OUTER]))


def check(predictor: Predictor) -> SelfCheck:
    """Check that landmarks lie where known faces have them."""
    detector = DlibHog()
    right = 0
    for face in known_faces():
        found = predictor(face.image, detector(face.image), face.points)
        right += len(found) > 0 and error(ibug68(face.points), found) < 0.15
    if right < MOST * len(known_faces()):
        return SelfCheck(alive=False, reason=f"lies on {right} of {len(known_faces())} known faces")
    return SelfCheck(alive=True)
