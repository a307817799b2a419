"""Painted faces in memory: whatever fails, what the API gives out shows none."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamanon import Anonymiser, Config, LeakError, MediaError, StageError, Treatment, UsageError
from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.pipeline.ledger import Ledger
from streamanon.types import U8
from testkit.painted import SHOWS, loud_pixels, painted_images

COUNT = 18
METHODS = ("warp", "mosaic")


@pytest.fixture(scope="module")
def images() -> list[U8]:
    return painted_images()[:COUNT]


class Fault:
    """Wraps a method of a part, and has it go wrong at one of its calls."""

    def __init__(self, method: Callable[..., Any], wrong: Callable[[Any], Any], at: int) -> None:
        self._method, self._wrong, self._at = method, wrong, at
        self.calls = 0

    def __get__(self, part: object, _: type) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._call(part, *args, **kwargs)

    def _call(self, part: object, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        result = self._method(part, *args, **kwargs)
        return self._wrong(result) if self.calls > self._at else result


def _raise(_: object) -> Any:
    raise RuntimeError("dead")


def _out_of_memory(_: object) -> Any:
    raise MemoryError


FAULTS: dict[str, tuple[type, str, Callable[[Any], Any], int]] = {
    "detector raises once": (YuNetDetector, "detect", _raise, COUNT - 1),
    "detector raises": (YuNetDetector, "detect", _raise, 5),
    "detector raises from the start": (YuNetDetector, "detect", _out_of_memory, 0),
    "detector misses the face": (YuNetDetector, "detect", lambda _: [], 9),
    "mesh raises": (MeshFitter, "fit", _raise, 6),
    "mesh is not a number": (
        MeshFitter,
        "fit",
        lambda mesh: replace(mesh, points=mesh.points * np.float32(np.nan)),
        6,
    ),
    "mesh is elsewhere": (
        MeshFitter,
        "fit",
        lambda mesh: replace(mesh, points=mesh.points + np.float32(200)),
        0,
    ),
    "patches are missing": (PlainAnonymiser, "replace", lambda _: [], 4),
    "patches raise": (PlainAnonymiser, "replace", _out_of_memory, 0),
    "patches are transparent": (
        PlainAnonymiser,
        "replace",
        lambda patches: [replace(one, alpha=np.zeros_like(one.alpha)) for one in patches],
        4,
    ),
}


def _shown(safe: Iterator[U8]) -> Iterator[U8]:
    """Pass pictures on, and fail if a face shows."""
    for image in safe:
        assert loud_pixels(image) < SHOWS
        yield image


def test_the_paint_shows_in_every_picture(images: list[U8]) -> None:
    assert min(map(loud_pixels, images)) > 4 * SHOWS


@pytest.mark.parametrize("method", [*METHODS, "anonygan", "blur", "solid"])
def test_nothing_goes_wrong(images: list[U8], method: str) -> None:
    with Anonymiser(Config(method=method)) as anonymiser:
        assert len(list(_shown(anonymiser.frames(images)))) == COUNT
        assert len(list(_shown(anonymiser.frames(images, live=True)))) == COUNT
        assert loud_pixels(anonymiser.image(images[0])) < SHOWS


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_part_goes_wrong(
    images: list[U8], monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    part, what, wrong, at = FAULTS[name]
    fault = Fault(getattr(part, what), wrong, at)
    monkeypatch.setattr(part, what, fault)
    with Anonymiser(Config(method=method)) as anonymiser:
        assert len(list(_shown(anonymiser.frames(images)))) == COUNT
    used = {"warp": (YuNetDetector, MeshFitter), "mosaic": (YuNetDetector, PlainAnonymiser)}
    assert (fault.calls > 0) == (part in used[method])


def test_a_detector_that_is_dead_covers_frames_whole_and_ends_the_loop(
    images: list[U8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(YuNetDetector, "detect", Fault(YuNetDetector.detect, _raise, 0))
    with Anonymiser(Config(method="mosaic")) as anonymiser:
        safe = anonymiser.image(images[0], faces=True)
        assert loud_pixels(safe.image) < SHOWS
        assert (safe.distrust, safe.faces) == ("detector failed: dead", ())
        with pytest.raises(StageError, match="25 frames in a row: dead"):
            list(_shown(anonymiser.frames(images * 3)))


@pytest.mark.parametrize("at", [0, 2])
def test_a_part_that_is_not_to_fail_ends_the_loop_with_its_stage(
    images: list[U8], monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    fault = Fault(MobileFaceNetEmbedder.embed, _raise, at)
    monkeypatch.setattr(MobileFaceNetEmbedder, "embed", fault)
    with Anonymiser(Config(method="warp")) as anonymiser:
        with pytest.raises(StageError, match="see: RuntimeError: dead") as failed:
            list(_shown(anonymiser.frames(images)))
        assert isinstance(failed.value.__cause__, RuntimeError)
        monkeypatch.undo()
        assert len(list(_shown(anonymiser.frames(images)))) == COUNT


def test_whom_a_covered_frame_shows_is_still_said(images: list[U8]) -> None:
    def nowhere(subject: Any) -> str:
        return "no place"

    with pytest.MonkeyPatch.context() as patch, Anonymiser(Config(method="mosaic")) as anonymiser:
        patch.setattr("streamanon.safety.compose.fault_of_cover", nowhere)
        safe = anonymiser.image(images[0], faces=True)
    assert loud_pixels(safe.image) < SHOWS
    assert safe.distrust == "no place"
    assert [face.treatment for face in safe.faces] == [Treatment.WHOLE_FRAME]


def test_a_face_that_is_not_hidden_is_not_given_out(
    images: list[U8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(ledger: Ledger, *_: Any, **__: Any) -> None:
        ledger.frames += 1
        ledger.uncovered += ledger.frames == 4

    monkeypatch.setattr(Ledger, "record", forgetful)
    given: list[U8] = []
    with (
        Anonymiser(Config(method="mosaic")) as anonymiser,
        pytest.raises(LeakError, match="frame 3 could not be hidden"),
    ):
        given.extend(anonymiser.frames(images))
    assert len(given) == 3


@pytest.mark.parametrize("at", [0, 1, COUNT - 1])
@pytest.mark.parametrize("method", METHODS)
def test_the_iterable_goes_wrong(images: list[U8], at: int, method: str) -> None:
    def source(last: Any) -> Iterator[U8]:
        yield from images[:at]
        yield last() if callable(last) else last

    wrong = (lambda: _raise(None), images[0][..., :2], images[0][::2, ::2], None)
    with Anonymiser(Config(method=method)) as anonymiser:
        for last in wrong:
            given: list[U8] = []
            if at == 0 and last is wrong[2]:
                continue  # a first frame may have any size
            with pytest.raises((MediaError, UsageError)):
                given.extend(_shown(anonymiser.frames(source(last))))
            assert len(given) == at


def test_the_callers_buffer_changes_while_frames_wait(images: list[U8]) -> None:
    buffer = np.empty_like(images[0])

    def source() -> Iterator[U8]:
        for image in images:
            buffer[:] = image
            yield buffer
            buffer[:] = 0

    with Anonymiser(Config(method="mosaic")) as anonymiser:
        alone = list(anonymiser.frames(images))
        assert np.array_equal(list(_shown(anonymiser.frames(source()))), alone)
