"""Live lines: no queue, no lost end, quality that follows the load, memory that does not grow."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.config import Config
from streamanon.errors import StageError, StallError
from streamanon.factory import Factory
from streamanon.pipeline import governor, runner
from streamanon.pipeline.live_controls import LiveControls
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.protocols import Anonymiser
from streamanon.sources.video import VideoSource
from streamanon.tracking.embedding_sampler import EmbeddingSampler
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.tracking.observer import Observer
from streamanon.types import Frame, MediaInfo, Patch, SafeFrame, Scene, Treatment
from testkit.logs import log_into
from testkit.memory_sink import MemorySink
from testkit.paths import DEMO

BASE = Fraction(1, 90000)


@dataclass
class Clip:
    """The first frames of the demo clip."""

    info: MediaInfo
    frames: list[Frame]


@pytest.fixture(scope="module")
def clip() -> Clip:
    source = VideoSource(DEMO)
    frames = [frame for frame, _ in zip(source, range(60), strict=False)]
    source.close()
    return Clip(replace(source.info, live=True, time_base=BASE, path=None), frames)


@pytest.fixture(scope="module")
def factory() -> Factory:
    return Factory(Config(method="warp"))


@dataclass
class Camera:
    """Plays a clip over and over at its own pace, until it is stopped or has played enough."""

    clip: Clip
    fps: float = 24.0
    most: int = 10_000
    silent_at: int = -1
    silent_s: float = 0.0
    went_on_s: float | None = None
    delivered: int = -1
    closed: bool = False
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def info(self) -> MediaInfo:
        return self.clip.info

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for index in range(self.most):
            if index == self.silent_at:
                if self.stopped.wait(self.silent_s):
                    return
                self.went_on_s = time.monotonic()
                start += self.silent_s
            if self.stopped.wait(max(0.0, start + index / self.fps - time.monotonic())):
                return
            frame = self.clip.frames[index % len(self.clip.frames)]
            yield Frame(index, frame.picture, round(index / self.fps * 90000), BASE)
            self.delivered = index

    def stop(self) -> None:
        self.stopped.set()

    def close(self) -> None:
        self.closed = True


@dataclass
class LastFrames(MemorySink):
    """Keeps the last frames it is given, and when it was given which."""

    delay_s: float = 0.0
    written: list[tuple[int, float]] = field(default_factory=list)

    def write(self, frame: SafeFrame) -> None:
        time.sleep(self.delay_s)
        super().write(frame)
        del self.frames[:-10]
        self.written.append((frame.index, time.monotonic()))


@dataclass
class Slow:
    """An anonymiser that takes its time."""

    inside: Anonymiser
    delay_s: float

    @property
    def needs_mesh(self) -> bool:
        return self.inside.needs_mesh

    def replace(self, scene: Scene) -> list[Patch | None]:
        time.sleep(self.delay_s)
        return self.inside.replace(scene)


class SlowEyes:
    """A detector that takes its time over whole frames."""

    def __init__(self, factory: Factory, delay_s: float) -> None:
        self._inside, self._delay_s = factory.detector, delay_s

    def detect(self, picture: Any) -> Any:
        time.sleep(self._delay_s)
        return self._inside.detect(picture)


@dataclass
class Rig:
    """A whole live line, with what watches it."""

    camera: Camera
    observer: Observer
    anonymiser: Anonymiser
    sink: LastFrames = field(default_factory=LastFrames)
    said: list[str] = field(default_factory=list)
    controls: LiveControls = field(default_factory=LiveControls)

    def run(self, stall_s: float = 30.0) -> Report:
        return run(
            self.camera,
            self.observer,
            self.anonymiser,
            self.sink,
            stall_s=stall_s,
            live=self.controls,
        )


def _rig(factory: Factory, camera: Camera, method: str = "warp") -> Rig:
    anonymiser = factory.anonymiser() if method == "warp" else PlainAnonymiser(method)
    if not anonymiser.needs_mesh:
        return Rig(camera, factory.observer(anonymiser, live=True), anonymiser)
    return Rig(camera, _observer(factory, anonymiser), anonymiser)


def _observer(factory: Factory, anonymiser: Anonymiser) -> Observer:
    """Return an observer that gives everyone one identity, which needs no time to be chosen."""
    assigner = IdentityAssigner(factory.gallery, only=factory.gallery[0].name)
    return factory.observer(anonymiser, live=True, assigner=assigner)


def test_a_clip_in_real_time_goes_through_as_it_comes(factory: Factory, clip: Clip) -> None:
    rig = _rig(factory, Camera(clip, most=72))
    report = rig.run()
    assert (rig.sink.complete, rig.camera.closed, report.uncovered) == (True, True, 0)
    assert report.frames_read == 72
    assert report.ledger.frames == len(rig.sink.written) == 72 - report.frames_dropped
    assert [index for index, _ in rig.sink.written] == sorted({i for i, _ in rig.sink.written})
    (done,) = rig.sink.frames[-1].treated
    assert (done.treatment, done.reason) == (Treatment.REPLACED, "")
    reading = rig.controls.meter.read()
    assert (reading.frames, reading.faces, reading.level) == (report.ledger.frames, 1, "full")
    assert sum(reading.dropped.values()) == report.frames_dropped
    assert 0 < reading.latency_p50_ms <= reading.latency_p99_ms
    assert reading.treatments == {"replaced": report.ledger.replaced}


@pytest.mark.parametrize("stage", ["see", "replace", "write"])
def test_a_slow_stage_costs_frames_and_not_time(
    factory: Factory, clip: Clip, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """60 ms a frame at 100 frames a second: what is looked at is the newest there is."""
    slow_s = 0.06
    rig = _rig(factory, Camera(clip, fps=100, most=200), "mosaic")
    if stage == "see":
        monkeypatch.setattr(rig.observer._finder, "_detector", SlowEyes(factory, slow_s))
    elif stage == "replace":
        rig.anonymiser = Slow(rig.anonymiser, slow_s)
    else:
        rig.sink.delay_s = slow_s
    push, newest = rig.observer.push, -1
    on_their_way, older_than_there_were = list[int](), list[int]()

    def watched(frame: Frame) -> list[Scene]:
        nonlocal newest
        on_their_way.append(len(on_their_way) - len(rig.sink.written))
        older_than_there_were.append(newest - frame.index)
        scenes = push(frame)
        newest = rig.camera.delivered
        return scenes

    monkeypatch.setattr(rig.observer, "push", watched)
    report = rig.run()
    reading = rig.controls.meter.read()
    assert report.frames_dropped > 0
    assert max(reading.dropped, key=lambda name: reading.dropped[name]) == stage
    assert max(on_their_way) <= 1
    assert max(older_than_there_were) <= 0


def test_a_stop_is_a_normal_end(factory: Factory, clip: Clip) -> None:
    rig = _rig(factory, Camera(clip), "mosaic")
    write = rig.sink.write

    def stop(frame: SafeFrame) -> None:
        write(frame)
        rig.camera.stop()

    rig.sink.write = stop  # type: ignore[method-assign]
    report = rig.run()
    assert report.frames_read < rig.camera.most
    assert (rig.sink.complete, rig.camera.closed) == (True, True)
    assert report.ledger.frames > 0


def test_a_silent_source_is_no_stall_and_keeps_no_frame_back(factory: Factory, clip: Clip) -> None:
    camera = Camera(clip, fps=50, most=40, silent_at=20, silent_s=2.5)
    rig = _rig(factory, camera, "mosaic")
    rig.observer = factory.observer(rig.anonymiser)  # looks ahead
    report = rig.run(stall_s=1.5)
    assert rig.sink.complete
    times = dict(rig.sink.written)
    before = 19  # none came after it that could replace it
    after = min(index for index in times if index > before)
    assert camera.went_on_s is not None
    assert times[before] < camera.went_on_s < times[after]  # it did not wait for the next one
    assert report.ledger.frames == 40 - report.frames_dropped


def test_a_stage_that_fails_ends_a_source_that_is_silent(factory: Factory, clip: Clip) -> None:
    rig = _rig(factory, Camera(clip, silent_at=5, silent_s=60), "mosaic")

    def fail(frame: SafeFrame) -> None:
        raise OSError("the encoder died")

    rig.sink.write = fail  # type: ignore[method-assign]
    with pytest.raises(StageError, match="write: OSError: the encoder died"):
        rig.run()
    assert rig.camera.went_on_s is None
    assert (rig.sink.complete, rig.camera.closed) == (False, True)
    report = rig.controls.report
    assert report is not None
    assert report.frames_read > 0
    assert report.ledger.frames > 0


def test_a_stage_that_hangs_is_named_soon(factory: Factory, clip: Clip) -> None:
    release = threading.Event()
    rig = _rig(factory, Camera(clip), "mosaic")
    inside = rig.anonymiser

    class Stuck(PlainAnonymiser):
        def replace(self, scene: Scene) -> list[Patch | None]:
            release.wait(20)
            return inside.replace(scene)

    rig.anonymiser = Stuck("mosaic")
    try:
        with pytest.raises(StallError, match=r"no progress for 0\.5 s: stopped$") as caught:
            rig.run(stall_s=0.5)
    finally:
        release.set()
    assert caught.value.stage == "replace"
    assert rig.camera.closed


def _ladder(factory: Factory, costs_s: dict[str, float], said: list[str]) -> SteppedAnonymiser:
    def make(method: str) -> Anonymiser:
        inside = factory.anonymiser() if method == "warp" else PlainAnonymiser(method)
        return Slow(inside, costs_s[method])

    return SteppedAnonymiser(make, "warp", log_into(said))


def _overloaded(
    factory: Factory, clip: Clip, prefer: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[Report, Rig]:
    """Run a line with time for 8 faces a second, of a camera that shows 20, until it keeps up."""
    monkeypatch.setattr(governor, "START_S", 0.5)
    monkeypatch.setattr(governor, "WATCH_S", 1.0)
    said: list[str] = []
    ladder = _ladder(factory, {"warp": 0.12, "mosaic": 0.0}, said)
    rig = Rig(Camera(clip, fps=20, most=90), _observer(factory, ladder), ladder, said=said)
    rig.controls = LiveControls(ladder=ladder, log=log_into(said), prefer=prefer)
    report = rig.run()
    assert report.uncovered == 0
    assert sum(rig.controls.meter.read().dropped.values()) == report.frames_dropped
    assert report.frames_read == report.ledger.frames + report.frames_dropped
    return report, rig


def test_overload_takes_fewer_frames_and_keeps_the_face(
    factory: Factory, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, rig = _overloaded(factory, clip, "face", monkeypatch)
    assert rig.said[0].endswith("quality steps down to 15 frames a second at most")
    reading = rig.controls.meter.read()
    assert (reading.level, reading.max_fps) == ("full", 15)
    assert reading.dropped["rate"] > 0
    assert reading.methods == {"warp": report.ledger.frames}


def test_overload_steps_down_to_the_mosaic_where_frames_matter_more(
    factory: Factory, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, rig = _overloaded(factory, clip, "rate", monkeypatch)
    assert rig.said[0].endswith("quality steps down to 'mosaic': faces are hidden by a mosaic")
    reading = rig.controls.meter.read()
    assert (reading.level, reading.max_fps, reading.dropped.get("rate")) == ("mosaic", 0, None)
    (done,) = rig.sink.frames[-1].treated
    assert (done.treatment, done.reason, done.identity) == (
        Treatment.REPLACED,
        "too much to do: mosaic instead",
        "",
    )
    assert any(step.reason == done.reason for step in report.ledger.steps_down)
    assert report.ledger.methods["mosaic"] > 10
    assert rig.sink.written[-1][0] == 89  # and keeps up again


def test_identities_survive_a_mosaic_and_a_new_line(factory: Factory, clip: Clip) -> None:
    ladder = _ladder(factory, {"warp": 0.0, "mosaic": 0.0}, [])
    worn: list[str] = []

    class Wardrobe(LastFrames):
        def write(self, frame: SafeFrame) -> None:
            super().write(frame)
            worn.extend(done.identity for done in frame.treated)
            if len(self.written) in (12, 24):
                ladder.set_method("mosaic" if len(self.written) == 12 else "warp")
            if len(self.written) == 36:
                rig.camera.stop()

    rig = Rig(Camera(clip, fps=15), factory.observer(ladder, live=True), ladder, Wardrobe())
    rig.controls = LiveControls(ladder=ladder)
    rig.run()
    assert "" in worn[13:25]
    (name,) = {name for name in worn if name}
    assert worn[-1] == name
    assert rig.observer._sampler is not None
    sampler = rig.observer._sampler
    assigner = sampler.assigner
    assigner.add_evidence(
        2, np.full(128, 128**-0.5, np.float32), 1.0
    )  # of a face the first line left
    worn.clear()
    rig.camera, rig.sink = Camera(clip, fps=15, most=10), Wardrobe()
    sampler = EmbeddingSampler(factory.embedder, sampler._sex, sampler._age, assigner)
    rig.observer = Observer(factory.detector, factory.mesher, sampler, look_ahead=0)
    rig.run()
    assert set(worn) == {"", name}
    assert worn[-1] == name
    assert rig.controls.meter.read().people == 2  # followed twice
    assert assigner._evidence == {}


def test_books_of_a_long_stream_stay_small(
    factory: Factory, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cut every fourth frame makes everybody a new person."""
    monkeypatch.setattr(runner, "_LIVE_KEEP", 10)
    monkeypatch.setattr(runner, "_LIVE_KEEP_TIMES", 10)
    frames = []
    for index in range(40):
        picture = clip.frames[index].picture
        if index // 4 % 2:
            luma, *chroma = (
                np.ascontiguousarray(plane[:, ::-1], np.uint8) for plane in picture.planes
            )
            paler = np.asarray(luma // 3 + 140, np.uint8)
            picture = replace(picture, planes=(paler, *chroma))
        frames.append(replace(clip.frames[index], picture=picture))
    rig = _rig(factory, Camera(replace(clip, frames=frames), fps=30))
    write = rig.sink.write

    def stop_in_the_end(frame: SafeFrame) -> None:
        write(frame)
        if len(rig.sink.written) > 100 and rig.observer.stats.births > 25:
            rig.camera.stop()

    rig.sink.write = stop_in_the_end  # type: ignore[method-assign]
    report = rig.run()
    seen, observer = report.observer, rig.observer
    assert seen.births > 20
    assert report.ledger.people == seen.births
    assert len(report.ledger.tracks) <= 20
    assert len(report.latency_s) < 20
    assert len(report.stages["see"].worked_s) < 20
    assert report.to_json()["frames"]["released"] == len(rig.sink.written)
    sampler = observer._sampler
    assert sampler is not None
    assert len(observer._smoothers) <= 2
    assert len(observer._meshes) <= 2
    assert len(sampler._tracks) <= 2
    assert len(sampler.assigner._by_track) <= 2
    assert len(sampler.assigner._evidence) <= 2
