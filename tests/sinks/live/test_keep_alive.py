import time
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

from streamanon.errors import MediaError
from streamanon.safety.placeholder import draw_placeholder
from streamanon.sinks.live.keep_alive import SILENCE_S, KeepAlive
from streamanon.types import ColourSpace, MediaInfo, Picture, SafeFrame
from testkit.paths import ROOT
from testkit.python import python
from testkit.waiting import wait_until

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
    failed: int = 0
    lock: Lock = field(default_factory=Lock)

    def write(self, frame: SafeFrame) -> None:
        assert self.lock.acquire(blocking=False)
        try:
            time.sleep(0.005)
            if self.failing:
                self.failed += 1
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


def assert_placeholders_waited(inside: Recorder, silence_s: float) -> None:
    """Check that each placeholder came that long after a frame, however slow the machine is."""
    frame_s = inside.times[0]
    for one, at_s in zip(inside.frames, inside.times, strict=True):
        if is_placeholder(one):
            assert at_s - frame_s >= silence_s
        else:
            frame_s = at_s


def test_no_placeholder_among_frames_that_keep_coming() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    for index in range(25):
        keeper.write(frame(index))
        time.sleep(0.04)
    keeper.close(complete=True)
    assert [one.index for one in inside.frames if not is_placeholder(one)] == list(range(25))
    assert_placeholders_waited(inside, SILENCE_S)


def test_frames_that_come_slowly_are_no_silence_once_that_is_usual() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    for index in range(12):
        time.sleep(0.3)
        keeper.write(frame(index))
    slow_s = 3 * keeper._usual_s
    assert slow_s > SILENCE_S
    time.sleep(0.6)
    keeper.write(frame(12))
    at = max(number for number, one in enumerate(inside.frames) if one.index == 11)
    keeper.close(complete=True)
    assert_placeholders_waited(Recorder(inside.frames[at:], inside.times[at:]), 0.9 * slow_s)


def test_placeholders_follow_the_last_frame_until_another_comes() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    keeper.write(frame(3, 9000))
    wait_until(lambda: len(inside.frames) > 4)
    keeper.write(frame(4, 10**9))
    keeper.close(complete=True)
    assert inside.closed == [True]
    *placeholders, last = inside.frames[1:]
    assert not is_placeholder(last)
    assert all(map(is_placeholder, placeholders))
    assert {one.index for one in placeholders} == {3}
    assert_placeholders_waited(inside, SILENCE_S)
    shown_s = [one.pts / 90_000 - 0.1 for one in placeholders]
    assert shown_s[0] >= SILENCE_S
    assert min(np.diff(shown_s)) > 0.19
    for pts_s, at_s in zip(shown_s, inside.times[1:-1], strict=True):
        assert pts_s <= at_s - inside.times[0]


def test_placeholders_come_before_the_first_frame_too() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    wait_until(lambda: inside.frames)
    keeper.close(complete=False)
    assert all(map(is_placeholder, inside.frames))
    assert inside.closed == [False]


def test_a_sink_that_fails_once_does_not_end_the_placeholders() -> None:
    inside = Recorder(failing=True)
    keeper = KeepAlive(inside, INFO)
    with pytest.raises(MediaError):
        keeper.write(frame(0))
    wait_until(lambda: inside.failed > 2)
    inside.failing = False
    wait_until(lambda: inside.frames)
    keeper.close(complete=True)
    assert all(map(is_placeholder, inside.frames))


def test_frames_and_placeholders_never_write_at_once() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, INFO)
    for index in range(4):
        wait_until(lambda: inside.frames and is_placeholder(inside.frames[-1]))
        keeper.write(frame(index, 72_000 * (index + 1)))
    keeper.close(complete=True)
    assert {is_placeholder(one) for one in inside.frames} == {True, False}


def test_the_placeholder_says_what_is_wrong_and_when() -> None:
    inside = Recorder()
    info = MediaInfo("camera", 640, 360, INFO.colour, INFO.time_base, INFO.rate, live=True)
    keeper = KeepAlive(inside, info)
    before = time.time()
    wait_until(lambda: inside.frames)
    after = time.time()
    keeper.close(complete=True)
    shown = inside.frames[0].picture.planes[0]
    possible = [
        draw_placeholder((640, 360), info.colour, ("NO SIGNAL", time.strftime("%H:%M:%S", when)))
        for when in map(time.localtime, range(int(before), int(after) + 1))
    ]
    assert any(np.array_equal(shown, one.planes[0]) for one in possible)


def test_a_slow_camera_is_not_silent() -> None:
    inside = Recorder()
    keeper = KeepAlive(inside, replace(INFO, rate=Fraction(2)))
    for index in range(3):
        keeper.write(frame(index, 90_000 * index))
        time.sleep(2 * SILENCE_S)
    keeper.close(complete=True)
    assert_placeholders_waited(inside, 3 / 2)


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
    assert float(python("-c", code, check=True).stdout) < 4
