"""The channel: order, bounds, both policies, and that no thread waits for one that has ended."""

from collections.abc import Callable
from threading import Thread, Timer

import pytest

from streamanon.pipeline.channel import Channel, InFlightLimit, StoppedError


def _stopped_by(channel: Channel[int], waiting: Callable[[], object]) -> bool:
    """Let a thread wait on a channel, stop the channel, and tell whether the thread was woken."""
    stopped: list[bool] = []

    def body() -> None:
        try:
            waiting()
        except StoppedError:
            stopped.append(True)

    thread = Thread(target=body, daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    channel.stop()
    thread.join(5)
    return stopped == [True]


def test_waiting_keeps_every_item_in_order() -> None:
    channel: Channel[int] = Channel(2)

    def send() -> None:
        for number in range(200):
            channel.put(number)
        channel.finish()

    thread = Thread(target=send, daemon=True)
    thread.start()
    assert list(channel) == list(range(200))
    thread.join(5)
    assert channel.dropped == 0


def test_newest_drops_the_oldest_and_counts() -> None:
    channel: Channel[int] = Channel(1, newest=True)
    assert [channel.put(number) for number in range(3)] == [False, True, True]
    channel.finish()
    assert list(channel) == [2]
    assert channel.dropped == 2


def test_a_full_channel_makes_the_sender_wait() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    thread = Thread(target=channel.put, args=(1,), daemon=True)
    thread.start()
    thread.join(0.1)
    assert thread.is_alive()
    assert next(iter(channel)) == 0
    thread.join(5)
    assert not thread.is_alive()


def test_stop_wakes_a_waiting_receiver() -> None:
    channel: Channel[int] = Channel(1)
    assert _stopped_by(channel, lambda: list(channel))


def test_stop_wakes_a_waiting_sender() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(0)
    assert _stopped_by(channel, lambda: channel.put(1))


def test_stop_forgets_what_was_waiting() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(0)
    channel.stop()
    with pytest.raises(StoppedError):
        list(channel)


def test_a_channel_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Channel(0)


def test_a_receiver_with_a_limit_gets_none_after_a_silence() -> None:
    channel: Channel[int] = Channel(1)
    items = channel.or_idle(0.01)
    assert next(items) is None
    channel.put(7)
    assert next(items) == 7
    assert next(items) is None

    def send() -> None:
        channel.put(8)
        channel.finish()

    later = Timer(0.1, send)
    later.start()
    assert list(items) == [8]  # None comes once a silence
    later.join()


def test_no_more_enter_a_passage_than_it_holds() -> None:
    limit = InFlightLimit(2)
    limit.wait()
    limit.enter()
    limit.wait()
    limit.enter()
    thread = Thread(target=limit.wait, daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    limit.leave()
    thread.join(5)
    assert not thread.is_alive()


def test_who_waits_for_a_passage_is_woken_when_the_run_is_stopped() -> None:
    limit = InFlightLimit(1)
    limit.enter()
    limit.stop()
    with pytest.raises(StoppedError):
        limit.wait()
