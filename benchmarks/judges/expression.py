"""What a face does (landmarks, blinks, open mouths, blendshapes, pose) and how well it is kept.

Seen by streamanon's own detector, mesh and blendshape networks. They are not independent of the
methods that place a face by that mesh, which ``warp`` does: what they see there is how well a
face was drawn where the mesh wanted it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8, Face

SMALLEST_FACE_PX = 24
MIN_PRESENCE = 0.5
"""Presence of a mesh that is believed (MediaPipe's own default)."""

RIVAL = 0.5
"""Faces with at least this share of the largest one's width may be the subject of a picture."""

BLINKS = (9, 10)
"""eyeBlinkLeft and eyeBlinkRight among MediaPipe's 52 blendshapes."""

CLOSED = 0.5
"""Mean of both blink coefficients from which on eyes count as closed, or all but. Looked at over
550 photographs: lids meet from 0.6 on, hard squints lie between, and below 0.4 eyes are open."""

OPEN = 0.15
"""Gap between the inner lips, in widths of their length, from which on a mouth counts as open. Over
the same photographs lips are seen apart from here on; at 0.1 one in two are."""

MIN_MOTION = 0.02
"""Deviation of a blendshape over the source below which its correlation would be one of noise."""


@dataclass(frozen=True)
class Observation:
    """What is seen of one face.

    Attributes:
        points: (478, 3) float32 mesh, px of the picture.
        presence: probability that it is a face, 0..1.
        blendshapes: (52,) float32, 0..1, in MediaPipe's order.
        yaw: degrees, positive when the face turns to the image's right.
        pitch: degrees, positive when it looks up.
        roll: degrees, positive when it leans clockwise in the image.
    """

    points: F32
    presence: float
    blendshapes: F32
    yaw: float
    pitch: float
    roll: float


@cache
def _detector() -> YuNetDetector:
    backend = OnnxRuntimeBackend(weights.path("yunet.onnx"))
    return YuNetDetector(backend, min_face_px=SMALLEST_FACE_PX)


@cache
def _mesher() -> MeshFitter:
    return MeshFitter(
        OnnxRuntimeBackend(weights.path("face_mesh.onnx")),
        OnnxRuntimeBackend(weights.path("face_blendshapes.onnx")),
    )


def observe(image: U8) -> Observation | None:
    """Return what is seen of the subject of a (h, w, 3) uint8 BGR image, or None without a face.

    The subject is the face nearest the centre among those half as wide as the widest, or more.
    """
    picture = as_picture(image)
    faces = [face for face in _detector().detect(picture) if face.points is not None]
    if not faces:
        return None
    subject = _subject(faces, (picture.width, picture.height))
    assert subject.points is not None
    first = _mesher().fit(picture, lm.roi_from_points(subject.points))
    if first.presence < MIN_PRESENCE:
        return None
    return observe_at(image, first.points)


def observe_at(image: U8, hint: F32) -> Observation | None:
    """Return what is seen of the face near a mesh, or None where there is no face.

    Args:
        image: (h, w, 3) uint8 BGR.
        hint: (478, 2 or 3) px: where it was a frame ago, or is in the original picture.
    """
    mesh = _mesher().fit(as_picture(image), lm.roi_from_mesh(hint), blendshapes=True)
    if mesh.presence < MIN_PRESENCE or mesh.blendshapes is None:
        return None
    return Observation(mesh.points, mesh.presence, mesh.blendshapes, *lm.head_pose(mesh.points))


def _subject(faces: Sequence[Face], size: tuple[int, int]) -> Face:
    widths = [float(face.box[2] - face.box[0]) for face in faces]
    rivals = [face for face, w in zip(faces, widths, strict=True) if w >= RIVAL * max(widths)]
    middle = np.array(size) / 2
    return min(rivals, key=lambda face: np.hypot(*((face.box[:2] + face.box[2:]) / 2 - middle)))


def landmark_error_paper(source: F32, result: F32) -> float:
    """Return AnonyGAN's "Pose" figure between two (478, 2 or 3) meshes.

    The mean over the 136 coordinates of the 68 iBUG points of the absolute difference, divided by
    the mean over x and y of the absolute vector between the outer eye corners of the source (the
    paper's code). The trap: for level eyes that vector is (d, 0) and its mean half the distance d,
    so the figure is twice as large as one normalised by d itself.
    """
    before, after = lm.ibug68(source).astype(np.float64), lm.ibug68(result).astype(np.float64)
    corners = np.abs(before[45] - before[36])
    return float(np.abs(before - after).mean() / corners.mean())


def landmark_error(source: F32, result: F32) -> float:
    """Return the normalised mean error: mean distance of the 68 points over inter-ocular distance.

    The distance is that of the outer eye corners, as in 300-W.
    """
    apart = lm.ibug68(source).astype(np.float64) - lm.ibug68(result)
    return float(np.linalg.norm(apart, axis=1).mean() / lm.inter_ocular_px(source))


def pose_error(source: Observation, result: Observation) -> float:
    """Return the angle in degrees of the rotation between two heads' poses."""
    return float(np.degrees((_rotation(source).inv() * _rotation(result)).magnitude()))


def pose_errors(
    source: Sequence[Observation], result: Sequence[Observation]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the angles in degrees between two heads' poses over time.

    Returns:
        (n,) angles, and (n,) what is left of them without the rotation between both that they have
        on average: a new face of other proportions looks turned by a little, always the same.
    """
    pairs = zip(source, result, strict=True)
    between = Rotation.concatenate([_rotation(a).inv() * _rotation(b) for a, b in pairs])
    moved = between.mean().inv() * between
    return np.degrees(between.magnitude()), np.degrees(moved.magnitude())


def _rotation(seen: Observation) -> Rotation:
    """Return the pose as a rotation, by the convention of :func:`landmarks.head_pose`."""
    return Rotation.from_euler("xyz", [-seen.pitch, -seen.yaw, seen.roll], degrees=True)


def gaze(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return where irises are between the corners of their eyes, of (n, 478, 3) meshes.

    Returns:
        (2, n, 2) of the right and the left eye, across and down, in widths of the eye.
    """
    flat = points[:, :, :2].astype(np.float64)
    found = []
    for first, second, iris in (
        (lm.RIGHT_EYE_OUTER, lm.RIGHT_EYE_INNER, lm.RIGHT_IRIS_CENTRE),
        (lm.LEFT_EYE_INNER, lm.LEFT_EYE_OUTER, lm.LEFT_IRIS_CENTRE),
    ):
        across = flat[:, second] - flat[:, first]
        down = np.stack([-across[:, 1], across[:, 0]], axis=1)
        away = flat[:, iris] - (flat[:, first] + flat[:, second]) / 2
        square = np.maximum((across**2).sum(axis=1), 1e-6)
        found.append(
            np.stack([(away * axis).sum(axis=1) / square for axis in (across, down)], axis=1)
        )
    return np.stack(found)


def mouth_gap(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (n,) the gap between the inner lips of (n, 478, 3) meshes, in widths of the mouth."""
    flat = points[:, :, :2].astype(np.float64)
    width = np.linalg.norm(flat[:, 78] - flat[:, 308], axis=1)
    return np.asarray(
        np.linalg.norm(flat[:, 13] - flat[:, 14], axis=1) / np.maximum(width, 1e-6), np.float64
    )


def following(source: ArrayLike, result: ArrayLike) -> float | None:
    """Return Pearson's correlation over time of (..., n), its mean; None where nothing moves."""
    series = np.asarray(source, np.float64), np.asarray(result, np.float64)
    found = [
        float(np.corrcoef(before, after)[0, 1]) if after.std() > 1e-9 else 0.0
        for before, after in zip(*(np.atleast_2d(part) for part in series), strict=True)
        if before.std() >= MIN_MOTION
    ]
    return float(np.mean(found)) if found else None


def eyes_closed(seen: Observation) -> bool:
    """Return whether both eyes are closed."""
    return float(seen.blendshapes[list(BLINKS)].mean()) >= CLOSED


def mouth_open(seen: Observation) -> bool:
    """Return whether the lips are apart."""
    return float(mouth_gap(seen.points[None])[0]) >= OPEN


@dataclass(frozen=True)
class Agreement:
    """How well a yes-or-no is kept.

    Attributes:
        agreement: share of pictures in which source and result say the same.
        recall: share of the source's yes that the result says too; None where it never says yes.
        n: pictures.
        positives: number of pictures in which the source says yes.
    """

    agreement: float
    recall: float | None
    n: int
    positives: int


def agreement(source: ArrayLike, result: ArrayLike) -> Agreement:
    """Compare (n,) yes-or-no of the source with that of the result.

    Raises:
        ValueError: there is nothing to compare.
    """
    before, after = np.asarray(source, np.bool_), np.asarray(result, np.bool_)
    if before.size == 0 or before.shape != after.shape:
        raise ValueError(f"cannot compare {before.size} answers with {after.size}")
    positives = int(before.sum())
    recall = float(after[before].mean()) if positives else None
    return Agreement(float((before == after).mean()), recall, before.size, positives)


def blendshape_correlations(source: ArrayLike, result: ArrayLike) -> NDArray[np.float64]:
    """Return Pearson's correlation of each blendshape that moves in the source.

    One that moves in the source and stands still in the result counts 0.

    Args:
        source: (n, 52) over pictures or frames.
        result: (n, 52) of the same after anonymisation.

    Returns:
        (k,) in -1..1, k of the 52; empty when nothing moves. The mean is the figure.
    """
    before, after = np.asarray(source, np.float64), np.asarray(result, np.float64)
    before, after = before - before.mean(axis=0), after - after.mean(axis=0)
    moves = np.sqrt((before**2).mean(axis=0)) >= MIN_MOTION
    shared = (before * after).mean(axis=0)[moves]
    spread = np.sqrt((before**2).mean(axis=0) * (after**2).mean(axis=0))[moves]
    shares = np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 1e-9)
    return np.asarray(shares, np.float64)
