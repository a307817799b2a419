"""A beat that is left out is noticed, in a stream that keeps a beat."""

import numpy as np
import pytest

from streamanon.media.frame_gaps import GapDetector

STEP = 3000


def _gaps(steps: list[int]) -> list[int]:
    """Return at which steps something is missing."""
    rhythm = GapDetector()
    times = np.cumsum([0, *steps]).tolist()
    return [number - 1 for number, pts in enumerate(times) if rhythm.gap(pts)]


def test_a_steady_stream_has_none() -> None:
    assert _gaps([STEP] * 300) == []


def test_neither_has_one_whose_clock_jitters() -> None:
    jitter = np.random.default_rng(0).uniform(0.7, 1.3, 300)
    assert _gaps((STEP * jitter).astype(int).tolist()) == []


@pytest.mark.parametrize("left_out", [1, 2, 20])
def test_beats_that_are_left_out_are_noticed(left_out: int) -> None:
    steps = [STEP] * 30 + [STEP * (1 + left_out)] + [STEP] * 30
    assert _gaps(steps) == [30]


def test_also_when_a_tenth_of_all_is_lost() -> None:
    steps = ([STEP] * 9 + [2 * STEP]) * 20
    noticed = _gaps(steps)
    assert noticed == list(range(19, 200, 10))


def test_nothing_is_reported_without_a_steady_rate() -> None:
    rng = np.random.default_rng(0)
    assert len(_gaps(rng.choice([STEP, 3 * STEP], 300, p=[0.6, 0.4]).tolist())) < 10
    reordered = [3 * STEP, -STEP, STEP, STEP] * 50
    assert _gaps(reordered) == []


def test_another_rate_is_learnt() -> None:
    noticed = _gaps([STEP] * 100 + [2 * STEP] * 200)
    assert noticed == list(range(100, 100 + len(noticed)))
    assert 0 < len(noticed) < 25


def test_what_stands_still_is_no_gap() -> None:
    assert _gaps([0] * 50 + [STEP] * 3) == []
