"""Contestants take turns, and an interrupted measurement goes on where it was."""

from functools import partial
from pathlib import Path

import pytest

from benchmarks.speed.account import Usage
from benchmarks.speed.rounds import Run, interleaved, session


class Track:
    """Counts the runs of two contestants; fails once, at a given one."""

    def __init__(self, fails_at: int = -1) -> None:
        self.ran: list[str] = []
        self.fails_at = fails_at

    def run(self, name: str) -> Run:
        if len(self.ran) == self.fails_at:
            raise KeyboardInterrupt
        self.ran.append(name)
        return Run(Usage(float(len(self.ran)), 0.5, 10.0), {"frames": 7, "name": name})

    def measure(self, folder: Path, rounds: int) -> dict[str, list[Run]]:
        return interleaved({name: partial(self.run, name) for name in "ab"}, rounds, folder)


def test_contestants_take_turns(tmp_path: Path) -> None:
    track = Track()
    found = track.measure(tmp_path / "session", 3)
    assert track.ran == ["a", "b"] * 3
    assert [run.usage.elapsed_s for run in found["b"]] == [2, 4, 6]


def test_an_interrupted_measurement_goes_on_where_it_was(tmp_path: Path) -> None:
    first, second = Track(fails_at=3), Track()
    with pytest.raises(KeyboardInterrupt):
        first.measure(tmp_path, 2)
    found = second.measure(tmp_path, 2)
    assert (first.ran, second.ran) == (["a", "b", "a"], ["b"])
    assert [run.usage.elapsed_s for run in found["a"]] == [1, 3]
    assert found["a"][0] == Run(Usage(1.0, 0.5, 10.0), {"frames": 7, "name": "a"})


def test_other_settings_are_another_measurement(tmp_path: Path) -> None:
    one, same, other = (session(tmp_path, "speed", {"frames": n}) for n in (1, 1, 2))
    assert one == same != other
