"""Nothing is decoded before a keyframe, and nothing believed between a loss and the next."""

from __future__ import annotations

import pytest

from streamanon.sources.live.trust import Trust

SECOND = 90_000
STEP = 3000


def _admitted(
    trust: Trust, stamps: list[int | None], keyframes: set[int], at: int = 0
) -> list[int]:
    """Return the numbers of packets that are decoded; they arrive a step apart."""
    return [
        number
        for number, dts in enumerate(stamps)
        if trust.admits(keyframe=number in keyframes, dts=dts, arrival=at + number * STEP)
    ]


def test_decoding_begins_with_a_keyframe() -> None:
    stamps: list[int | None] = [STEP * number for number in range(20)]
    assert _admitted(Trust(), stamps, {7, 14}) == list(range(7, 20))


@pytest.mark.parametrize("jump", [-5 * SECOND, 5 * SECOND])
def test_after_a_jump_it_begins_anew(jump: int) -> None:
    stamps: list[int | None] = [
        STEP * number + (jump if number >= 10 else 0) for number in range(20)
    ]
    assert _admitted(Trust(), stamps, {0, 15}) == [*range(10), *range(15, 20)]


def test_packets_that_come_late_together_are_no_jump() -> None:
    trust = Trust()
    assert trust.admits(keyframe=True, dts=0, arrival=0)
    for number in range(1, 90):
        assert trust.admits(keyframe=False, dts=STEP * number, arrival=3 * SECOND)


def test_packets_without_time_and_slow_sources_are_no_jump() -> None:
    assert _admitted(Trust(), [0, None, None, STEP], {0}) == [0, 1, 2, 3]
    trust = Trust()
    assert trust.admits(keyframe=True, dts=0, arrival=0)
    assert trust.admits(keyframe=False, dts=5 * SECOND, arrival=5 * SECOND)


def test_a_stream_without_keyframes_is_decoded_in_the_end() -> None:
    stamps: list[int | None] = [STEP * number for number in range(400)]
    assert _admitted(Trust(), stamps, set()) == list(range(300, 400))


def test_pictures_are_believed_again_from_a_keyframe_after_the_loss() -> None:
    trust = Trust()
    assert trust.believes(keyframe=False, pts=0, arrival=0)
    trust.doubt(arrival=10)
    assert not trust.believes(keyframe=False, pts=10, arrival=10)
    # a keyframe from before the loss may still be on its way through the decoder
    assert not trust.believes(keyframe=True, pts=20, arrival=20)
    trust.expect(pts=40)
    assert not trust.believes(keyframe=False, pts=30, arrival=30)
    assert not trust.believes(keyframe=True, pts=35, arrival=35)
    assert trust.believes(keyframe=True, pts=40, arrival=40)
    assert trust.believes(keyframe=False, pts=50, arrival=50)


def test_a_keyframe_that_is_damaged_itself_renews_nothing() -> None:
    trust = Trust()
    trust.doubt(arrival=0)
    trust.expect(pts=10)
    trust.doubt(arrival=10)
    assert not trust.believes(keyframe=True, pts=10, arrival=10)
    trust.expect(pts=20)
    assert trust.believes(keyframe=True, pts=20, arrival=20)


def test_doubt_does_not_last_for_ever_where_no_keyframes_come() -> None:
    trust = Trust()
    trust.expect(pts=0)  # the one it began with
    trust.doubt(arrival=0)
    assert not trust.believes(keyframe=False, pts=1, arrival=9 * SECOND)
    assert trust.believes(keyframe=False, pts=2, arrival=11 * SECOND)


def test_where_keyframes_come_the_next_is_waited_for_a_minute_at_most() -> None:
    trust = Trust()
    trust.expect(pts=0)
    trust.expect(pts=1)
    trust.doubt(arrival=0)
    assert not trust.believes(keyframe=False, pts=2, arrival=59 * SECOND)
    assert trust.believes(keyframe=False, pts=3, arrival=61 * SECOND)


def test_a_mere_guess_is_forgotten_sooner_unless_more_is_known() -> None:
    trust = Trust()
    trust.expect(pts=0)
    trust.expect(pts=1)
    trust.doubt(arrival=0, guessed=True)
    assert trust.believes(keyframe=False, pts=2, arrival=11 * SECOND)
    trust.doubt(arrival=20 * SECOND)
    trust.doubt(arrival=20 * SECOND, guessed=True)
    assert not trust.believes(keyframe=False, pts=3, arrival=31 * SECOND)


def test_what_is_as_good_as_a_keyframe_ends_doubt_too() -> None:
    trust = Trust()
    trust.doubt(arrival=0)
    trust.expect(pts=50, keyframe=False)
    assert not trust.believes(keyframe=False, pts=40, arrival=40)
    assert trust.believes(keyframe=False, pts=50, arrival=50)


def test_a_keyframe_is_awaited_anew_when_the_clock_jumps_back() -> None:
    trust = Trust()
    trust.admits(keyframe=True, dts=100 * SECOND, arrival=0)
    trust.doubt(arrival=0)
    trust.expect(pts=100 * SECOND)
    assert trust.admits(keyframe=True, dts=0, arrival=STEP)
    trust.expect(pts=0)
    assert trust.believes(keyframe=True, pts=0, arrival=STEP)


def test_what_began_without_a_keyframe_is_not_believed_at_once() -> None:
    trust = Trust()
    for number in range(302):
        trust.admits(keyframe=False, dts=number * STEP, arrival=number * STEP)
    assert not trust.believes(keyframe=False, pts=302 * STEP, arrival=302 * STEP)
    assert trust.believes(keyframe=False, pts=700 * STEP, arrival=700 * STEP)
