"""Geometry of the face's points, on MediaPipe's canonical face."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES, VERTICES
from streamanon.types import F32

FACE_PX = 20.0
"""Pixels a centimetre of the canonical face."""


def turned(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.array(about_z) @ np.array(about_y) @ np.array(about_x)


def canonical_mesh(yaw: float = 0, pitch: float = 0, roll: float = 0) -> F32:
    """The canonical face in px about (300, 200), irises at the middle of the eye corners."""
    skin = VERTICES * (1, -1, -1)
    irises = [skin[list(corners)].mean(axis=0) for corners in ((33, 133), (362, 263))]
    whole = np.concatenate([skin, np.repeat(irises, 5, axis=0)])
    return np.asarray(FACE_PX * whole @ turned(yaw, pitch, roll).T + (300, 200, 0), np.float32)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 0, 0), (0, -20, 0), (0, 0, 45), (40, 15, -100)])
def test_head_pose_recovers_a_known_turn(angles: tuple[float, float, float]) -> None:
    assert lm.head_pose(canonical_mesh(*angles)) == pytest.approx(angles, abs=0.01)


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("axis", range(3))
def test_a_mesh_that_is_not_finite_has_no_pose(number: float, axis: int) -> None:
    points = np.zeros((478, 3), np.float32)
    points[:468] = VERTICES
    points[lm.POSE_POINTS[0], axis] = number
    with pytest.raises(np.linalg.LinAlgError), np.errstate(invalid="ignore"):
        lm.head_pose(points)


def test_a_face_turned_to_the_right_of_the_image_moves_its_nose_there() -> None:
    frontal, turned_right = canonical_mesh(), canonical_mesh(yaw=30)
    assert turned_right[lm.NOSE_TIP, 0] > frontal[lm.NOSE_TIP, 0] + 2 * FACE_PX
    assert canonical_mesh(pitch=20)[lm.NOSE_TIP, 1] < frontal[lm.NOSE_TIP, 1] - FACE_PX


def test_the_triangles_close_over_the_face_and_end_at_its_oval() -> None:
    edges = np.sort(TRIANGLES[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    pairs, uses = np.unique(edges, axis=0, return_counts=True)
    assert set(uses) == {1, 2}
    oval = np.sort(np.stack([lm.FACE_OVAL, np.roll(lm.FACE_OVAL, -1)], axis=1), axis=1)
    assert {tuple(edge) for edge in pairs[uses == 1]} == {tuple(edge) for edge in oval}


@pytest.mark.parametrize(
    "outline", ["FACE_OVAL", "OUTER_LIPS", "INNER_LIPS", "RIGHT_EYE", "LEFT_EYE"]
)
def test_an_outline_is_a_ring_of_the_mesh_in_clockwise_order(outline: str) -> None:
    ring = getattr(lm, outline)
    assert len(set(ring)) == len(ring)
    sides = TRIANGLES[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()
    edges = {tuple(sorted(pair)) for pair in sides}
    assert all(tuple(sorted(pair)) in edges for pair in zip(ring, ring[1:] + ring[:1], strict=True))
    x, y = canonical_mesh()[list(ring), :2].T
    assert (x * np.roll(y, -1) - np.roll(x, -1) * y).sum() > 0


def test_the_68_points_are_those_of_the_scheme() -> None:
    points = lm.ibug68(canonical_mesh())
    assert points.shape == (68, 2)
    mirror = points[[16 - i for i in range(17)]] * (-1, 1) + (600, 0)
    assert np.abs(mirror - points[:17]).max() < 0.1 * FACE_PX
    assert points[8, 1] == points[:, 1].max()
    assert np.array_equal(points[[36, 45]], canonical_mesh()[[33, 263], :2])
    five, direct = lm.five_points_of_68(points), lm.five_points(canonical_mesh())
    assert np.abs(five - direct).max() < 0.8 * FACE_PX


@pytest.mark.parametrize("roll", [0, 30, -90, 170])
def test_the_region_turns_with_the_face_and_holds_it_with_a_margin(roll: float) -> None:
    mesh = canonical_mesh(roll=roll)
    corner, right, below = lm.roi_from_mesh(mesh)
    across, down = right - corner, below - corner
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(roll, abs=0.5)
    inside = (mesh[:, :2] - corner) @ np.stack([across, down]).T / (across @ across)
    low, high = inside.min(axis=0), inside.max(axis=0)
    assert (high - low).max() == pytest.approx(1 / lm.ROI_SCALE, abs=1e-3)
    assert (low + high) / 2 == pytest.approx(0.5, abs=1e-3)


def test_box_and_eye_distance() -> None:
    mesh = canonical_mesh()
    assert lm.inter_ocular_px(mesh) == pytest.approx(2 * 4.44586 * FACE_PX, rel=1e-3)
    x0, y0, x1, y1 = lm.face_box_from_mesh(mesh)
    assert (x0, y1) == pytest.approx((mesh[:, 0].min(), mesh[:, 1].max()))
    assert x1 > x0
    assert y1 > y0
