import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from threading import Lock, Thread

import numpy as np
import pytest

from streamanon.errors import MediaError
from streamanon.safety.placeholder import draw_placeholder
from streamanon.sinks.live.keep_alive import KeepAlive
from streamanon.types import ColourSpace, MediaInfo, Picture, SafeFrame
from testkit.paths import ROOT

INFO = MediaInfo(
    "camera", 64, 48, ColourSpace("bt709"), Fraction(1, 90_000), Fraction(30), live=True
)


@dataclass
class Recorder:
    """Keeps what it is given; notices when two write at once."""

    frames: list[SafeFrame] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    closed: list[bool] = field(default_factory=list)
    failing: bool = False
    lock: Lock = field(default_factory=Lock)

    def write(self, frame: SafeFrame) -> None:
        assert self.lock.acquire(blocking=False)
        try:
            time.sleep(0.005)
            if self.failing:
                raise MediaError("the encoder died")
            self.frames.append(frame)
            self.times.append(time.monotonic())
        finally:
            self.lock.release()

    def close(self, *, complete: bool) -> None:
        self.closed.append(complete)


def frame(index: int, pts: int | None = None) -> SafeFrame:
    grey = Picture(
        (np.full((48, 64), 200, np.uint8), *(np.full((24, 32), 128, np.uint8) for _ in range(2))),
        INFO.colour,
    )
    return SafeFrame(index, grey, 3000 * index if pts is None else pts, INFO.time_base)


def is_placeholder(frame: SafeFrame) -> bool:
    return int(frame.picture.planes[0][0, 0]) < 80


def test_no_placeholder_among_frames_that_keep_coming() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    for index in range(25):
        keeper.write(frame(index))
        time.sleep(0.04)
    keeper.close(complete=True)
    assert [one.index for one in inside.frames] == list(range(25))
    assert not any(map(is_placeholder, inside.frames))


def test_placeholders_follow_the_last_frame_until_another_comes() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    keeper.write(frame(3, 9000))
    time.sleep(1.5)
    keeper.write(frame(4, 9000 + 135_000))
    count = len(inside.frames)
    time.sleep(0.2)
    keeper.close(complete=True)
    assert inside.closed == [True]
    assert len(inside.frames) == count
    placeholders = inside.frames[1:-1]
    assert len(placeholders) >= 3
    assert all(map(is_placeholder, placeholders))
    assert {one.index for one in placeholders} == {3}
    assert inside.times[1] - inside.times[0] > 0.3
    stamps = [one.pts for one in inside.frames]
    assert stamps == sorted(set(stamps))
    for one, at in zip(placeholders, inside.times[1:-1], strict=True):
        assert abs(one.pts / 90_000 - 0.1 - (at - inside.times[0])) < 0.6


def test_placeholders_come_before_the_first_frame_too() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    time.sleep(1.0)
    keeper.close(complete=False)
    assert inside.frames
    assert all(map(is_placeholder, inside.frames))
    assert inside.closed == [False]
    after = len(inside.frames)
    time.sleep(0.3)
    assert len(inside.frames) == after


def test_a_sink_that_fails_once_does_not_end_the_placeholders() -> None:
    inside = Recorder(failing=True)
    keeper = KeepAlive(inside, INFO)
    with pytest.raises(MediaError):
        keeper.write(frame(0))
    time.sleep(0.9)
    inside.failing = False
    time.sleep(0.5)
    keeper.close(complete=True)
    assert inside.frames
    assert all(map(is_placeholder, inside.frames))


def test_frames_and_placeholders_never_write_at_once() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    errors: list[BaseException] = []

    def write_now_and_then() -> None:
        try:
            for index in range(4):
                time.sleep(0.8)
                keeper.write(frame(index, 72_000 * (index + 1)))
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    thread = Thread(target=write_now_and_then)
    thread.start()
    thread.join()
    keeper.close(complete=True)
    assert not errors
    assert {is_placeholder(one) for one in inside.frames} == {True, False}


def test_the_placeholder_says_what_is_wrong_and_when() -> None:
    inside = Recorder()
    info = MediaInfo("camera", 640, 360, INFO.colour, INFO.time_base, INFO.rate, live=True)
    keeper = KeepAlive(inside, info)
    before = time.time()
    while not inside.frames:
        time.sleep(0.05)
    keeper.close(complete=True)
    shown = inside.frames[0].picture.planes[0]
    possible = [
        draw_placeholder((640, 360), info.colour, ("NO SIGNAL", time.strftime("%H:%M:%S", when)))
        for when in (time.localtime(before + second) for second in range(4))
    ]
    assert any(np.array_equal(shown, one.planes[0]) for one in possible)


def test_a_slow_camera_is_not_silent() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, replace(INFO, rate=Fraction(1)))
    for index in range(3):
        keeper.write(frame(index, 90_000 * index))
        time.sleep(1.0)
    keeper.close(complete=True)
    assert [one.index for one in inside.frames] == [0, 1, 2]


FIRST_CARD = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from tests.sinks.live.test_keep_alive import INFO, KeepAlive, Recorder, frame, is_placeholder

def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

inside = Recorder()
keeper = KeepAlive(inside, INFO)
for index in range(20):
    keeper.write(frame(index))
    time.sleep(0.05)
before_mb = resident_mb()
while not is_placeholder(inside.frames[-1]):
    time.sleep(0.05)
print(resident_mb() - before_mb)
keeper.close(complete=True)
"""


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is read as Linux tells it"
)
def test_a_lost_source_takes_no_more_memory() -> None:
    """OpenCV's font, 11 MB, is there before the first placeholder is needed."""
    code = FIRST_CARD.format(tests=str(ROOT))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 4
