"""Faces painted magenta and green: whatever fails, no such pixel may reach an output.

The checks are four pixels wide, so that any honest cover mixes them to grey.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.anonymisers.warp import WarpAnonymiser
from streamanon.errors import StageError
from streamanon.imaging.picture import whole_bgr
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.protocols import Anonymiser, Mesher
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.video import VideoSink
from streamanon.sources.video import VideoSource
from streamanon.tracking.observer import Observer
from streamanon.types import (
    F32,
    MESH_POINTS,
    U8,
    Face,
    Frame,
    Mesh,
    Patch,
    Picture,
    SafeFrame,
    Scene,
    Treatment,
)
from testkit.hooked import HookedSink, HookedSource
from testkit.painted import magenta_pixels
from testkit.videos import read_images, write_video

FRAMES = 20
WIDTH, HEIGHT, FACE = 320, 240, 96


def _face_at(index: int) -> tuple[int, int]:
    return 40 + 6 * index, 60 + 2 * index


def _painted(index: int) -> U8:
    rng = np.random.default_rng(index)
    image = rng.integers(100, 150, (HEIGHT, WIDTH, 3), np.uint8)
    x, y = _face_at(index)
    rows, columns = np.mgrid[:FACE, :FACE] // 4
    checks = (rows + columns) % 2 == 0
    image[y : y + FACE, x : x + FACE] = np.where(
        checks[..., None], np.array([255, 0, 255], np.uint8), np.array([0, 255, 0], np.uint8)
    )
    return image


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("magenta") / "painted.mp4"
    return write_video(path, map(_painted, range(FRAMES)))


@dataclass
class MagentaDetector:
    """Finds the painted faces; fails on demand."""

    wrong_at: tuple[int, ...] = ()
    error: Exception | None = None
    calls: int = 0

    def detect(self, picture: Picture) -> list[Face]:
        whole = (picture.width, picture.height) == (WIDTH, HEIGHT)
        if whole:
            self.calls += 1
        if whole and self.calls - 1 in self.wrong_at:
            if self.error:
                raise self.error
            return []
        image = whole_bgr(picture).astype(int)
        loud = np.abs(image[..., 0] - image[..., 1]) > 80
        mask = cv2.morphologyEx(loud.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        rows, columns = np.nonzero(mask)
        if len(rows) < 100:
            return []
        box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
        size = box[2:] - box[:2]
        marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
        return [Face(box, 0.9, box[:2] + marks * size)]


@dataclass
class NanMesher:
    """A mesh network that answers not-a-number, in one coordinate or in all."""

    everywhere: bool

    def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
        points = np.zeros((MESH_POINTS, 3), np.float32)
        points[:, :2] = roi.mean(axis=0)
        points[slice(None) if self.everywhere else 7] = np.nan
        return Mesh(points, 1.0)


@dataclass
class Spoiled:
    """A real anonymiser whose patches are spoiled at one frame."""

    spoil: Callable[[list[Patch | None]], list[Patch | None]]
    at: int
    inside: PlainAnonymiser = field(default_factory=lambda: PlainAnonymiser("mosaic"))
    needs_mesh: bool = False

    def replace(self, scene: Scene) -> list[Patch | None]:
        patches = self.inside.replace(scene)
        return self.spoil(patches) if scene.frame.index == self.at else patches


@dataclass
class Line:
    """A whole run of the painted clip, with one part gone wrong."""

    clip: Path
    output: Path
    detector: MagentaDetector = field(default_factory=MagentaDetector)
    mesher: Mesher | None = None
    anonymiser: Anonymiser = field(default_factory=lambda: PlainAnonymiser("mosaic"))
    damaged_at: int = -1
    sink_fails_at: int = -1
    frames: list[SafeFrame] = field(default_factory=list)

    def run(self) -> Report:
        source = VideoSource(self.clip)
        sink = VideoSink(self.output, source.info, EncoderSettings(None, 8, "veryfast"))
        return run(
            HookedSource(source, self._read),
            Observer(self.detector, self.mesher),
            self.anonymiser,
            HookedSink(sink, self._write, self.frames),
        )

    def _read(self, frame: Frame) -> Frame:
        return replace(frame, damaged=frame.index == self.damaged_at)

    def _write(self, frame: SafeFrame) -> None:
        if frame.index == self.sink_fails_at:
            raise OSError("the encoder died")

    def treatments(self, index: int) -> set[Treatment]:
        return {treated.treatment for treated in self.frames[index].treated}

    def assert_nothing_shows(self) -> None:
        assert [magenta_pixels(whole_bgr(frame.picture)) for frame in self.frames] == [0] * FRAMES
        assert list(map(magenta_pixels, read_images(self.output))) == [0] * FRAMES


@pytest.fixture
def line(clip: Path, tmp_path: Path) -> Line:
    return Line(clip, tmp_path / "out.mp4")


def test_the_clip_is_magenta_all_over(clip: Path) -> None:
    counts = list(map(magenta_pixels, read_images(clip)))
    assert len(counts) == FRAMES
    assert min(counts) > FACE * FACE / 4


@pytest.mark.parametrize("method", ["mosaic", "blur", "solid"])
def test_nothing_goes_wrong(line: Line, method: str) -> None:
    line.anonymiser = PlainAnonymiser(method)
    report = line.run()
    assert report.uncovered == 0
    assert line.treatments(0) == {Treatment.REPLACED}
    line.assert_nothing_shows()


@pytest.mark.parametrize("at", [0, FRAMES // 2, FRAMES - 1])
@pytest.mark.parametrize("error", [RuntimeError("dead"), MemoryError()])
def test_the_detector_raises(line: Line, at: int, error: Exception) -> None:
    line.detector = MagentaDetector((at,), error)
    assert line.run().uncovered == 0
    assert line.treatments(at) == {Treatment.WHOLE_FRAME}
    line.assert_nothing_shows()


@pytest.mark.parametrize("missed", [(0, 1, 2), (9, 10, 11), (17, 18, 19)])
def test_the_detector_misses_the_face(line: Line, missed: tuple[int, ...]) -> None:
    line.detector = MagentaDetector(missed)
    assert line.run().uncovered == 0
    line.assert_nothing_shows()


@pytest.mark.parametrize("mesher", [NanMesher(everywhere=True), NanMesher(everywhere=False)])
def test_the_landmarks_are_not_numbers(line: Line, mesher: NanMesher) -> None:
    line.mesher = mesher
    line.anonymiser = WarpAnonymiser()
    assert line.run().uncovered == 0
    assert line.treatments(5) == {Treatment.COVERED}
    line.assert_nothing_shows()


def _raise(error: Exception) -> list[Patch | None]:
    raise error


def _late(patches: list[Patch | None]) -> list[Patch | None]:
    time.sleep(0.3)
    return patches


def _each(change: Callable[[Patch], Patch]) -> Callable[[list[Patch | None]], list[Patch | None]]:
    return lambda patches: [change(patch) if patch else None for patch in patches]


SPOILED: dict[str, Callable[[list[Patch | None]], list[Patch | None]]] = {
    "raises": lambda _: _raise(RuntimeError("dead")),
    "out of memory": lambda _: _raise(MemoryError()),
    "no patches": lambda _: [],
    "too many": lambda patches: patches * 2,
    "gives up": lambda patches: [None for _ in patches],
    "wrong shape": _each(lambda patch: replace(patch, image=patch.image[:-3])),
    "grey image": _each(lambda patch: replace(patch, image=patch.image[..., 0])),
    "transparent": _each(lambda patch: replace(patch, alpha=np.zeros_like(patch.alpha))),
    "half transparent": _each(lambda patch: replace(patch, alpha=patch.alpha * np.float32(0.5))),
    "nan alpha": _each(lambda patch: replace(patch, alpha=patch.alpha * np.float32(np.nan))),
    "elsewhere": _each(lambda patch: replace(patch, x=patch.x + 200)),
}


@pytest.mark.parametrize("at", [0, FRAMES - 1])
@pytest.mark.parametrize("name", SPOILED)
def test_the_anonymiser_goes_wrong(line: Line, name: str, at: int) -> None:
    line.anonymiser = Spoiled(SPOILED[name], at)
    report = line.run()
    assert report.uncovered == 0
    assert line.treatments(at) == {Treatment.COVERED}
    assert [(step.first, step.last) for step in report.ledger.steps_down] == [(at, at)]
    line.assert_nothing_shows()


def test_a_late_patch_is_still_a_patch_in_a_file(line: Line) -> None:
    line.anonymiser = Spoiled(_late, 7)
    assert line.run().uncovered == 0
    assert line.treatments(7) == {Treatment.REPLACED}
    line.assert_nothing_shows()


@pytest.mark.parametrize("at", [0, FRAMES // 2, FRAMES - 1])
def test_a_frame_is_damaged(line: Line, at: int) -> None:
    line.damaged_at = at
    report = line.run()
    assert (report.uncovered, report.ledger.damaged) == (0, 1)
    assert line.treatments(at) == {Treatment.WHOLE_FRAME}
    line.assert_nothing_shows()


def test_the_encoder_dies(line: Line) -> None:
    line.sink_fails_at = FRAMES // 2
    with pytest.raises(StageError, match="the encoder died"):
        line.run()
    assert [magenta_pixels(whole_bgr(frame.picture)) for frame in line.frames] == [0] * len(
        line.frames
    )
    assert list(line.output.parent.iterdir()) == []
