"""Landmarks of a face: index tables, other landmark schemes, regions of interest, head pose.

Indices are those of MediaPipe's face mesh (478 points); "right" is the subject's own. Outlines run
closed and in order, starting at the subject's right.
"""

from math import isfinite

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face.canonical_face import POSE_WEIGHTS, VERTICES
from streamanon.imaging.boxes import bounds
from streamanon.types import F32

FOREHEAD = 10
CHIN = 152
NOSE_TIP = 4
RIGHT_EYE_OUTER = 33
RIGHT_EYE_INNER = 133
LEFT_EYE_INNER = 362
LEFT_EYE_OUTER = 263
RIGHT_MOUTH_CORNER = 61
LEFT_MOUTH_CORNER = 291
RIGHT_IRIS_CENTRE = 468
LEFT_IRIS_CENTRE = 473

FACE_OVAL = (
    127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361,
    288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234,
)  # fmt: skip
UPPER_OUTER_LIP = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
LOWER_OUTER_LIP = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
UPPER_INNER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_INNER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
OUTER_LIPS = UPPER_OUTER_LIP + LOWER_OUTER_LIP[-2:0:-1]
INNER_LIPS = UPPER_INNER_LIP + LOWER_INNER_LIP[-2:0:-1]
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382)
RIGHT_LID_CREASE = (247, 30, 29, 27, 28, 56, 190)
RIGHT_BROW_BONE = (113, 225, 224, 223, 222, 221, 189)
LEFT_LID_CREASE = (414, 286, 258, 257, 259, 260, 467)
LEFT_BROW_BONE = (413, 441, 442, 443, 444, 445, 342)
RIGHT_IRIS = (469, 470, 471, 472)
LEFT_IRIS = (474, 475, 476, 477)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (336, 296, 334, 293, 300, 276, 283, 282, 295, 285)
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 97, 326, 327, 48, 64, 294, 278, 45, 275)

