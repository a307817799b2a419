"""The failure matrix: each stage raises, hangs or dawdles at the first, a middle, the last frame.

Everything is real but for the fault: the file, the detector, the cover, the encoder.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.config import Config
from streamanon.errors import StageError, StallError
from streamanon.factory import Factory
from streamanon.pipeline.document import sha256
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.protocols import Detector
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.video import VideoSink
from streamanon.sources.video import VideoSource
from streamanon.tracking.observer import Observer
from streamanon.types import Frame, Patch, Scene
from testkit.hooked import HookedSink, HookedSource
from testkit.videos import read_frames

STAGES = ("read", "see", "replace", "write")
FRAMES = 16
MOMENTS = {"first": 0, "middle": FRAMES // 2, "last": FRAMES - 1}
STALL_S = 1.0


@dataclass
class Fault:
    """Goes off once, at one frame of one stage."""

    stage: str
    kind: str
    index: int
    release: threading.Event = field(default_factory=threading.Event)

    def pass_by(self, stage: str, index: int) -> None:
        if (stage, index) != (self.stage, self.index):
            return
        if self.kind == "raise":
            raise RuntimeError("injected")
        self.release.wait(0.3 if self.kind == "slow" else 60)


class FaultyObserver(Observer):
    def __init__(self, detector: Detector, fault: Fault) -> None:
        super().__init__(detector)
        self._fault = fault

    def push(self, frame: Frame) -> list[Scene]:
        self._fault.pass_by("see", frame.index)
        return super().push(frame)


class FaultyAnonymiser(PlainAnonymiser):
    def __init__(self, fault: Fault) -> None:
        super().__init__("mosaic")
        self._fault = fault

    def replace(self, scene: Scene) -> list[Patch | None]:
        self._fault.pass_by("replace", scene.frame.index)
        return super().replace(scene)


@dataclass
class Rig:
    """A whole run into an empty folder, with one fault."""

    clip: Path
    output: Path
    detector: Detector

    def run(self, fault: Fault) -> Report:
        def read(frame: Frame) -> Frame:
            fault.pass_by("read", frame.index)
            return frame

        source = VideoSource(self.clip)
        sink = VideoSink(self.output, source.info, EncoderSettings(None, 20, "veryfast"))
        return run(
            HookedSource(source, read),
            FaultyObserver(self.detector, fault),
            FaultyAnonymiser(fault),
            HookedSink(sink, lambda frame: fault.pass_by("write", frame.index)),
            stall_s=STALL_S if fault.kind == "hang" else 30.0,
        )

    def left(self) -> list[Path]:
        return list(self.output.parent.iterdir())


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Factory(Config(method="mosaic")).detector


@pytest.fixture
def rig(face_clip: Path, tmp_path: Path, detector: Detector) -> Iterator[Rig]:
    before = sha256(face_clip)
    yield Rig(face_clip, tmp_path / "out.mp4", detector)
    assert sha256(face_clip) == before


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", ["read", "see", "write"])
def test_raise(rig: Rig, stage: str, moment: str) -> None:
    with pytest.raises(StageError, match="RuntimeError: injected") as caught:
        rig.run(Fault(stage, "raise", MOMENTS[moment]))
    assert caught.value.stage == stage
    assert rig.left() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_raise_in_replace_costs_realism_not_the_run(rig: Rig, moment: str) -> None:
    report = rig.run(Fault("replace", "raise", MOMENTS[moment]))
    (step,) = report.ledger.steps_down
    assert (step.first, step.last, step.treatment) == (*[MOMENTS[moment]] * 2, "covered")
    assert (report.uncovered, len(read_frames(rig.output))) == (0, FRAMES)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_hang(rig: Rig, stage: str, moment: str) -> None:
    fault = Fault(stage, "hang", MOMENTS[moment])
    try:
        with pytest.raises(StallError) as caught:
            rig.run(fault)
        assert caught.value.stage == stage
        assert not rig.output.exists()
        if stage != "write":  # the temporary file belongs to the stage that hangs
            assert rig.left() == []
        hung = [t for t in threading.enumerate() if t.name.startswith("streamanon-")]
        assert [(thread.name, thread.daemon) for thread in hung] == [(f"streamanon-{stage}", True)]
    finally:
        fault.release.set()
    for thread in hung:
        thread.join(5)
    assert rig.left() == []


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("stage", STAGES)
def test_slow(rig: Rig, stage: str, moment: str) -> None:
    report = rig.run(Fault(stage, "slow", MOMENTS[moment]))
    assert (report.uncovered, report.frames_dropped, len(read_frames(rig.output))) == (0, 0, FRAMES)
    assert rig.left() == [rig.output]
