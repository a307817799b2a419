"""Which quality a stream can afford: a face as long as there is one, no flapping."""

from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from streamanon.pipeline.governor import CLEAR_S, START_S, TRIAL_S, WATCH_S, Governor, Rung

LEVELS = ("full", "sparing", "warp", "mosaic")
INTERVAL_S = 1 / 30


@dataclass
class Day:
    """A machine on which each level takes its time, and a clock that runs by itself."""

    work_s: dict[str, float]
    governor: Governor = field(default_factory=lambda: Governor(LEVELS))
    now_s: float = 0.0
    lost: int = 0
    frames: int = 0
    changes: list[tuple[float, Rung]] = field(default_factory=list)
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    due_s: float = 0.0

    def run(self, span_s: float, *, busy: float = 1.0, interval_s: float = INTERVAL_S) -> Rung:
        end_s = self.now_s + span_s
        while self.now_s < end_s:
            before = self.governor.rung
            pace_s = max(interval_s, 1 / before.max_fps)
            work_s = self.work_s[before.level] * busy * float(self.noise.uniform(0.85, 1.15))
            done_s = max(self.now_s, self.due_s) + work_s
            lost = max(0, int((done_s - self.due_s) / pace_s) - 1)
            self.due_s += pace_s * (1 + lost)
            self.now_s = max(done_s, self.due_s)
            self.lost += lost
            self.frames += 1
            rung = self.governor.update(self.now_s, work_s, interval_s, lost=lost)
            if rung != before:
                self.changes.append((self.now_s, rung))
        return self.governor.rung


def _day(full: float, sparing: float, warp: float, mosaic: float, prefer: str = "face") -> Day:
    """Create one by the milliseconds each level takes."""
    times = zip(LEVELS, (full, sparing, warp, mosaic), strict=True)
    costs = {level: taken / 1000 for level, taken in times}
    return Day(costs, Governor(LEVELS, prefer))


@pytest.mark.parametrize("prefer", ["face", "rate"])
def test_quality_stays_where_there_is_time(prefer: str) -> None:
    day = _day(25, 20, 15, 5, prefer)
    assert day.run(600) == Rung("full")
    assert day.changes == []


def test_a_slow_frame_now_and_then_is_no_overload() -> None:
    day = _day(20, 20, 15, 5)
    for _ in range(60):
        day.run(1)
        day.run(0.05, busy=5)
    assert day.changes == []


def test_frames_lost_in_a_burst_of_the_source_are_no_overload() -> None:
    governor = Governor(LEVELS)
    for frame in range(900):
        lost = int(frame % 30 < 5)
        assert governor.update(frame / 30, 0.012, INTERVAL_S, lost=lost) == Rung("full")


@pytest.mark.parametrize(
    ("times", "rung"),
    [
        ((40, 25, 20, 5), Rung("sparing")),
        ((45, 38, 34, 5), Rung("sparing", 20)),
        ((60, 50, 40, 5), Rung("sparing", 15)),
        ((95, 85, 20, 5), Rung("sparing", 15)),
        ((150, 140, 120, 10), Rung("sparing", 15)),
        ((300, 290, 280, 10), Rung("sparing", 15)),
        ((500, 450, 40, 20), Rung("warp", 15)),
        ((500, 450, 400, 20), Rung("mosaic", 15)),
    ],
)
def test_a_face_is_kept_with_fewer_frames(
    times: tuple[float, float, float, float], rung: Rung
) -> None:
    day = _day(*times)
    assert day.run(45) == rung
    assert START_S + WATCH_S - 1 < day.changes[0][0] < START_S + WATCH_S + 2
    before_s = day.now_s
    day.run(300)
    later = [at for at, _ in day.changes if at > before_s]
    assert len(later) < 20  # of which most are tries that fail


@pytest.mark.parametrize(
    ("times", "rung"),
    [
        ((40, 25, 20, 5), Rung("sparing")),
        ((45, 38, 25, 5), Rung("warp")),
        ((80, 70, 50, 5), Rung("mosaic")),
    ],
)
def test_all_frames_are_kept_with_cheaper_methods(
    times: tuple[float, float, float, float], rung: Rung
) -> None:
    assert _day(*times, prefer="rate").run(20) == rung


def test_there_are_no_rungs_that_make_no_difference() -> None:
    day = _day(80, 60, 45, 5)
    day.run(60, interval_s=1 / 14)
    levels = ["full", *(rung.level for _, rung in day.changes)]
    assert len(levels) > 1
    assert all(before != after for before, after in pairwise(levels))


def test_fast_sources_lose_frames_first() -> None:
    day = _day(26, 26, 20, 5)
    assert day.run(60, interval_s=1 / 60) == Rung("sparing", 30)


def test_a_cold_start_is_no_overload() -> None:
    day = _day(25, 20, 15, 5)
    day.run(START_S - 0.1, busy=4)
    assert day.run(60) == Rung("full")
    assert day.changes == []


def test_quality_comes_back_after_the_rush_but_not_at_once() -> None:
    day = _day(22, 20, 17, 5)
    day.run(20)
    assert day.run(30, busy=3).max_fps == 15
    calm_s = day.now_s
    assert day.run(240, busy=0.8) == Rung("full")
    ups = [at for at, _ in day.changes if at > calm_s]
    assert np.diff(ups).min(initial=inf) >= CLEAR_S


def test_a_level_that_is_just_too_dear_is_not_tried_again_and_again() -> None:
    day = _day(40, 25, 15, 5)
    day.run(3600)
    assert day.changes[0][1].level == "sparing"
    assert len(day.changes) < 40


def test_a_load_that_comes_and_goes_does_not_make_quality_flap() -> None:
    day = _day(24, 22, 20, 5)
    for _ in range(60):
        day.run(10)
        day.run(10, busy=2)
    assert all(rung.level != "mosaic" for _, rung in day.changes)
    assert len(day.changes) < 60
    assert day.lost < 0.15 * day.frames


def test_tries_that_fail_become_rarer() -> None:
    """The dearer level looked affordable when it was left, for then there was less to do."""
    day = _day(20, 19, 15, 5)
    day.run(2)
    day.run(8, busy=2.2)
    costs = dict(day.work_s)
    day.work_s |= {"full": 0.060, "sparing": 0.012, "warp": 0.010}
    day.run(1200)
    tries = [at for at, rung in day.changes if rung.level == "full"]
    assert 1 <= len(tries) < 40
    assert np.diff(tries).max(initial=TRIAL_S) >= TRIAL_S
    day.work_s = costs
    assert day.run(1500) == Rung("full")


def test_one_level_is_the_best_and_the_last() -> None:
    day = Day({"full": 0.2}, Governor(("full",)))
    assert day.run(20) == Rung("full")


def test_a_new_line_goes_on_at_the_rung_of_the_last_and_may_be_cold_again() -> None:
    day = _day(50, 45, 40, 5)
    rung = day.run(60)
    assert rung.level == "sparing"
    day.governor.restart()
    assert day.run(START_S - 0.5, busy=5) == rung
    assert day.run(8, busy=2.5) == Rung("sparing", 15)
