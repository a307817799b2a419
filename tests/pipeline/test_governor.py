"""Which quality a stream can afford: quick down, slow up, no flapping."""

from dataclasses import dataclass, field

import numpy as np

from streamanon.pipeline.governor import START_S, TRIAL_S, Governor

LEVELS = ("full", "good", "fair", "poor")
INTERVAL_S = 1 / 30


@dataclass
class Day:
    """A machine on which each level takes its time, and a clock that runs by itself."""

    work_s: dict[str, float]
    governor: Governor = field(default_factory=lambda: Governor(LEVELS))
    now_s: float = 0.0
    lost: int = 0
    frames: int = 0
    changes: list[tuple[float, str]] = field(default_factory=list)
    noise: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def run(self, span_s: float, *, busy: float = 1.0, interval_s: float = INTERVAL_S) -> str:
        end_s = self.now_s + span_s
        while self.now_s < end_s:
            before = self.governor.level
            work_s = self.work_s[before] * busy * float(self.noise.uniform(0.85, 1.15))
            lost = work_s > interval_s
            self.lost += lost
            self.frames += 1
            self.now_s += max(work_s, interval_s)
            level = self.governor.update(self.now_s, work_s, interval_s, lost=lost)
            if level != before:
                self.changes.append((self.now_s, level))
        return self.governor.level


def _day(full: float, good: float, fair: float, poor: float) -> Day:
    """Create one by the milliseconds each level takes."""
    times = zip(LEVELS, (full, good, fair, poor), strict=True)
    return Day({level: taken / 1000 for level, taken in times})


def test_quality_stays_where_there_is_time() -> None:
    day = _day(25, 20, 15, 5)
    assert day.run(600) == "full"
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
        level = governor.update(frame / 30, 0.012, INTERVAL_S, lost=frame % 30 < 5)
        assert level == "full"


def test_overload_steps_down_within_seconds_and_no_further_than_needed() -> None:
    day = _day(60, 50, 22, 5)
    assert day.run(15) == "fair"
    assert [level for _, level in day.changes] == ["good", "fair"]
    assert START_S < day.changes[0][0] < START_S + 2
    assert day.changes[-1][0] < START_S + 4
    assert day.lost < 16 * (START_S + 4)


def test_a_cold_start_is_no_overload() -> None:
    day = _day(25, 20, 15, 5)
    day.run(START_S - 0.1, busy=4)
    assert day.run(60) == "full"
    assert day.changes == []


def test_five_times_too_much_ends_at_the_cheapest_level_and_stays() -> None:
    day = _day(170, 160, 120, 60)
    assert day.run(300) == "poor"
    assert len(day.changes) == 3


def test_quality_comes_back_after_the_rush_but_not_at_once() -> None:
    day = _day(30, 24, 15, 5)
    day.run(20)
    assert day.run(30, busy=3) == "poor"
    calm_s = day.now_s
    assert day.run(120, busy=0.5) == "full"
    ups = [at for at, _ in day.changes if at > calm_s]
    assert len(ups) == 3
    assert min(np.diff([calm_s, *ups])) > 4


def test_a_level_that_is_just_too_dear_is_not_tried_again_and_again() -> None:
    day = _day(31, 20, 15, 5)
    day.run(3600)
    assert day.changes[0][1] == "good"
    assert len(day.changes) < 20


def test_tries_that_fail_become_rarer() -> None:
    """The dearer level looked affordable when it was left, for then there was less to do."""
    day = _day(20, 19, 15, 5)
    day.run(2)
    day.run(3, busy=1.7)
    costs = dict(day.work_s)
    day.work_s |= {"full": 0.060, "good": 0.012, "fair": 0.010}
    day.run(1200)
    tries = [at for at, level in day.changes if level == "full"]
    assert 1 <= len(tries) < 40
    assert np.diff(tries).max(initial=TRIAL_S) >= TRIAL_S
    day.work_s = costs
    assert day.run(1500) == "full"


def test_fewer_frames_make_room_for_quality() -> None:
    day = _day(40, 35, 25, 5)
    day.run(30)
    assert day.governor.level != "full"
    assert day.run(120, interval_s=1 / 10) == "full"


def test_one_level_is_the_best_and_the_last() -> None:
    day = Day({"full": 0.2}, Governor(("full",)))
    assert day.run(20) == "full"


def test_a_new_line_goes_on_at_the_level_of_the_last_and_may_be_cold_again() -> None:
    day = _day(50, 45, 15, 5)
    assert day.run(60) == "fair"
    day.governor.restart()
    assert day.governor.level == "fair"
    assert day.run(START_S - 0.5, busy=5) == "fair"
    assert day.run(3, busy=5) == "poor"
