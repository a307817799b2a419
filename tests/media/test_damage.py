"""Nothing is decoded before a keyframe, and nothing believed between a loss and the next."""

import pytest

from streamanon.media.damage import DamageTracker

SECOND = 90_000
STEP = 3000


def _admitted(tracker: DamageTracker, stamps: list[int | None], keyframes: set[int]) -> list[int]:
    """Return the numbers of packets that are decoded; they arrive a step apart."""
    return [
        number
        for number, dts in enumerate(stamps)
        if tracker.admits(keyframe=number in keyframes, dts=dts, arrival=number * STEP)
    ]


def _decode(tracker: DamageTracker, pts: int, *, keyframe: bool = True) -> None:
    """Send a keyframe, or what is as good as one, to the decoder."""
    tracker.send(pts)
    tracker.expect(pts, keyframe=keyframe)


def test_decoding_begins_with_a_keyframe() -> None:
    stamps: list[int | None] = [STEP * number for number in range(20)]
    assert _admitted(DamageTracker(), stamps, {7, 14}) == list(range(7, 20))


@pytest.mark.parametrize("jump", [-5 * SECOND, 5 * SECOND])
def test_after_a_jump_it_begins_again(jump: int) -> None:
    stamps: list[int | None] = [
        STEP * number + (jump if number >= 10 else 0) for number in range(20)
    ]
    assert _admitted(DamageTracker(), stamps, {0, 15}) == [*range(10), *range(15, 20)]


def test_packets_that_come_late_together_are_no_jump() -> None:
    tracker = DamageTracker()
    assert tracker.admits(keyframe=True, dts=0, arrival=0)
    for number in range(1, 90):
        assert tracker.admits(keyframe=False, dts=STEP * number, arrival=3 * SECOND)


def test_packets_without_time_and_slow_sources_are_no_jump() -> None:
    assert _admitted(DamageTracker(), [0, None, None, STEP], {0}) == [0, 1, 2, 3]
    tracker = DamageTracker()
    assert tracker.admits(keyframe=True, dts=0, arrival=0)
    assert tracker.admits(keyframe=False, dts=5 * SECOND, arrival=5 * SECOND)


def test_a_stream_without_keyframes_is_decoded_in_the_end() -> None:
    stamps: list[int | None] = [STEP * number for number in range(400)]
    assert _admitted(DamageTracker(), stamps, set()) == list(range(300, 400))


def test_pictures_are_believed_again_from_a_keyframe_after_the_loss() -> None:
    tracker = DamageTracker()
    assert tracker.believes(0, keyframe=False, arrival=0)
    tracker.doubt(arrival=10)
    assert not tracker.believes(10, keyframe=False, arrival=10)
    # a keyframe from before the loss may still be on its way through the decoder
    assert not tracker.believes(20, keyframe=True, arrival=20)
    _decode(tracker, 40)
    assert not tracker.believes(30, keyframe=False, arrival=30)
    assert not tracker.believes(35, keyframe=True, arrival=35)
    assert tracker.believes(40, keyframe=True, arrival=40)
    assert tracker.believes(50, keyframe=False, arrival=50)


def test_a_keyframe_that_is_damaged_itself_renews_nothing() -> None:
    tracker = DamageTracker()
    tracker.doubt(arrival=0)
    _decode(tracker, 10)
    tracker.doubt(arrival=10)
    assert not tracker.believes(10, keyframe=True, arrival=10)
    _decode(tracker, 20)
    assert tracker.believes(20, keyframe=True, arrival=20)


@pytest.mark.parametrize(("keyframes", "lasts_s"), [(1, 10), (2, 60)], ids=["none come", "come"])
def test_doubt_does_not_last_for_ever(keyframes: int, lasts_s: int) -> None:
    tracker = DamageTracker()
    for pts in range(keyframes):
        _decode(tracker, pts)
    tracker.doubt(arrival=0)
    assert not tracker.believes(2, keyframe=False, arrival=(lasts_s - 1) * SECOND)
    assert tracker.believes(3, keyframe=False, arrival=(lasts_s + 1) * SECOND)


def test_a_mere_guess_is_forgotten_sooner_unless_more_is_known() -> None:
    tracker = DamageTracker()
    _decode(tracker, 0)
    _decode(tracker, 1)
    tracker.doubt(arrival=0, guessed=True)
    assert tracker.believes(2, keyframe=False, arrival=11 * SECOND)
    tracker.doubt(arrival=20 * SECOND)
    tracker.doubt(arrival=20 * SECOND, guessed=True)
    assert not tracker.believes(3, keyframe=False, arrival=31 * SECOND)


def test_what_is_as_good_as_a_keyframe_ends_doubt_too() -> None:
    tracker = DamageTracker()
    tracker.doubt(arrival=0)
    _decode(tracker, 50, keyframe=False)
    assert not tracker.believes(40, keyframe=False, arrival=40)
    assert tracker.believes(50, keyframe=False, arrival=50)


def test_a_keyframe_is_awaited_again_when_the_clock_jumps_back() -> None:
    tracker = DamageTracker()
    tracker.admits(keyframe=True, dts=100 * SECOND, arrival=0)
    tracker.doubt(arrival=0)
    _decode(tracker, 100 * SECOND)
    assert tracker.admits(keyframe=True, dts=0, arrival=STEP)
    _decode(tracker, 0)
    assert tracker.believes(0, keyframe=True, arrival=STEP)


def test_what_began_without_a_keyframe_is_not_believed_at_once() -> None:
    tracker = DamageTracker()
    for number in range(302):
        tracker.admits(keyframe=False, dts=number * STEP, arrival=number * STEP)
    assert not tracker.believes(302 * STEP, keyframe=False, arrival=302 * STEP)
    assert tracker.believes(700 * STEP, keyframe=False, arrival=700 * STEP)


def test_an_older_keyframe_that_is_shown_later_renews_nothing() -> None:
    tracker = DamageTracker()
    for pts in (0, 9, 6, 12):
        tracker.send(pts)
    tracker.doubt(tracker.number(6))
    tracker.expect(9, number=tracker.number(9))
    assert not tracker.believes(9, keyframe=True, number=tracker.number(9))
    tracker.expect(12, number=tracker.number(12))
    assert tracker.believes(12, keyframe=True, number=tracker.number(12))


def test_after_a_failure_only_what_came_out_before_it_is_believed_until_it_is_located() -> None:
    tracker = DamageTracker()
    for pts in (0, 1, 2, 3):
        tracker.send(pts)
    tracker.fail()
    assert tracker.believes(0, keyframe=False, failing=False)
    assert not tracker.believes(1, keyframe=False, failing=True)
    tracker.lose(2)
    assert not tracker.failing
    assert not tracker.believes(3, keyframe=False, failing=True)
    tracker.send(4)
    tracker.expect(4, number=tracker.number(4))
    assert tracker.believes(4, keyframe=True, failing=True)
