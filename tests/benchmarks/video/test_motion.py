"""Steadiness of landmarks, on meshes that move in known ways."""

import numpy as np
import pytest

from benchmarks.video.motion import SHORTEST_FRAMES, steadiness
from streamanon.identities.gallery import load_builtin
from streamanon.types import F32

RATE = 25.0
FRAMES = 80


@pytest.fixture(scope="module")
def moving() -> F32:
    """A mesh that nods slowly and trembles a little."""
    mesh = load_builtin()[0].mesh.points
    time = np.arange(FRAMES)[:, None, None] / RATE
    slow = 30 * np.sin(2 * np.pi * 0.5 * time) * np.array([0.3, 1, 0])
    tremble = np.random.default_rng(0).normal(0, 0.5, (FRAMES, *mesh.shape))
    return np.asarray(mesh + slow + tremble, np.float32)


def test_the_same_motion_is_as_steady(moving: F32) -> None:
    found = steadiness(moving, moving.copy(), RATE)
    assert found is not None
    assert found["jitter"] == found["fast_energy"] == pytest.approx(1)
    assert found["added_jitter"] == 0
    assert found["correlation"] == pytest.approx(1)


def test_more_tremble_is_seen(moving: F32) -> None:
    random = np.random.default_rng(1)
    shaken = (moving + random.normal(0, 1.0, moving.shape)).astype(np.float32)
    found = steadiness(moving, shaken, RATE)
    assert found is not None
    assert found["jitter"] == pytest.approx(np.sqrt(1 + 4), rel=0.1)
    assert found["added_jitter"] == pytest.approx(2, rel=0.1)
    assert found["fast_energy"] == pytest.approx(5, rel=0.2)


def test_a_slow_drift_is_not_jitter(moving: F32) -> None:
    drift = moving + np.linspace(0, 20, FRAMES)[:, None, None]
    found = steadiness(moving, drift.astype(np.float32), RATE)
    assert found is not None
    assert found["jitter"] == pytest.approx(1, abs=0.01)
    assert found["fast_energy"] == pytest.approx(1, abs=0.05)


def test_a_face_that_stands_still_does_not_follow(moving: F32) -> None:
    found = steadiness(moving, np.repeat(moving[:1], FRAMES, axis=0), RATE)
    assert found is not None
    assert found["correlation"] == 0
    assert found["jitter"] == 0


def test_only_frames_in_a_row_count(moving: F32) -> None:
    holes = moving.copy()
    holes[:: SHORTEST_FRAMES - 1] = np.nan
    assert steadiness(moving, holes, RATE) is None
    holes = moving.copy()
    holes[30] = np.nan
    found = steadiness(moving, holes, RATE)
    assert found is not None
    assert found["frames"] == FRAMES - 1


def test_landmarks_that_never_move_are_dead(moving: F32) -> None:
    still = np.repeat(moving[:1], FRAMES, axis=0)
    assert steadiness(still, still, RATE) is None
