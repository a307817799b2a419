"""Decides whether a patch hides a face, and whether the position of a face is known.

In order of preference: a realistic face; a mosaic when the replacement is missing or poor; the
whole frame covered when it is not known where a face is.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.types import F32, Mesh, Patch, Picture, Subject

OPAQUE, OPAQUE_SHARE, FAINTEST = 0.9, 0.95, 0.5
"""Least alpha of a patch over most of the features that identify a person, the share of features
that counts as most, and the least alpha over the rest, at the rim of a head turned away."""

MOST_IN_FRONT = 0.32
"""Share of a face from which on the frame's own pixels of what hides it are not shown."""

SMALLEST_FACE_PX = (30.0, 36.0)
"""Height down to which a face that was replaced stays so, and of the smallest one that is replaced
anew; below, a mesh is too coarse."""

# The tails of the brows lie in the rim where a patch fades into the frame.
_INNER_BROWS = (105, 66, 107, 55, 65, 52, 334, 296, 336, 285, 295, 282)

_FEATURES = np.array(
    sorted({*lm.RIGHT_EYE, *lm.LEFT_EYE, *_INNER_BROWS, *lm.NOSE, *lm.OUTER_LIPS, *lm.INNER_LIPS})
)
_MIDDLE = np.array(sorted({*lm.NOSE, *lm.OUTER_LIPS, *lm.INNER_LIPS}))


@dataclass(frozen=True)
class PoseRange:
    """Range of head poses, with hysteresis.

    Attributes:
        yaw_deg: yaw below which a head is inside again, and above which it is outside.
        pitch_deg: the same for pitch.
    """

    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]

    def is_outside(self, yaw_deg: float, pitch_deg: float, *, before: bool) -> bool:
        """Tell whether a head is outside, by its angles and whether it was in the frame before."""
        limit = 0 if before else 1
        return abs(yaw_deg) > self.yaw_deg[limit] or abs(pitch_deg) > self.pitch_deg[limit]

    def beyond(self, yaw_deg: float, pitch_deg: float) -> float:
        """Return how far a head has turned from the lower limits to the upper ones, 0..1."""
        angles = (yaw_deg, self.yaw_deg), (pitch_deg, self.pitch_deg)
        far = max((abs(angle) - low) / (high - low) for angle, (low, high) in angles)
        return min(max(far, 0.0), 1.0)


def is_replaceable(mesh: Mesh) -> bool:
    """Tell whether a mesh is finite and large enough for its face to be replaced."""
    return bool(np.isfinite(mesh.points).all()) and is_large(mesh, before=True)


def is_large(mesh: Mesh, *, before: bool) -> bool:
    """Tell whether a face is large enough, by its mesh and whether it was in the frame before."""
    height_px = float(np.hypot(*(mesh.points[lm.CHIN, :2] - mesh.points[lm.FOREHEAD, :2])))
    return height_px >= SMALLEST_FACE_PX[0 if before else 1]


def fault_of_cover(subject: Subject) -> str:
    """Return why the position of a subject is not known, or "" when it is."""
    cover = subject.track.cover
    if cover.shape != (4,) or not np.isfinite(cover).all():
        return f"track {subject.track.id} has no finite place"
    if cover[2] <= cover[0] or cover[3] <= cover[1]:
        return f"track {subject.track.id} has an empty place"
    return ""


def why_missing(subject: Subject) -> str:
    """Return the most likely reason why a subject has no patch."""
    if subject.track.unseen_s > 0:
        return "face not seen: its predicted place is covered"
    if subject.track.face.mesh is None:
        return "face too small or too unclear for a mesh"
    if subject.identity is None:
        return "no identity yet, or none left to give"
    return "face turned too far, too small or outside the picture"


def fault_of_patch(
    patch: Patch, subject: Subject, picture: Picture, *, emptied: bool = False
) -> str:
    """Return why a patch cannot be trusted to hide a subject, or "" when it can.

    Args:
        patch: what is to hide the subject.
        subject: whom.
        picture: the frame.
        emptied: whether the patch lies on pixels from which the face's features are gone already:
            then brows and eyes may lie in its rim, and its outline may run along nose and lips.
    """
    image, alpha = patch.image, patch.alpha
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape != (*alpha.shape, 3):
        return f"patch image {image.shape} {image.dtype} does not fit its alpha {alpha.shape}"
    if alpha.dtype != np.float32 or not np.isfinite(alpha).all():
        return "patch alpha is not finite float32"
    points = np.rint(_features(subject, _MIDDLE if emptied else _FEATURES)).astype(np.int64)
    in_frame = (points >= 0).all(axis=1) & (points < (picture.width, picture.height)).all(axis=1)
    points = points[in_frame] - (patch.x, patch.y)
    if len(points) == 0:
        return ""
    if (points < 0).any() or (points >= alpha.shape[::-1]).any():
        return "patch does not reach over the whole face"
    if emptied:
        alpha = np.asarray(cv2.dilate(alpha, np.ones((3, 3), np.uint8)), np.float32)
    over = alpha[points[:, 1], points[:, 0]]
    if over.min() < FAINTEST or (over >= OPAQUE).mean() < OPAQUE_SHARE:
        return "patch lets the face show through"
    return ""


def opened(patch: Patch, subject: Subject) -> Patch:
    """Return a patch that leaves what is in front of the face as it is.

    A pixel of the frame stays only as far as both cues say that it is in front. Where one of them
    is of another size or not finite, or too much of the face would stay, none does.
    """
    occluder, mesh = patch.occluder, subject.track.face.mesh
    if occluder is None or mesh is None:
        return patch
    cues = (occluder.seen, occluder.confirmed)
    if any(cue.shape != patch.alpha.shape or not np.isfinite(cue).all() for cue in cues):
        return patch
    shown = at_most(MOST_IN_FRONT, np.clip(np.minimum(*cues), 0, 1), patch, mesh)
    return replace(patch, alpha=np.asarray(patch.alpha * (1 - shown), np.float32))


def at_most(share: float, shown: F32, patch: Patch, mesh: Mesh) -> F32:
    """Return what is shown in front of a face, or nothing where that is too much of it.

    Args:
        share: of the face, and of the hull of its eyes, nose and mouth, from which on nothing is
            shown; from four fifths of that on it fades.
        shown: (h, w) float32 0..1, how far each pixel of the patch is in front.
        patch: patch of the new face.
        mesh: mesh of the old one.
    """
    for outline in (lm.FACE_OVAL, _FEATURES):
        inside = np.zeros(shown.shape, np.uint8)
        points = np.rint(mesh.points[list(outline), :2]).astype(np.int32) - (patch.x, patch.y)
        cv2.fillConvexPoly(inside, cv2.convexHull(points.astype(np.int32)), 1)
        faded = 5 - 5 * cv2.mean(shown, inside)[0] / share
        shown = shown * np.float32(np.clip(faded, 0, 1))
    return shown


def _features(subject: Subject, wanted: NDArray[np.int64]) -> F32:
    """Return the (n, 2) points in frame px that a patch must hide; wanted are those of a mesh."""
    face = subject.track.face
    if face.mesh is not None:
        return face.mesh.points[wanted, :2]
    x0, y0, x1, y1 = face.box
    steps = np.linspace(-0.7, 0.7, 9, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps), axis=2).reshape(-1, 2)
    grid = grid[np.hypot(grid[:, 0], grid[:, 1]) <= 0.7]
    middle = np.array([x0 + x1, y0 + y1], np.float32) / 2
    spread = np.array([x1 - x0, y1 - y0], np.float32) / 2
    return np.asarray(middle + grid * spread, np.float32)
