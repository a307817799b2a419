"""The geometry of the mesh warp."""

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES, VERTICES
from streamanon.face.warp import (
    RASTER,
    Condition,
    FaceSpace,
    lookup_map,
    rasterise_triangles,
    triangle_affines,
)


def face(scale: float = 20.0, roll_deg: float = 0.0) -> np.ndarray:
    """The canonical face as a (478, 3) mesh in px, upright unless rolled."""
    angle = np.radians(roll_deg)
    flat = VERTICES * np.array([1, -1, -1]) * scale
    for eye in (lm.RIGHT_EYE, lm.LEFT_EYE):  # wide open: drawn as they are
        flat[list(eye[1:8]), 1] -= 0.3 * scale
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    flat[:, :2] = flat[:, :2] @ turn + 300
    irises = [flat[list(lm.RIGHT_EYE)].mean(axis=0)] * 5 + [
        flat[list(lm.LEFT_EYE)].mean(axis=0)
    ] * 5
    return np.vstack([flat, irises]).astype(np.float32)


def condition(points: np.ndarray) -> Condition:
    return Condition(np.zeros((640, 640, 3), np.uint8), points[:, :2].copy())


def test_face_space_is_upright_and_maps_back() -> None:
    points = face(roll_deg=25)
    space = FaceSpace.around(points)
    eyes = space.points[[lm.RIGHT_EYE_OUTER, lm.LEFT_EYE_OUTER]]
    assert abs(eyes[0, 1] - eyes[1, 1]) < 1.0
    assert space.points[:468].min() > 0
    assert space.points[:468].max() < RASTER
    back = np.column_stack([space.points, np.ones(478)]) @ space.to_frame.T
    assert np.abs(back - points[:, :2]).max() < 0.05


def test_a_face_looks_itself_up_in_place() -> None:
    points = face(roll_deg=10)
    space = FaceSpace.around(points)
    ids = rasterise_triangles(space)
    portrait = condition(points)
    lookup = lookup_map(triangle_affines(space, portrait), ids, portrait.portrait)
    rows, columns = np.nonzero(ids)
    where = np.column_stack([columns, rows, np.ones(len(rows))]) @ space.to_frame.T
    assert np.abs(lookup[rows, columns] - where).max() < 0.6
    assert 0.4 < (ids > 0).mean() < 0.9


def test_the_nearer_cheek_hides_the_farther_one() -> None:
    points = face()
    angle = np.radians(60)
    turned = points.copy()
    middle = points.mean(axis=0)
    turned[:, [0, 2]] = (points - middle)[:, [0, 2]] @ np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32
    ) + middle[[0, 2]]
    seen = np.unique(rasterise_triangles(FaceSpace.around(turned)))
    seen = seen[seen > 0] - 1
    sides = VERTICES[TRIANGLES].mean(axis=1)[:, 0]
    right, left = (sides[seen] < -3).sum(), (sides[seen] > 3).sum()
    assert max(right, left) > 4 * max(1, min(right, left))
