"""Figures of the frames that cameras sent and players read."""

import logging

import pytest

from benchmarks.live.load import glass_to_glass_ms, growth, percentiles
from benchmarks.live.player import PlayedFrame
from benchmarks.live.worker import PinnedFactory
from streamanon.config import Config


def _seen(number: int, at_s: float) -> PlayedFrame:
    return PlayedFrame(number, at_s, at_s, 0, -1)


def test_a_picture_is_as_old_as_its_newest_sending() -> None:
    sent = [(0, 1.0), (1, 1.1), (0, 2.0), (1, 2.1)]
    seen = [_seen(0, 1.05), _seen(1, 1.3), _seen(-1, 1.4), _seen(0, 2.03), _seen(7, 2.04)]
    found = glass_to_glass_ms(sent, seen, 0.0, 9.0)
    assert found == pytest.approx([50, 200, 30])
    assert glass_to_glass_ms(sent, seen, 1.2, 2.0) == pytest.approx([200])


def test_what_was_not_sent_before_does_not_count() -> None:
    assert glass_to_glass_ms([(0, 5.0)], [_seen(0, 4.0)], 0.0, 9.0) == []


def test_percentiles_say_what_they_are_of() -> None:
    assert percentiles([]) == {"p50": None, "p99": None, "n": 0}
    assert percentiles([float(one) for one in range(101)]) == {"p50": 50.0, "p99": 99.0, "n": 101}


def test_growth_is_that_of_the_second_half() -> None:
    series = [(float(at), 100.0 + at) for at in range(50)]
    series += [(float(at), 150.0) for at in range(50, 100)]
    assert growth(series) == pytest.approx(0.0, abs=0.01)
    rising = [(float(at), 100 + at / 3600) for at in range(100)]
    assert growth(rising) == pytest.approx(1.0)
    assert growth(series[:10]) is None


def test_lines_of_a_player_are_read_back() -> None:
    assert PlayedFrame.parse("12 3.5 0.25 1 0\n") == PlayedFrame(12, 3.5, 0.25, 1, 0)


def test_pinned_streams_have_nothing_to_step_down_to() -> None:
    factory = PinnedFactory(Config(method="warp"))
    assert factory.for_stream().ladder("warp", logging.getLogger("test")).levels == ("full",)
