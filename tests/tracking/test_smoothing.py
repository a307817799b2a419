import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES
from streamanon.tracking.smoothing import FaceSmoother
from streamanon.types import F32

WIDTH_PX = 200.0
UPPER_LID = list(lm.RIGHT_EYE[1:8])


def _face() -> F32:
    """Return the canonical face, WIDTH_PX wide in the middle of a frame, irises in the eyes."""
    skin = VERTICES * np.array([1, -1, -1], np.float32)
    irises = [skin[list(eye)].mean(axis=0) for eye in (lm.RIGHT_EYE,) * 5 + (lm.LEFT_EYE,) * 5]
    points = np.concatenate([skin, np.stack(irises)])
    return np.asarray(
        points / np.ptp(points[:, 0]) * WIDTH_PX + np.array([600, 400, 0]), np.float32
    )


def _moved(points: F32, x: float) -> F32:
    return np.asarray(points + np.array([x, 0, 0]), np.float32)


def _turned(points: F32, angle: float) -> F32:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = points[:, :2].mean(axis=0)
    turned = points.copy()
    turned[:, :2] = (points[:, :2] - middle) @ turn.T + middle
    return turned


def test_a_face_at_rest_is_steadied() -> None:
    rng = np.random.default_rng(0)
    smoother, face = FaceSmoother(), _face()
    raw = [
        np.asarray(face + rng.normal(0, 0.8, face.shape) + rng.normal(0, 0.8, (1, 3)), np.float32)
        for _ in range(90)
    ]
    steady = [smoother(points, index / 30) for index, points in enumerate(raw)]

    def jitter(series: list[F32]) -> float:
        return float(np.diff(np.stack(series[20:])[:, :, :2], axis=0).std())

    assert jitter(steady) < 0.45 * jitter(raw)
    assert np.abs(np.mean(steady[20:], axis=0) - face)[:, :2].max() < 1.0


@pytest.mark.parametrize("rate", [24, 30, 60])
@pytest.mark.parametrize("widths_per_s", [1.0, 3.0])
def test_a_moving_face_is_not_left_behind(rate: int, widths_per_s: float) -> None:
    smoother, face = FaceSmoother(), _face()
    lags = []
    for index in range(rate):
        moved = max(0.0, index / rate - 0.3) * widths_per_s * WIDTH_PX
        points = _moved(face, moved)
        lags.append(float(np.abs(smoother(points, index / rate) - points)[:, 0].max()))
    assert max(lags) < 0.021 * WIDTH_PX
    assert lags[-1] < 0.011 * WIDTH_PX


def test_a_blink_survives() -> None:
    smoother, face = FaceSmoother(), _face()
    depth_px, kept_px = 0.05 * WIDTH_PX, 0.0
    for index in range(60):
        closing = max(0.0, 1.0 - abs(index / 30 - 1.0) / 0.075)
        points = face.copy()
        points[UPPER_LID, 1] += depth_px * closing
        lid = smoother(points, index / 30)[UPPER_LID, 1] - face[UPPER_LID, 1]
        kept_px = max(kept_px, float(lid.mean()))
    assert kept_px > 0.7 * depth_px


def test_a_head_may_turn_all_the_way_round() -> None:
    smoother, face = FaceSmoother(), _face()
    for index in range(120):
        points = _turned(face, 2 * np.pi * index / 60)
        assert np.abs(smoother(points, index / 30) - points).max() < 0.03 * WIDTH_PX


@pytest.mark.parametrize("pause_s", [0.5, -1.0])
def test_a_gap_or_a_step_back_starts_afresh(pause_s: float) -> None:
    smoother, face = FaceSmoother(), _face()
    for index in range(10):
        smoother(face, index / 30)
    elsewhere = _moved(face, 300.0)
    np.testing.assert_allclose(smoother(elsewhere, 9 / 30 + pause_s), elsewhere, atol=1e-3)


def test_what_is_no_face_is_refused_and_leaves_no_trace() -> None:
    smoother, twin, face = FaceSmoother(), FaceSmoother(), _face()
    broken = face.copy()
    broken[7, 1] = np.nan
    for index in range(5):
        smoother(face, index / 30)
        twin(face, index / 30)
    for nonsense in (broken, np.zeros_like(face)):
        with pytest.raises(ValueError, match="cover this face instead"):
            smoother(nonsense, 5 / 30)
    moved = _moved(face, 5.0)
    np.testing.assert_array_equal(smoother(moved, 6 / 30), twin(moved, 6 / 30))
