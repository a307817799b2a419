"""One stream from start to end: what it does, what it says, what it survives."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmarks.live.clips import magenta, number_of
from streamanon.config import Config
from streamanon.errors import LeakError, MediaError, UsageError
from streamanon.factory import Factory
from streamanon.imaging.picture import whole_bgr
from streamanon.live import supervisor
from streamanon.live.stream import STREAM_LOG, Stream
from streamanon.media.address import output_address
from streamanon.pipeline import governor
from streamanon.sources.live.connection import DecodedFrame
from streamanon.sources.live.source import LiveSource
from streamanon.types import Frame, Patch, Scene
from testkit.addresses import live_input
from testkit.logs import Log, logged
from testkit.servers.rtsp_relay import RtspRelay
from testkit.streams import running, wait_for_frames
from testkit.waiting import wait_until

TEST_PICTURE = "lavfi:testsrc2=size=320x240:rate=30"


@pytest.fixture
def log() -> Iterator[Log]:
    with logged(STREAM_LOG) as lines:
        yield lines


def _stream(address: str, outputs: Sequence[str] = (), config: Config | None = None) -> Stream:
    source = live_input(address)
    sinks = [found for text in outputs if (found := output_address(text))]
    assert len(sinks) == len(outputs)
    factory = Factory(config or Config(method="mosaic"))
    return Stream("test", source, sinks, factory)


def _run_until_built_again(stream: Stream) -> None:
    """Run a stream whose line fails once until it goes on, and stop it."""
    with running(stream):
        wait_until(lambda: stream.status().restarts >= 1)
        wait_for_frames(stream, 5)
        wait_until(lambda: stream.status().state == "live")


def test_it_starts_shows_switches_and_stops(log: Log, relay: RtspRelay, painted_clip: Path) -> None:
    with relay.serve_file(painted_clip, "in", loop="steady") as url:
        stream = _stream(url, config=Config(method="warp"))
        assert (stream.status().state, stream.latest()) == ("starting", None)
        with running(stream):
            wait_for_frames(stream, 10)
            status = stream.status()
            assert (status.state, status.size, status.method) == ("live", (640, 456), "warp")
            assert status.faces == 1
            assert 0 < status.latency_p50_ms <= status.latency_p99_ms
            _shows_no_raw_face(stream)

            stream.set_method("mosaic")
            stream.set_identity("amara")
            wait_for_frames(stream, 5)
            status = stream.status()
            assert (status.method, status.identity) == ("mosaic", "amara")
            _shows_no_raw_face(stream)
    status = stream.status()
    assert (status.state, status.error, stream.error) == ("stopped", "", None)
    assert set(status.treatments) <= {"covered", "replaced"}  # covered until it was seen well
    assert sum(status.treatments.values()) == status.frames
    (line,) = stream.report()["lines"]
    assert line["uncovered"] == 0
    assert log.has("connected, 640x456")


def _shows_no_raw_face(stream: Stream) -> None:
    frame = stream.latest()
    assert frame is not None
    assert number_of(np.asarray(frame.picture.planes[0], np.uint8)) is not None
    assert magenta(whole_bgr(frame.picture)) == 0


def test_no_frame_leaves_anything_to_the_collector(
    relay: RtspRelay, painted_clip: Path, tmp_path: Path
) -> None:
    """It comes round ever more seldom, and what a frame leaves may be megabytes."""
    with (
        relay.serve_file(painted_clip, "in", loop="steady") as url,
        running(_stream(url, [f"hls:{tmp_path}"], Config(method="warp"))) as stream,
    ):
        wait_for_frames(stream, 10)
        gc.collect()
        gc.disable()
        try:
            wait_for_frames(stream, 60)
            assert gc.collect() < 60
        finally:
            gc.enable()


def test_what_there_is_not_is_refused_and_changes_nothing() -> None:
    with running(_stream(TEST_PICTURE)) as stream:
        with pytest.raises(UsageError, match="unknown method 'paint'"):
            stream.set_method("paint")
        with pytest.raises(UsageError, match="no identity called 'nobody'"):
            stream.set_identity("nobody")
        wait_for_frames(stream, 0)
        assert (stream.status().method, stream.status().identity) == ("mosaic", None)


def test_an_input_that_is_not_there_ends_the_stream(log: Log, relay: RtspRelay) -> None:
    with running(_stream(relay.url("nothing", "ann:secret"))) as stream:
        wait_until(lambda: not stream.running)
    assert isinstance(stream.error, MediaError)
    assert stream.status().state == "stopped"
    assert "secret" not in str(stream.error) + stream.status().error
    assert not log.has("secret")


def test_waiting_for_an_input_ends_when_stopped(log: Log, relay: RtspRelay) -> None:
    with running(_stream(relay.url("later"), config=Config(method="mosaic", wait=True))) as stream:
        wait_until(lambda: log.has("waiting for it"))
        assert stream.status().state == "starting"
    assert stream.error is None


def test_a_lost_input_is_reported_and_found_again(
    log: Log, relay: RtspRelay, painted_clip: Path
) -> None:
    with (
        relay.serve_file(painted_clip, "in", loop="again") as url,
        running(_stream(url)) as stream,
    ):
        wait_for_frames(stream, 5)
        relay.kill()
        wait_until(lambda: stream.status().state == "lost")
        assert stream.status().error
        placeholders = stream.latest()
        wait_until(lambda: stream.latest() is not placeholders)
        relay.start()
        wait_for_frames(stream, 5)
        assert (stream.status().state, stream.status().reconnects) == ("live", 1)
        assert (stream.status().error, stream.status().restarts) == ("", 0)
    assert log.has("lost: ")
    assert log.has("back, ")


class Failing:
    """Stands in the way of the observer now and then."""

    def __init__(self, factory: Factory, fail: Callable[[Frame], None]) -> None:
        self._build, self._fail = factory.observer, fail
        factory.observer = self.observer  # type: ignore[method-assign,assignment]

    def observer(self, *arguments: object, **named: object) -> object:
        observer = self._build(*arguments, **named)  # type: ignore[arg-type]
        push = observer.push

        def failing(frame: Frame) -> list[Scene]:
            self._fail(frame)
            return push(frame)

        observer.push = failing  # type: ignore[method-assign]
        return observer


def test_a_line_that_fails_is_built_again_and_people_keep_their_identity(
    log: Log, relay: RtspRelay, painted_clip: Path
) -> None:
    worn: list[str] = []
    with relay.serve_file(painted_clip, "in", loop="steady") as url:
        stream = _stream(url, config=Config(method="warp"))
        fail_at: list[int] = []

        def fail(frame: Frame) -> None:
            if fail_at and frame.index >= fail_at[0]:
                fail_at.clear()
                raise RuntimeError("a stage broke")

        Failing(stream._factory, fail)

        def wears() -> str:
            frame = stream.latest()
            return frame.treated[0].identity if frame and frame.treated else ""

        with running(stream):
            wait_until(lambda: stream.status().frames > 10 and wears() != "")
            worn.append(wears())
            fail_at.append(0)
            wait_until(lambda: stream.status().restarts == 1)
            frames = stream.status().frames
            wait_until(lambda: stream.status().frames > frames + 10 and wears() != "")
            worn.append(wears())
            wait_until(lambda: stream.status().state == "live")
    assert worn[0] == worn[1]
    assert stream.error is None
    assert log.has("the line failed and is built again, a placeholder is shown meanwhile: see: ")


def test_a_new_line_goes_on_at_the_level_of_the_one_that_failed(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(governor, "START_S", 0.2)
    monkeypatch.setattr(governor, "WATCH_S", 1.0)
    levels: list[str] = []
    stream = _stream(TEST_PICTURE, config=Config(method="warp", prefer="rate"))
    fail_at: list[int] = []

    def fail(frame: Frame) -> None:
        time.sleep(0.05)
        if fail_at:
            fail_at.clear()
            raise RuntimeError("a stage broke")
        levels.append(stream.status().level)

    Failing(stream._factory, fail)
    with running(stream):
        wait_until(lambda: stream.status().level == "mosaic")
        fail_at.append(0)
        wait_until(lambda: stream.status().restarts == 1)
        levels.clear()
        wait_until(lambda: len(levels) > 5)
        assert set(levels) == {"mosaic"}
    assert log.has("quality steps down to 'mosaic'")


def test_what_a_failed_line_could_not_hide_is_reported_in_the_end() -> None:
    stream = _stream(TEST_PICTURE)
    leaks: list[int] = []
    shown: set[int] = set()

    class Blind(Failing):
        """Lets one frame pass without detection."""

        def observer(self, *arguments: object, **named: object) -> object:
            observer = super().observer(*arguments, **named)
            push = observer.push  # type: ignore[attr-defined]

            def blind(frame: Frame) -> list[Scene]:
                if frame.index < 5 or leaks:
                    return push(frame)  # type: ignore[no-any-return]
                leaks.append(frame.index)
                return [Scene(frame)]

            observer.push = blind  # type: ignore[attr-defined]
            return observer

    Blind(stream._factory, lambda frame: None)
    with running(stream):
        wait_until(lambda: stream.status().restarts == 1)
        frames = stream.status().frames
        while stream.status().frames < frames + 10:
            latest = stream.latest()
            if latest and latest.treated:
                shown.add(latest.index)
    assert isinstance(stream.error, LeakError)
    report = stream.report()
    assert report["uncovered"] == 1
    assert [line["uncovered"] for line in report["lines"]] == [1, 0]
    assert "1 faces or frames were not hidden" in report["status"]["error"]
    assert leaks[0] not in shown


def test_a_line_that_fails_again_and_again_is_reported_once(log: Log) -> None:
    stream = _stream(TEST_PICTURE)

    def fail(frame: Frame) -> None:
        raise RuntimeError("always")

    Failing(stream._factory, fail)
    with running(stream):
        wait_until(lambda: stream.status().restarts > 3)
        status = stream.status()
        assert (status.state, status.frames) == ("restarting", 0)
        assert status.since_s > 0.1
        assert "always" in status.error
    assert sum("the line failed" in line for line in log) == 1
    assert stream.error is None


def test_reading_that_fails_goes_on_with_the_next_line(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = LiveSource._frame
    broken: list[int] = []

    def breaks(self: LiveSource, shot: DecodedFrame) -> Frame:
        frame = read(self, shot)
        if frame.index == 5 and not broken:
            broken.append(frame.index)
            raise RuntimeError("reading broke")
        return frame

    monkeypatch.setattr(LiveSource, "_frame", breaks)
    stream = _stream(TEST_PICTURE)
    _run_until_built_again(stream)
    assert stream.error is None
    assert log.has("read: ")


def test_a_stage_that_hangs_is_left_behind(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "STALL_S", 1.0)
    stream = _stream(TEST_PICTURE)
    hung: list[int] = []

    def hang(frame: Frame) -> None:
        if frame.index > 5 and not hung:
            hung.append(frame.index)
            time.sleep(3)

    Failing(stream._factory, hang)
    _run_until_built_again(stream)
    assert log.has("no progress for 1 s")


def test_a_broken_anonymiser_leaves_all_faces_covered(
    relay: RtspRelay, painted_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, scene: Scene) -> list[Patch | None]:
        raise RuntimeError("no method works")

    monkeypatch.setattr("streamanon.anonymisers.warp.WarpAnonymiser.replace", broken)
    with (
        relay.serve_file(painted_clip, "in", loop="steady") as url,
        running(_stream(url, config=Config(method="warp"))) as stream,
    ):
        wait_for_frames(stream, 10)
        _shows_no_raw_face(stream)
        assert set(stream.status().treatments) == {"covered"}
    assert stream.error is None


def test_one_stream_that_fails_leaves_the_other_alone(log: Log, relay: RtspRelay) -> None:
    factory = Factory(Config(method="mosaic"))
    good, bad = (
        Stream(name, live_input(address), [], factory.for_stream())
        for name, address in (("good", TEST_PICTURE), ("bad", relay.url("nothing")))
    )
    with running(good), running(bad):
        wait_until(lambda: not bad.running)
        wait_for_frames(good, 5)
    assert (good.error, bad.error is None) == (None, False)