IBUG68 = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,
    78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Nearest mesh point of each point of the iBUG 300-W annotation scheme."""

ROI_SCALE = 1.5
"""Side of the mesh network's input region, in lengths of the face's longer side (MediaPipe)."""

POSE_POINTS = POSE_WEIGHTS[:, 0].astype(np.int64)
_POSE_SHARES = POSE_WEIGHTS[:, 1].astype(np.float64) / POSE_WEIGHTS[:, 1].sum()
_POSE_MODEL = VERTICES[POSE_POINTS].astype(np.float64) * (1, -1, -1)
POSE_ORIGIN = _POSE_SHARES @ _POSE_MODEL
"""Weighted middle of the canonical face, in its units."""

_POSE_WEIGHTED = (_POSE_MODEL - POSE_ORIGIN) * _POSE_SHARES[:, None]
_POSE_SPREAD = float(((_POSE_MODEL - POSE_ORIGIN) * _POSE_WEIGHTED).sum())


def ibug68(points: F32) -> F32:
    """Return the (68, 2) iBUG points of (478, 2 or 3) mesh points."""
    return np.asarray(points[IBUG68, :2], np.float32)


def five_points(points: F32) -> F32:
    """Return (5, 2): eye centres, nose tip and mouth corners of (478, 2 or 3) mesh points."""
    eyes = [points[[outer, inner], :2].mean(axis=0) for outer, inner in ((33, 133), (263, 362))]
    rest = points[[NOSE_TIP, RIGHT_MOUTH_CORNER, LEFT_MOUTH_CORNER], :2]
    return np.concatenate([eyes, rest]).astype(np.float32)


def five_points_of_68(points: F32) -> F32:
    """Return (5, 2): eye centres, nose tip and mouth corners of (68, 2) iBUG points."""
    eyes = [points[36:42].mean(axis=0), points[42:48].mean(axis=0)]
    return np.concatenate([eyes, points[[30, 48, 54]]]).astype(np.float32)


def inter_ocular_px(points: F32) -> float:
    """Return the distance of the outer eye corners of (478, 2 or 3) mesh points."""
    return float(np.linalg.norm(points[LEFT_EYE_OUTER, :2] - points[RIGHT_EYE_OUTER, :2]))


def face_box_from_mesh(points: F32) -> F32:
    """Return the (4,) box around (478, 2 or 3) mesh points."""
    return np.concatenate(bounds(points)).astype(np.float32)


def _square(centre: F32, right: F32, side: float) -> F32:
    """Return the (3, 2) corners of a square around a centre; right is its unit x axis."""
    across = right * (side / 2)
    down = np.array([-across[1], across[0]])
    corners = [centre - across - down, centre + across - down, centre - across + down]
    return np.array(corners, np.float32)


def _unit(vector: F32) -> F32:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else np.array([1, 0], np.float32)


def roi_from_points(points: F32) -> F32:
    """Return the (3, 2) region in which to fit a mesh, from a detector's (5, 2) points.

    The eyes give the rotation, as in MediaPipe; size and centre are those that
    :func:`roi_from_mesh` gives on average for the same face.
    """
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across = points[1] - points[0]
    face = 2.5 * max(float(np.linalg.norm(across)), float(np.linalg.norm(mouth - eyes)))
    return _square(eyes + 0.48 * (mouth - eyes), _unit(across), ROI_SCALE * face)


def turned_roi(roi: F32, turns: int) -> F32:
    """Return a (3, 2) region turned by quarters, clockwise, about its middle."""
    corner, right, below = roi
    corners = [corner, right, right + below - corner, below]
    return np.array([corners[turns % 4], corners[(turns + 1) % 4], corners[turns - 1]], np.float32)


def scaled_roi(roi: F32, scale: float) -> F32:
    """Return a (3, 2) region with sides so many times as long, about the same middle."""
    middle = (roi[1] + roi[2]) / 2
    return np.asarray(middle + np.float32(scale) * (roi - middle), np.float32)


def roi_from_mesh(points: F32) -> F32:
    """Return the (3, 2) region in which to fit the next frame's mesh, from this frame's.

    MediaPipe's rule: turned so that the outer eye corners are level, 1.5 times the longer side of
    the box around all points. The box is taken along the turned axes.
    """
    flat = points[:, :2]
    right = _unit(flat[LEFT_EYE_OUTER] - flat[RIGHT_EYE_OUTER])
    axes = np.array([right, [-right[1], right[0]]])
    turned = axes @ flat.T
    low, high = turned.min(axis=1), turned.max(axis=1)
    return _square((low + high) / 2 @ axes, right, ROI_SCALE * float((high - low).max()))


def in_square(points: F32, corners: F32, side_px: int) -> F32:
    """Return (n, 2 or 3) points in frame px as (n, 2) px of a crop with these (3, 2) corners."""
    axes = np.stack([corners[1] - corners[0], corners[2] - corners[0]]) / side_px
    return np.asarray((points[:, :2] - corners[0]) @ np.linalg.inv(axes), np.float32)


def head_pose(points: F32) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) in degrees of (478, 3) mesh points.

    Yaw is positive when the face turns to the image's right, pitch when it looks up, roll when it
    leans clockwise in the image; roll is applied last.
    """
    turn, _, _ = pose_similarity(points)
    yaw = np.arctan2(turn[2, 0], np.hypot(turn[2, 1], turn[2, 2]))
    pitch = np.arctan2(-turn[2, 1], turn[2, 2])
    roll = np.arctan2(turn[1, 0], turn[0, 0])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))


def pose_similarity(points: F32) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """Return how the canonical face lies in a frame, as a similarity of least squares.

    That of MediaPipe's canonical face and weights to the mesh (Umeyama, 1991).

    Args:
        points: (478, 3) mesh.

    Returns:
        (3, 3) rotation, px a canonical unit, and the (3,) weighted middle of the mesh in px.
    """
    seen = points.take(POSE_POINTS, axis=0).astype(np.float64)
    middle = _POSE_SHARES @ seen
    # for so small a matrix OpenCV takes half of the time
    stretch, left, right = map(np.asarray, cv2.SVDecomp((seen - middle).T @ _POSE_WEIGHTED))
    if not isfinite(float(stretch[0, 0])):
        raise np.linalg.LinAlgError("a mesh that is not finite has no pose")
    handed = np.array([1, 1, np.sign(cv2.determinant(left @ right))])
    return left * handed @ right, float(stretch[:, 0] @ handed / _POSE_SPREAD), middle
