"""Stream time is steady and strictly increasing, whatever timestamps a source gives."""

import random
from fractions import Fraction
from itertools import pairwise

import pytest

from streamanon.media.timeline import LIVE_TICK, Timeline, ticks

SECOND = 90_000
STEP = 3000  # 30 frames a second


def _placed(stamps: list[int | None], arrivals: list[int]) -> list[int]:
    line = Timeline()
    return [line.place(pts, at) for pts, at in zip(stamps, arrivals, strict=True)]


def _steps(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)]


def test_a_tick_is_a_90_000th_of_a_second() -> None:
    assert LIVE_TICK * SECOND == 1
    assert ticks(512, Fraction(1, 12800)) == 3600
    assert ticks(1, Fraction(1001, 30000)) == 3003


def test_distances_between_frames_are_kept_while_their_arrival_jitters() -> None:
    draw = random.Random(0)
    stamps = [10**6 + STEP * number for number in range(3000)]
    arrivals = [50 * SECOND + STEP * number + draw.randrange(2000) for number in range(3000)]
    times = _placed([*stamps], arrivals)
    # the first seconds find the fastest frame; from then on only the drift allowance shows
    errors = sorted(abs(step - STEP) for step in _steps(times)[300:])
    assert errors[len(errors) // 2] < 20
    assert errors[-1] < 700
    assert all(0 <= at - time < 2100 for time, at in zip(times, arrivals, strict=True))


@pytest.mark.parametrize("ppm", [-1000, -100, 100, 1000])
def test_a_clock_that_drifts_is_followed_for_hours(ppm: int) -> None:
    line = Timeline()
    for number in range(4 * 3600 * 10):
        arrival = number * SECOND // 10
        time = line.place(number * SECOND // 10 * (1_000_000 + ppm) // 1_000_000, arrival)
        assert 0 <= arrival - time < 100


def test_the_frames_a_server_kept_for_newcomers_are_not_put_in_the_future() -> None:
    burst = [0] * 60 + [STEP * number for number in range(1, 100)]
    times = _placed([STEP * number for number in range(159)], burst)
    assert all(time <= at + 60 for time, at in zip(times, burst, strict=True))
    assert _steps(times)[-90:] == pytest.approx([STEP] * 90, abs=60)


def test_frames_that_come_late_together_keep_their_distance() -> None:
    arrivals = [STEP * number for number in range(30)] + [40 * STEP] * 10
    times = _placed([STEP * number for number in range(40)], arrivals)
    assert all(abs(step - STEP) < 60 for step in _steps(times)[:-10])
    assert times[-1] <= arrivals[-1]


@pytest.mark.parametrize(
    "jump", [-3600 * SECOND, -5 * SECOND, 5 * SECOND, 2**33, -(2**33), -(2**32)]
)
def test_a_jump_of_the_source_is_no_jump_of_the_stream(jump: int) -> None:
    stamps = [10**9 + STEP * number + (jump if number >= 50 else 0) for number in range(100)]
    times = _placed([*stamps], [STEP * number for number in range(100)])
    assert all(abs(step - STEP) < 60 for step in _steps(times))


def test_a_loop_of_a_short_clip_is_no_jump_either() -> None:
    stamps: list[int | None] = [STEP * (number % 20) for number in range(200)]
    times = _placed(stamps, [STEP * number for number in range(200)])
    assert all(step > 0 for step in _steps(times))
    assert all(abs(time - STEP * number) < SECOND for number, time in enumerate(times))


def test_frames_without_a_time_have_that_of_their_arrival() -> None:
    times = _placed([None, 77, None, 77 + 2 * STEP], [0, STEP, 2 * STEP, 3 * STEP])
    assert times == [0, STEP, 2 * STEP, pytest.approx(3 * STEP, abs=10)]


def test_another_connection_has_another_clock() -> None:
    line = Timeline()
    line.place(5 * SECOND, SECOND)
    line.restart(paced=False)
    assert line.place(0, 9 * SECOND) == 9 * SECOND


def test_time_always_grows_and_stays_near_the_clock() -> None:
    for seed in range(400):
        draw, paced = random.Random(seed), seed % 2 == 0
        line, pts, arrival, last = Timeline(paced=paced), 0, draw.randrange(10**9), -1
        for _ in range(300):
            pts += draw.choice([STEP, STEP, STEP, 0, -STEP, 2**33, -(2**33), draw.randrange(10**7)])
            arrival += draw.choice([0, STEP, STEP, draw.randrange(2 * SECOND)])
            time = line.place(draw.choice([None, pts, pts, pts]), arrival)
            assert time > last
            assert abs(time - arrival) <= (10 if paced else 1) * SECOND + 400
            if draw.random() < 0.02:
                line.restart(paced=paced)
            last = time


def test_a_paced_source_is_ahead_of_the_clock_by_what_is_to_be_waited() -> None:
    line = Timeline(paced=True)
    assert line.place(0, 100) == 100
    assert line.place(STEP, 200) == 100 + STEP
    # a segment that came late is played from now on, at its pace
    assert line.place(2 * STEP, SECOND) == SECOND
    assert line.place(3 * STEP, SECOND) == SECOND + STEP


@pytest.mark.parametrize("rate", [1, 5, 30])
def test_a_paced_source_that_is_decoded_ahead_keeps_its_pace(rate: int) -> None:
    line, step, ahead = Timeline(paced=True), SECOND // rate, 9
    times = [line.place(n * step, 100 + max(0, n - ahead) * step) for n in range(60)]
    assert times == [100 + n * step for n in range(60)]
    # there is no wait for what a jump leaves out
    assert line.place(65 * step + SECOND, 100 + 51 * step) == times[-1] + 1
