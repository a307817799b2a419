"""Which clips are measured, and what is kept of them."""

import shutil
from pathlib import Path

import pytest

from benchmarks.video.clips import find, first_frames
from benchmarks.video.integrity import kept, read
from streamanon.errors import UsageError
from testkit.clips import Clip, write_clip
from testkit.paths import DEMO


def test_the_first_frames_keep_their_times_and_sound(tmp_path: Path) -> None:
    clip = first_frames(DEMO, 15, tmp_path)
    before, after = read(DEMO), read(clip.path)
    assert clip.frames == len(after.times_s) == 15
    assert clip.of_frames == len(before.times_s)
    assert after.times_s == pytest.approx(before.times_s[:15], abs=0.001)
    assert len(after.audio) == len(before.audio) == 1
    assert first_frames(DEMO, 15, tmp_path) == clip


def test_a_short_clip_is_measured_as_it_is(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "short.mp4")
    assert first_frames(path, 100, tmp_path).path == path


def test_what_is_missing_is_reported(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "whole.mp4", Clip(sound="aac"))
    assert kept(path, path) == {
        "source_frames": 12, "frames": True, "times": True, "duration": True, "audio": True,
    }  # fmt: skip
    silent = write_clip(tmp_path / "silent.mp4")
    assert kept(path, silent)["audio"] is False
    assert kept(silent, silent)["audio"] is None
    late = tuple(pts + 30 * (pts > 2000) for pts in Clip().pts)
    assert kept(silent, write_clip(tmp_path / "late.mp4", Clip(pts=late)))["times"] is False
    short = write_clip(tmp_path / "short.mp4", Clip(pts=Clip().pts[:-2]))
    found = kept(silent, short)
    assert not found["frames"]
    assert not found["times"]
    assert not found["duration"]


def test_clips_are_found_and_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one.mp4", tmp_path / "two.mov"
    for path in (one, two):
        shutil.copy(DEMO, path)
    (tmp_path / "notes.txt").write_text("no clip")
    assert find([tmp_path]) == [one, two]
    assert find([two, one]) == [two, one]
    with pytest.raises(UsageError, match="does not exist"):
        find([tmp_path / "none.mp4"])
    with pytest.raises(UsageError, match="two clips are called one"):
        find([one, tmp_path])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UsageError, match="holds no video"):
        find([empty])
