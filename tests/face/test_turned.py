"""Edges in depth of a turned head, against the mesh drawn at the frame's own resolution."""

import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face import turned
from streamanon.face.canonical_face import TRIANGLES, VERTICES
from streamanon.face.drawing import FaceRegion
from streamanon.face.warp import (
    Condition,
    FaceSpace,
    edge_distance,
    feathered_alpha,
    warp_portrait,
)
from streamanon.imaging.picture import as_picture
from streamanon.types import F32

SIDE = 900


def head(yaw_deg: float) -> F32:
    """The canonical face, large and turned, as a (478, 3) mesh in px."""
    flat = VERTICES * np.array([1, -1, -1]) * 34
    eyes = [flat[list(eye)].mean(axis=0) for eye in (lm.RIGHT_EYE, lm.LEFT_EYE)]
    points = np.vstack([flat, [eyes[0]] * 5, [eyes[1]] * 5])
    angle = np.radians(yaw_deg)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    return np.asarray(points @ turn.T + SIDE / 2, np.float32)


def exact(region: FaceRegion, space: FaceSpace, portrait: Condition) -> NDArray[np.float64]:
    """Return (h, w, 2) px of the portrait, each from its own triangle; NaN beside the face."""
    points = space.points @ region.to_patch[:, :2].T + region.to_patch[:, 2]
    shown = np.full((*region.size[::-1], 2), np.nan)
    nearest = np.full(region.size[::-1], np.inf)
    rows, columns = np.mgrid[: shown.shape[0], : shown.shape[1]]
    for corners in TRIANGLES:
        here = points[corners].astype(float)
        if np.linalg.det(np.column_stack([here, np.ones(3)])) >= 0:
            continue  # turned away
        low, high = np.floor(here.min(axis=0)).astype(int), np.ceil(here.max(axis=0)).astype(int)
        box = np.s_[max(low[1], 0) : high[1] + 1, max(low[0], 0) : high[0] + 1]
        place = np.stack([columns[box].ravel(), rows[box].ravel(), np.ones(columns[box].size)])
        parts = np.linalg.inv(np.vstack([here.T, np.ones(3)])) @ place
        depth = (space.depth[corners] @ parts).reshape(columns[box].shape)
        hit = (parts >= 0).all(axis=0).reshape(depth.shape) & (depth < nearest[box])
        nearest[box][hit] = depth[hit]
        shown[box][hit] = (portrait.points[corners].T @ parts).T.reshape(*depth.shape, 2)[hit]
    return shown


@pytest.mark.parametrize("yaw_deg", [-50.0, -40.0, 40.0, 50.0])
def test_nothing_is_mixed_where_the_nose_hides_the_cheek(yaw_deg: float) -> None:
    points, front = head(yaw_deg), head(0)
    region_of, portrait = FaceSpace.around(points), np.zeros((SIDE, SIDE, 3), np.uint8)
    condition = Condition(portrait, front[:, :2].copy())
    region = FaceRegion.of(as_picture(portrait), region_of)
    assert region is not None
    warp = ids, _, lookup = warp_portrait(region_of, condition)
    edge = feathered_alpha(edge_distance(ids), region_of, yaw_deg)
    yaw = lm.head_pose(points)[0]
    assert abs(yaw) == pytest.approx(abs(yaw_deg), abs=1)
    truth, off = exact(region, region_of, condition), {}
    for name, (x, y, alpha) in {
        "scaled up": region.resampled(lookup, edge),
        "turned": turned.resampled(region, region_of, warp, edge, yaw),
    }.items():
        away = np.hypot(x - truth[:, :, 0], y - truth[:, :, 1])
        nose = np.zeros(alpha.shape, bool)
        low, high = region.to_patch[1, 1] * region_of.points[[lm.NOSE_TIP, lm.CHIN], 1]
        nose[int(0.6 * low) : int((low + high) / 2)] = True
        off[name] = int((away[nose & (alpha > 0.9)] > 20).sum())
    assert off["scaled up"] > 100
    assert off["turned"] < 0.2 * off["scaled up"]


@pytest.mark.parametrize("yaw_deg", [-45.0, 45.0])
def test_the_outline_of_the_far_side_is_opaque(yaw_deg: float) -> None:
    points = head(yaw_deg)
    space, frame = FaceSpace.around(points), np.zeros((SIDE, SIDE, 3), np.uint8)
    region = FaceRegion.of(as_picture(frame), space)
    assert region is not None
    warp = ids, _, _ = warp_portrait(space, Condition(frame, head(0)[:, :2].copy()))
    edge = feathered_alpha(edge_distance(ids), space, yaw_deg)
    yaw = lm.head_pose(points)[0]
    _, _, alpha = turned.resampled(region, space, warp, edge, yaw)
    row = round(float(region.to_patch[1] @ [*space.points[lm.NOSE_TIP], 1]))
    seen = np.flatnonzero(alpha[row] > 0.02)
    ends = alpha[row, [seen[0] + 3, seen[-1] - 3]]
    near, far = ends if yaw > 0 else ends[::-1]
    assert far > 0.95
    assert near < 0.9


def test_a_region_holds_the_pixel_of_a_nose_that_is_the_outline() -> None:
    frame = as_picture(np.zeros((SIDE, SIDE, 3), np.uint8))
    for shift in np.linspace(0, 1, 9, dtype=np.float32):
        points = 0.2 * head(60) + 100 + shift
        region = FaceRegion.of(frame, FaceSpace.around(points))
        assert region is not None
        nearest = np.rint(points[:468, :2])
        assert (nearest >= region.box[:2]).all()
        assert (nearest < region.box[2:]).all()
