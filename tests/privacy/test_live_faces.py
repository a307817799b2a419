"""Real faces with painted noses, through live lines with the real networks, at every quality.

The paint is magenta and green in checks four pixels wide; the detector finds such faces as well as
any. Whatever hides a face mixes the checks to grey.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.config import Config
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.pipeline.live_controls import LiveControls
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.types import F32, U8, ColourSpace, Frame, MediaInfo, Mesh, Patch, Scene
from testkit.memory_sink import MemorySink
from testkit.networks import mesh_fitter
from testkit.painted import magenta_pixels
from testkit.staged import clip_frames, fit

RGB = ColourSpace("rgb", full_range=True, chroma_shift=(0, 0))
SPOTS = (6, 4, 164)
"""Mesh points on the bridge and the tip of the nose and above the lips."""


def _painted(image: U8, mesh: Mesh) -> U8:
    image = image.copy()
    reach = 0.12 * lm.inter_ocular_px(mesh.points)
    for spot in SPOTS:
        middle: F32 = mesh.points[spot, :2]
        x0, y0 = np.rint(middle - reach).astype(int)
        x1, y1 = np.rint(middle + reach).astype(int)
        rows, columns = np.mgrid[y0:y1, x0:x1] // 4
        checks = ((rows + columns) % 2 == 0)[..., None]
        loud = np.where(checks, np.array([255, 0, 255]), np.array([0, 255, 0]))
        image[y0:y1, x0:x1] = loud
    return image


@cache
def talking() -> list[U8]:
    """Forty frames of somebody who talks and moves."""
    fitter = mesh_fitter()
    frames = clip_frames(range(40))
    return [_painted(frames[index], fit(fitter, frames[index])) for index in range(40)]


@cache
def flashes() -> list[U8]:
    """An empty street, with somebody else somewhere in every fifth frame, for that frame only."""
    random = np.random.default_rng(1)
    empty = np.asarray(cv2.GaussianBlur(clip_frames([0])[0], (0, 0), 40), np.uint8)
    frames = []
    for index in range(40):
        image = empty.copy()
        if index % 5 == 3:
            identity = load_builtin()[index % 26]
            side = int(random.integers(160, 240))
            x, y = random.integers(0, 640 - side), random.integers(0, 360 - side)
            portrait = _painted(identity.portrait, identity.mesh)
            small = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_NEAREST)
            image[y : y + side, x : x + side] = small
        frames.append(image)
    return frames


@dataclass
class Camera:
    """A live source of pictures."""

    images: Sequence[U8]
    fps: float
    info: MediaInfo = field(
        default_factory=lambda: MediaInfo(
            "camera", 640, 360, RGB, Fraction(1, 1000), Fraction(25), live=True
        )
    )

    def __iter__(self) -> Iterator[Frame]:
        start = time.monotonic()
        for index, image in enumerate(self.images):
            time.sleep(max(0.0, start + index / self.fps - time.monotonic()))
            yield Frame(index, as_picture(image), index * 40, Fraction(1, 1000))

    def close(self) -> None:
        pass


class FixedLevel(SteppedAnonymiser):
    """Stays at one level, whatever there is to do."""

    fixed = "full"

    @property
    def levels(self) -> tuple[str, ...]:
        return (self.fixed,)


@pytest.fixture(scope="module")
def factory() -> Factory:
    return Factory(Config(method="warp"))


def _shown(
    factory: Factory, camera: Camera, level: str, delay: int = 0
) -> tuple[Report, MemorySink]:
    anonymiser = FixedLevel(factory.anonymiser, "warp", logging.getLogger("test"))
    anonymiser.fixed = level
    sink, observer = MemorySink(), factory.observer(anonymiser, live=True)
    observer._look_ahead = delay
    report = run(camera, observer, anonymiser, sink, live=LiveControls(ladder=anonymiser))
    assert [magenta_pixels(whole_bgr(frame.picture)) for frame in sink.frames] == [0] * len(
        sink.frames
    )
    assert report.uncovered == 0
    return report, sink


def test_the_paint_is_there_and_faces_are_found_under_it(factory: Factory) -> None:
    assert min(magenta_pixels(image) for image in talking()) > 500
    there = [magenta_pixels(image) > 100 for image in flashes()]
    assert there == [index % 5 == 3 for index in range(40)]
    for image in (*talking()[::13], *flashes()[3::5]):
        assert factory.detector.detect(as_picture(image))


@pytest.mark.parametrize("level", ["full", "mosaic"])
def test_a_face_that_talks_never_shows(factory: Factory, level: str) -> None:
    report, sink = _shown(factory, Camera(talking(), 24), level)
    assert all(frame.treated for frame in sink.frames)
    assert report.observer.examined == report.ledger.frames
    assert bool(sink.frames[-1].treated[0].identity) == (level != "mosaic")


def test_a_face_never_shows_while_levels_fade(factory: Factory) -> None:
    class Restless(SteppedAnonymiser):
        """Changes its level before the fade into the last one has ended."""

        frames = 0

        def replace(self, scene: Scene) -> list[Patch | None]:
            self.frames += 1
            self.step_to("mosaic" if self.frames // 7 % 2 else "full")
            return super().replace(scene)

    anonymiser = Restless(factory.anonymiser, "warp", logging.getLogger("test"))
    sink, observer = MemorySink(), factory.observer(anonymiser, live=True)
    report = run(Camera(talking() * 3, 24), observer, anonymiser, sink, live=LiveControls())
    assert not any(magenta_pixels(whole_bgr(frame.picture)) for frame in sink.frames)
    assert report.uncovered == 0
    assert {"warp", "mosaic"} <= set(report.ledger.methods)


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("level", ["full", "mosaic"])
def test_a_face_that_is_there_for_one_frame_never_shows(
    factory: Factory, level: str, delay: int
) -> None:
    report, sink = _shown(factory, Camera(flashes(), 12), level, delay)
    there = [frame for frame in sink.frames if frame.index % 5 == 3]
    assert len(there) > 2
    assert all(frame.treated for frame in there)
    assert report.observer.examined == report.ledger.frames


def test_overload_shows_nothing(factory: Factory) -> None:
    """Several times as many frames as can be handled."""
    report, sink = _shown(factory, Camera((talking() + flashes()) * 3, 200), "full")
    assert report.frames_dropped > 100
    assert len(sink.frames) > 2
