"""The colours of a face apart from its shape: its mesh laid out flat.

After T. Cootes et al., "Active Appearance Models", 1998. Eyes, lips and outline of all faces lie in
the same place there, so that sums of faces are faces; sums of pictures are ghosts with four brows.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon import weights
from streamanon.face import surroundings
from streamanon.face.canonical_face import TRIANGLES
from streamanon.face.shape import ShapeModel
from streamanon.face.warp import FaceSpace, draw_triangles, sample_at
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8

TEXTURE_PX, MARGIN_PX = 64, 2.0
"""Side of a texture, and what is left around the face in it."""

OPEN, JAW_OPEN = 0.6, 25
"""How far a texture's mouth is open, and the number of the blendshape that opens it."""

FEATHER_PX = 2.0
"""Width of the rim over which a drawn face goes over into what is around it."""


def _laid_out() -> tuple[F32, NDArray[np.int32]]:
    """Return (478, 2) px of a face's points in a texture, and its triangles there.

    Triangles are (64, 64) int32: their index plus 1, 0 beside the face.
    """
    with np.load(weights.path("face_shape.npz")) as stored:
        model = ShapeModel.of(stored)
    mesh = model.mean + OPEN * model.expression[JAW_OPEN]  # so that there is a mouth's inside
    low, high = mesh[:, :2].min(axis=0), mesh[:, :2].max(axis=0)
    scale = (TEXTURE_PX - 1 - 2 * MARGIN_PX) / float((high - low).max())
    points = (mesh[:, :2] - (low + high) / 2) * scale + (TEXTURE_PX - 1) / 2
    ids = np.zeros((TEXTURE_PX, TEXTURE_PX), np.int32)
    for number in np.argsort(-mesh[TRIANGLES, 2].sum(axis=1)).tolist():
        triangle = np.rint(points[TRIANGLES[number]] * 16).astype(np.int32)
        cv2.fillConvexPoly(ids, triangle, number + 1, cv2.LINE_8, 4)
    return points.astype(np.float32), ids


_POINTS, _IDS = _laid_out()

FACE = _IDS > 0
"""(64, 64) bool: where a texture shows the face."""


def _nearest_inside() -> tuple[NDArray[np.intp], ...]:
    """Return (64, 64) rows and columns of the px of the face that is nearest to each."""
    beside = np.asarray(~FACE, np.uint8)
    _, labels = cv2.distanceTransformWithLabels(
        beside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    inside = np.argwhere(FACE)
    order = np.argsort(labels[FACE])
    return tuple(inside[order][labels - 1].transpose(2, 0, 1))


_NEAREST = _nearest_inside()


def laid_out(image: U8, points: F32) -> U8:
    """Return (64, 64, 3) uint8: the texture of a face; black beside it.

    Args:
        image: (h, w, 3) uint8 with the face.
        points: (478, 3) its mesh, px.
    """
    found = sample_at(image, *_places(_IDS, _POINTS, points[:, :2]))
    found[~FACE] = 0
    return found


def drawn(texture: U8, points: F32, crop: U8, before: F32) -> U8:
    """Return (h, w, 3) uint8: a face in the place of another, whose surroundings make room for it.

    Args:
        texture: (64, 64, 3) uint8 of the face to draw.
        points: (478, 3) its mesh, px of the crop.
        crop: (h, w, 3) uint8 with the other face.
        before: (478, 3) mesh of that.
    """
    picture = crop.copy()
    around = surroundings.fit(as_picture(crop), before, points, (), 1.0)
    if around:
        left, top, right, bottom = around.box
        picture[top:bottom, left:right] = around.fitted
    ids = np.zeros(crop.shape[:2], np.int32)
    draw_triangles(FaceSpace.around(points), points[:, :2], ids)
    face = sample_at(texture[_NEAREST], *_places(ids, points[:, :2], _POINTS))
    inside = np.asarray(ids > 0, np.uint8)
    alpha = np.minimum(cv2.distanceTransform(inside, cv2.DIST_L2, 3) / FEATHER_PX, 1)
    alpha = np.asarray(alpha, np.float32)
    return np.asarray(cv2.blendLinear(face, picture, alpha, 1 - alpha), np.uint8)


def _places(ids: NDArray[np.int32], here: F32, there: F32) -> tuple[F32, F32]:
    """Return (h, w) float32 columns and rows: where each px of one mesh lies in another.

    Args:
        ids: (h, w) int32, triangles of the mesh that is drawn, plus 1.
        here: (n, 2) its points, px.
        there: (n, 2) points of the other.
    """
    known = np.dstack([here[TRIANGLES], np.ones(TRIANGLES.shape)]) + 1e-6 * np.eye(3)
    solved = np.linalg.solve(known, there[TRIANGLES].astype(np.float64))
    affines = np.take(solved, np.maximum(ids - 1, 0), axis=0)
    px = np.indices(ids.shape)[..., None]
    place = affines[..., 0, :] * px[1] + affines[..., 1, :] * px[0]
    x, y = np.moveaxis(place + affines[..., 2, :], 2, 0).astype(np.float32)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)
