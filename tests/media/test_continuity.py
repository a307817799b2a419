"""One clock for all tracks of a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from streamanon.media.continuity import continuous
from testkit.clips import Clip, moved, remux, write_clip


def packets(path: Path) -> list[tuple[str, float]]:
    """Return kind and decode time of all packets of a file."""
    with av.open(str(path)) as container:
        return [
            (packet.stream.type, float((packet.dts or 0) * packet.time_base))
            for packet in continuous(container)
            if packet is not None and packet.size
        ]


def rewritten(path: Path, moved_s: Callable[[str, float], float | None]) -> Path:
    """Write a transport stream of four seconds; returns it with the times of packets moved.

    Args:
        path: file to write.
        moved_s: returns what is added to a packet's times, or None to leave it out.
    """
    clip = Clip(pts=tuple(range(0, 100 * 512, 512)), sound="aac", options={"bf": "0", "g": "25"})
    plain = write_clip(path.with_name("plain.mp4"), clip)

    def change(number: int, packet: Any) -> list[Any]:
        away_s = moved_s(packet.stream.type, float(packet.dts * packet.time_base))
        return [] if away_s is None else moved(number, packet, away_s)

    return remux(plain, path, change)


def lag_s(found: list[tuple[str, float]]) -> float:
    """Return by how much sound is ahead of the picture at the end."""
    ends = {kind: max(at for one, at in found if one == kind) for kind in ("video", "audio")}
    return ends["audio"] - ends["video"]


@pytest.fixture
def usual_s(tmp_path: Path) -> float:
    return lag_s(packets(rewritten(tmp_path / "usual.ts", lambda *_: 0)))


def test_a_jump_moves_sound_and_picture_by_the_same(tmp_path: Path, usual_s: float) -> None:
    found = packets(rewritten(tmp_path / "in.ts", lambda _, at: 1000 if at >= 2 else 0))
    assert lag_s(found) == pytest.approx(usual_s, abs=1e-3)
    assert max(at for _, at in found) < 4.2


def test_a_gap_of_one_track_is_no_jump(tmp_path: Path, usual_s: float) -> None:
    """Sound that is missing for longer than a jump: the picture goes on, and they stay together."""

    def silent(kind: str, at: float) -> float | None:
        slow = 12 * (at - 1) if at > 1 else 0  # the film takes 40 s
        return None if kind == "audio" and 1.2 < at < 2.5 else slow

    found = packets(rewritten(tmp_path / "in.ts", silent))
    assert max(at for kind, at in found if kind == "video") == pytest.approx(39.5, abs=0.6)
    assert abs(lag_s(found) - usual_s) < 0.6


def test_times_of_files_that_cannot_jump_ahead_stay(tmp_path: Path) -> None:
    found = packets(rewritten(tmp_path / "in.mkv", lambda _, at: 100 if at >= 2 else 0))
    assert max(at for _, at in found) == pytest.approx(104, abs=0.2)


def test_times_that_are_days_ahead_are_wrong_in_every_format(
    tmp_path: Path, usual_s: float
) -> None:
    found = packets(rewritten(tmp_path / "in.mkv", lambda _, at: 200_000 if at >= 2 else 0))
    assert max(at for _, at in found) < 4.2
    assert lag_s(found) == pytest.approx(usual_s, abs=0.05)


def test_a_track_begins_where_the_others_are(tmp_path: Path) -> None:
    """Pictures begin after the time stamps of the sound went wrong: theirs are right."""

    def moved(kind: str, at: float) -> float | None:
        if kind == "video":
            return None if at < 2 else 0
        return 200_000 if at >= 1 else 0

    found = packets(rewritten(tmp_path / "in.mkv", moved))
    assert min(at for kind, at in found if kind == "video") == pytest.approx(2, abs=0.05)
