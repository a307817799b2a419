"""The line itself: order, nothing lost, nothing published after a failure, no thread waits on."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import cast

import cv2
import numpy as np
import pytest

from streamanon.errors import LeakError, MediaError, StageError
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import Progress, run
from streamanon.pipeline.threads import opencv_single_threaded
from streamanon.tracking.observer import Observer, ObserverStats
from streamanon.types import (
    ColourSpace,
    Face,
    Frame,
    MediaInfo,
    Patch,
    Picture,
    Scene,
    Subject,
    Track,
)
from testkit.memory_sink import MemorySink

BASE = Fraction(1, 25)
COLOUR = ColourSpace("bt709")
BOX = np.array([16, 16, 48, 48], np.float32)


def _picture() -> Picture:
    rng = np.random.default_rng(0)
    shapes = ((64, 64), (32, 32), (32, 32))
    return Picture(tuple(rng.integers(0, 255, s, np.uint8) for s in shapes), COLOUR)


@dataclass
class Numbers:
    """A source of numbered frames."""

    count: int
    live: bool = False
    closed: bool = False

    @property
    def info(self) -> MediaInfo:
        rate = Fraction(25)
        return MediaInfo("numbers", 64, 64, COLOUR, BASE, rate, self.count, live=self.live)

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.count):
            yield Frame(index, _picture(), index, BASE)

    def close(self) -> None:
        self.closed = True


@dataclass
class Delayed:
    """An observer with one subject a frame and a delay line of three frames."""

    waiting: list[Scene] = field(default_factory=list)
    stats: ObserverStats = field(default_factory=ObserverStats)

    def push(self, frame: Frame) -> list[Scene]:
        self.stats.add_examined(frame.index)
        track = Track(1, Face(BOX, 1.0), BOX)
        self.waiting.append(Scene(frame, (Subject(track),)))
        return [self.waiting.pop(0)] if len(self.waiting) > 3 else []

    def flush(self) -> list[Scene]:
        rest, self.waiting = self.waiting, []
        return rest

    def fit_meshes(self, *, enabled: bool) -> None:
        pass


@dataclass
class Slow(Delayed):
    """Takes its time over every frame."""

    takes_s: float = 0.01

    def push(self, frame: Frame) -> list[Scene]:
        time.sleep(self.takes_s)
        return super().push(frame)


@dataclass
class Idle(Delayed):
    """Does not examine one frame."""

    passes: int = 4

    def push(self, frame: Frame) -> list[Scene]:
        scenes = super().push(frame)
        self.stats.unconfirmed.discard(self.passes)
        return scenes


@dataclass
class Grey:
    """An anonymiser that paints the box grey."""

    needs_mesh: bool = False

    def replace(self, scene: Scene) -> list[Patch | None]:
        image = np.full((40, 40, 3), 128, np.uint8)
        return [Patch(12, 12, image, np.ones((40, 40), np.float32)) for _ in scene.subjects]


def _run(source: Numbers, sink: MemorySink, **parts: object) -> Report:
    observer = cast("Observer", parts.pop("observer", None) or Delayed())
    anonymiser = cast("Grey", parts.pop("anonymiser", None) or Grey())
    stall_s = cast("float", parts.pop("stall_s", 30.0))
    return run(source, observer, anonymiser, sink, stall_s=stall_s)


def test_every_frame_arrives_in_order_and_is_booked() -> None:
    source, sink = Numbers(50), MemorySink()
    report = _run(source, sink)
    assert [frame.index for frame in sink.frames] == list(range(50))
    assert (sink.complete, source.closed) == (True, True)
    assert (report.frames_read, report.ledger.frames, report.uncovered) == (50, 50, 0)
    assert report.ledger.tracks[1].replaced == 50
    assert set(report.stages) == {"read", "see", "replace", "write"}


def test_the_time_of_every_frame_is_known() -> None:
    report = _run(Numbers(20), MemorySink(), observer=Slow(takes_s=0.005))
    see, write = report.stages["see"], report.stages["write"]
    assert len(see.worked_s) == len(see.waited_s) == 21  # and the last, when it is flushed
    assert min(see.worked_s[:20]) >= 0.005
    assert sum(write.waited_s) > sum(write.worked_s)  # for the slow stage before it
    assert len(report.latency_s) == 20
    assert min(report.latency_s[:17]) > 3 * 0.005  # the delay line holds three frames back


def test_a_frame_that_was_dropped_lends_no_time_to_the_next() -> None:
    @dataclass
    class Stuttering(Delayed):
        def push(self, frame: Frame) -> list[Scene]:
            time.sleep(0.5 if frame.index == 0 else 0)
            return super().push(frame)

    @dataclass
    class Even(Numbers):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                time.sleep(0.01)
                yield frame

    report = _run(Even(90, live=True), MemorySink(), observer=Stuttering())
    assert report.frames_dropped > 5
    assert len(report.latency_s) == 90 - report.frames_dropped
    assert max(report.latency_s[4:]) < report.latency_s[0]  # which waited for the first


def test_a_stream_without_frames_ends() -> None:
    sink = MemorySink()
    assert _run(Numbers(0), sink).ledger.frames == 0
    assert sink.complete


def test_progress_is_called_in_the_callers_thread() -> None:
    seen: list[tuple[Progress, threading.Thread]] = []
    run(
        Numbers(20),
        cast("Observer", Delayed()),
        Grey(),
        MemorySink(),
        progress=lambda progress: seen.append((progress, threading.current_thread())),
    )
    assert seen[-1] == (Progress(20, 20, 1, 20), threading.current_thread())


def test_an_interrupt_stops_the_line_and_publishes_nothing() -> None:
    source, sink = Numbers(100_000), MemorySink()

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(source, cast("Observer", Delayed()), Grey(), sink, progress=interrupt)
    assert (sink.complete, source.closed) == (False, True)


def test_a_live_source_loses_frames_only_before_they_are_seen() -> None:
    sink = MemorySink()
    report = _run(Numbers(50, live=True), sink, observer=Slow())
    assert report.frames_dropped > 0
    assert report.frames_read == 50
    assert len(sink.frames) == 50 - report.frames_dropped
    assert sink.frames[-1].index == 49


def test_a_frame_that_was_not_examined_is_not_published() -> None:
    sink = MemorySink()
    assert _run(Numbers(5), sink, observer=Idle()).uncovered == 1
    assert sink.complete is False


def test_an_observer_that_loses_a_frame_is_found_out() -> None:
    @dataclass
    class Forgetful(Delayed):
        def flush(self) -> list[Scene]:
            return super().flush()[1:]

    sink = MemorySink()
    with pytest.raises(StageError, match="9 frames came out of 10"):
        _run(Numbers(10), sink, observer=Forgetful())
    assert sink.complete is False


def test_deliberate_errors_keep_their_class_and_message() -> None:
    @dataclass
    class Broken(Numbers):
        def __iter__(self) -> Iterator[Frame]:
            yield from super().__iter__()
            raise MediaError("the disk is gone")

    source, sink = Broken(3), MemorySink()
    with pytest.raises(MediaError) as caught:
        _run(source, sink)
    assert str(caught.value) == "the disk is gone"
    assert (sink.complete, source.closed) == (False, True)


def test_a_failing_close_of_the_sink_is_a_failure() -> None:
    @dataclass
    class Full(MemorySink):
        def close(self, *, complete: bool) -> None:
            raise OSError("no space left")

    with pytest.raises(StageError, match="write: OSError: no space left"):
        _run(Numbers(3), Full())


def test_a_live_frame_that_was_not_examined_does_not_come_out() -> None:
    """However many of those behind it were examined meanwhile."""
    taken = threading.Semaphore(0)

    @dataclass
    class Asking(Idle):
        def push(self, frame: Frame) -> list[Scene]:
            taken.release()
            return super().push(frame)

    @dataclass
    class Patient(Numbers):
        def __iter__(self) -> Iterator[Frame]:
            for frame in super().__iter__():
                yield frame
                taken.acquire()  # so that none is dropped

        def stop(self) -> None:
            taken.release()

    sink = MemorySink()
    with pytest.raises(LeakError, match="not hidden completely"):
        _run(Patient(30, live=True), sink, observer=Asking(passes=3))
    written = [frame.index for frame in sink.frames]  # those on their way may be lost
    assert written == [0, 1, 2][: len(written)]
    assert sink.complete is False


def test_opencv_keeps_to_one_thread_until_the_last_line_has_ended() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        with opencv_single_threaded():
            with opencv_single_threaded():
                assert cv2.getNumThreads() == 1
            assert cv2.getNumThreads() == 1
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
