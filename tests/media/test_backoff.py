"""Tries begin at once and settle at about one a second, never in step with each other."""

from streamanon.media.backoff import Backoff


def test_waits_grow_to_a_limit_and_start_over() -> None:
    for seed in range(50):
        backoff = Backoff(seed)
        waits = [backoff.next_s() for _ in range(20)]
        assert waits[0] <= 0.1
        assert sum(waits[:4]) < 1.6
        assert all(0.5 <= wait <= 1.0 for wait in waits[4:])
        backoff.reset()
        assert backoff.next_s() <= 0.1
        quick = Backoff(seed, most_s=0.4)
        assert 0.2 <= max([quick.next_s() for _ in range(20)][4:]) <= 0.4


def test_two_do_not_try_at_the_same_times() -> None:
    first, second = Backoff(1), Backoff(2)
    assert all(first.next_s() != second.next_s() for _ in range(20))
    unseeded = [Backoff().next_s() for _ in range(3)]
    assert len(set(unseeded)) == 3
