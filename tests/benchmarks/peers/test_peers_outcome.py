"""Leaks, lost sound and lost frames are seen; what could not be judged is not called good."""

import numpy as np
import pytest

pytest.importorskip("dlib", reason="the extra dlib is not installed")


from pathlib import Path

from benchmarks.peers.outcome import integrity, leaks
from benchmarks.speed.clips import write_start
from benchmarks.speed.floors import copy, decode_encode
from streamanon.config import Config
from streamanon.files.run import anonymise
from testkit.paths import DEMO
from testkit.videos import read_images, write_video

FRAMES = 6


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("peers") / "clip.mp4"
    write_start(DEMO, path, 360, FRAMES)
    return path


def test_a_peer_that_does_nothing_is_a_total_leak(clip: Path, tmp_path: Path) -> None:
    decode_encode(clip, tmp_path / "out.mp4")
    for found in leaks(clip, tmp_path / "out.mp4").values():
        assert (found["alive"], found["passed"], found["leak_rate"]) == (True, False, 1.0)
        assert found["longest_leak_frames"] == FRAMES


def test_a_mosaic_is_none_and_everything_is_kept(clip: Path, tmp_path: Path) -> None:
    anonymise(clip, tmp_path / "out.mp4", Config(method="mosaic"))
    for found in leaks(clip, tmp_path / "out.mp4").values():
        assert (found["alive"], found["passed"], found["leak_rate"]) == (True, True, 0.0)
    kept = integrity(clip, tmp_path / "out.mp4")
    assert {name: value for name, value in kept.items() if name.endswith("_kept")} == {
        "size_kept": True,
        "frames_kept": True,
        "times_kept": True,
        "duration_kept": True,
        "audio_kept": True,
    }


def test_lost_sound_is_seen(clip: Path, tmp_path: Path) -> None:
    copy(clip, tmp_path / "silent.mp4")
    kept = integrity(clip, tmp_path / "silent.mp4")
    assert (kept["audio_kept"], kept["frames_kept"], kept["times_kept"]) == (False, True, True)
    assert integrity(tmp_path / "silent.mp4", clip)["audio_kept"] is None


@pytest.mark.slow
def test_lost_frames_are_seen_and_leave_nothing_to_judge(clip: Path, tmp_path: Path) -> None:
    write_start(clip, tmp_path / "short.mp4", 360, FRAMES - 2)
    kept = integrity(clip, tmp_path / "short.mp4")
    assert (kept["frames_kept"], kept["duration_kept"]) == (False, False)
    assert not kept["times_kept"]
    for found in leaks(clip, tmp_path / "short.mp4").values():
        assert not found["alive"]
        assert "ends after 4 frames" in found["reason"]


def test_another_speed_is_seen(clip: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "slow.mp4", read_images(clip), rate=20)
    kept = integrity(clip, tmp_path / "slow.mp4")
    assert (kept["frames_kept"], kept["times_kept"], kept["duration_kept"]) == (True, False, False)


@pytest.mark.slow
def test_another_size_is_seen_and_judged_all_the_same(clip: Path, tmp_path: Path) -> None:
    write_start(clip, tmp_path / "other.mp4", 368, FRAMES)
    kept = integrity(clip, tmp_path / "other.mp4")
    assert (kept["size_kept"], kept["size"]) == (False, [654, 368])
    for found in leaks(clip, tmp_path / "other.mp4").values():
        assert found["leak_rate"] == 1.0


def test_a_clip_without_faces_is_not_called_clean(tmp_path: Path) -> None:
    path = write_video(tmp_path / "grey.mp4", [np.full((180, 320, 3), 128, np.uint8)] * 3)
    for found in leaks(path, path).values():
        assert not found["alive"]
        assert "no face found" in found["reason"]
