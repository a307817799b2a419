"""Identity over time, on vectors whose figures are known."""

import numpy as np
import pytest

from benchmarks.video.identity import WINDOW, constancy, to_source
from streamanon.types import F32


def people(*frames: int) -> F32:
    """One person after the other, each for so many frames, their vectors at right angles."""
    return np.repeat(np.eye(len(frames), 8, dtype=np.float32), frames, axis=0)


def test_one_person_is_constant() -> None:
    found = constancy(people(60), 0.5)
    assert found is not None
    assert (found["std"], found["adjacent_mean"], found["switches"]) == (0, 1, 0)
    assert found["adjacent_p5"] is None  # too few


@pytest.mark.parametrize("frames", [(40, 40), (40, 40, 40), (30, 50, 20, 40)])
def test_every_change_of_person_is_counted(frames: tuple[int, ...]) -> None:
    found = constancy(people(*frames), 0.5)
    assert found is not None
    assert found["switches"] == len(frames) - 1
    assert found["adjacent_mean"] < 1


def test_noise_is_no_change_of_person() -> None:
    noisy = people(150) + np.random.default_rng(0).normal(0, 0.25, (150, 8))
    noisy /= np.linalg.norm(noisy, axis=1, keepdims=True)
    found = constancy(noisy.astype(np.float32), 0.5)
    assert found is not None
    assert found["switches"] == 0
    assert 0 < found["adjacent_p5"] < found["adjacent_mean"] < 1


def test_frames_that_are_not_seen_are_left_out() -> None:
    vectors = people(2 * WINDOW + 10)
    vectors[5:9] = np.nan
    found = constancy(vectors, 0.5)
    assert found is not None
    assert found["frames"] == 2 * WINDOW + 6
    assert found["switches"] == 0
    assert constancy(np.full((9, 8), np.nan, np.float32), 0.5) is None


def test_cosine_to_the_source_is_frame_by_frame() -> None:
    source, output = people(3, 1), people(3, 1)
    output[0] = output[3]
    source[2] = np.nan
    assert to_source(source, output) == {"mean": pytest.approx(2 / 3), "max": 1, "frames": 3}
