"""The Python API: the same as files, in order, in any thread, closed when it is over."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from streamanon import Anonymiser, Config, MediaError, Treatment, UsageError
from streamanon.factory import Factory
from streamanon.identities.portrait import read_image
from streamanon.imaging.picture import as_picture, whole_bgr
from streamanon.pipeline.runner import run
from streamanon.tracking.observer import LOOK_AHEAD
from streamanon.types import U8, Frame, MediaInfo
from testkit.memory_sink import MemorySink
from testkit.paths import DEMO
from testkit.python import python
from testkit.staged import clip_frames
from testkit.waiting import wait_until

FPS = 25
WARP = Config(method="warp")
MOSAIC = Config(method="mosaic")


@pytest.fixture(scope="module")
def images() -> list[U8]:
    return list(clip_frames(range(20)).values())


@pytest.fixture
def anonymiser() -> Iterator[Anonymiser]:
    with Anonymiser(WARP) as one:
        yield one


class Memory:
    """Frames in memory as the source of a file's line."""

    def __init__(self, images: Sequence[U8]) -> None:
        height, width = images[0].shape[:2]
        self._frames = [
            Frame(index, as_picture(image), index, Fraction(1, FPS))
            for index, image in enumerate(images)
        ]
        colour = self._frames[0].picture.colour
        self.info = MediaInfo(
            "memory", width, height, colour, Fraction(1, FPS), Fraction(FPS), len(images)
        )

    def __iter__(self) -> Iterator[Frame]:
        yield from self._frames

    def close(self) -> None:
        pass


@pytest.mark.parametrize("method", ["warp", "anonygan", "mosaic", "blur", "solid"])
def test_a_picture_is_treated_as_a_file_is(images: list[U8], tmp_path: Path, method: str) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), images[0])
    before = images[0].copy()
    with Anonymiser(Config(method=method, seed=3)) as anonymiser:
        anonymiser.file(tmp_path / "in.png", tmp_path / "out.png")
        safe = anonymiser.image(images[0])
        assert np.array_equal(safe, anonymiser.image(images[0]))
    assert np.array_equal(safe, read_image(tmp_path / "out.png"))
    assert np.array_equal(images[0], before)
    assert safe.flags.writeable
    assert safe.flags.c_contiguous


@pytest.mark.parametrize("method", ["warp", "mosaic"])
def test_frames_are_treated_as_those_of_a_file_are(images: list[U8], method: str) -> None:
    factory = Factory(Config(method=method))
    file, sink = factory.anonymiser(), MemorySink()
    run(Memory(images), factory.observer(file), file, sink)
    with Anonymiser(Config(method=method)) as anonymiser:
        safe = list(anonymiser.frames(images, fps=FPS, faces=True))
    assert len(safe) == len(sink.frames) == len(images)
    for one, frame in zip(safe, sink.frames, strict=True):
        assert np.array_equal(one.image, whole_bgr(frame.picture))
        assert one.time_s == frame.index / FPS
        assert [(face.track_id, face.treatment, face.reason) for face in one.faces] == [
            (done.track_id, done.treatment, done.reason) for done in frame.treated
        ]


def test_a_capture_is_treated_as_its_file_is(tmp_path: Path, face_clip: Path) -> None:
    with Anonymiser(replace(WARP, seed=1)) as anonymiser:
        report = anonymiser.file(face_clip, tmp_path / "out.mp4")
        capture = cv2.VideoCapture(str(face_clip))
        safe = list(anonymiser.frames(capture, faces=True))
        capture.release()
    (track,) = report.ledger.tracks.values()
    faces = [one.faces[0] for one in safe if len(one.faces) == 1]
    assert len(faces) == len(safe) == report.ledger.frames == track.replaced
    assert {(face.track_id, face.treatment, face.identity) for face in faces} == {
        (track.id, Treatment.REPLACED, track.identities[0])
    }


@pytest.mark.parametrize("count", [1, 2, LOOK_AHEAD, LOOK_AHEAD + 1, 20])
def test_as_many_frames_come_out_as_went_in(
    anonymiser: Anonymiser, images: list[U8], count: int
) -> None:
    pairs = [(7 + index / FPS, image) for index, image in enumerate(images[:count])]
    safe = list(anonymiser.frames(pairs, faces=True))
    assert [one.time_s for one in safe] == pytest.approx([time_s for time_s, _ in pairs])
    for one, (_, image) in zip(safe, pairs, strict=True):
        assert np.array_equal(one.image[:, :60], image[:, :60])  # beside the face
        assert not np.array_equal(one.image, image)


def _counted(images: Sequence[U8], taken: list[int]) -> Iterator[U8]:
    """Yield pictures without end, and count them."""
    while True:
        taken.append(len(taken))
        yield images[taken[-1] % len(images)]


def test_frames_are_taken_only_as_far_as_is_looked_ahead(images: list[U8]) -> None:
    taken: list[int] = []
    with Anonymiser(MOSAIC) as anonymiser:
        safe = anonymiser.frames(_counted(images, taken))
        assert taken == []
        for given in range(1, 30):
            next(safe)
            assert len(taken) == given + LOOK_AHEAD + 1  # one more is being drawn
        safe.close()


@pytest.mark.parametrize("delay", [0, 2])
def test_live_frames_wait_as_long_as_the_settings_say(images: list[U8], delay: int) -> None:
    taken: list[int] = []
    with Anonymiser(Config(method="mosaic", delay=delay)) as anonymiser:
        safe = anonymiser.frames(_counted(images, taken), live=True)
        for given in range(1, 6):
            next(safe)
            assert len(taken) == given + delay
        safe.close()


def test_faces_say_where_they_are_and_how_they_were_hidden(
    anonymiser: Anonymiser, images: list[U8]
) -> None:
    safe = list(anonymiser.frames(images, fps=FPS, faces=True))
    for one, image in zip(safe, images, strict=True):
        (face,) = one.faces
        assert (face.treatment, face.reason, one.distrust) == (Treatment.REPLACED, "", "")
        assert face.landmarks is not None
        assert face.landmarks.shape == (478, 3)
        assert face.box.shape == (4,)
        inside = (face.landmarks[:, :2] > face.box[:2]) & (face.landmarks[:, :2] < face.box[2:])
        assert inside.mean() > 0.8
        left, top, right, bottom = face.box.astype(int)
        changed = (one.image != image).any(axis=2)
        assert changed[top:bottom, left:right].mean() > 0.6
    assert len({(one.faces[0].track_id, one.faces[0].identity) for one in safe}) == 1
    face = anonymiser.image(images[0], faces=True).faces[0]
    assert face.landmarks is not None
    face.landmarks[:], face.box[:] = 0, 0  # theirs, not the tracker's
    with Anonymiser(MOSAIC) as plain:
        (face,) = plain.image(images[0], faces=True).faces
        assert (face.landmarks, face.identity) == (None, "")


def test_a_picture_without_a_face_stays_as_it_is(anonymiser: Anonymiser) -> None:
    for size in ((1, 1), (1, 500), (480, 640)):
        grey = np.full((*size, 3), 128, np.uint8)
        safe = anonymiser.image(grey, faces=True)
        assert np.array_equal(safe.image, grey)
        assert safe.faces == ()


def test_threads_get_what_they_would_get_alone(images: list[U8]) -> None:
    with Anonymiser(WARP) as anonymiser, ThreadPoolExecutor(6) as pool:
        pictures = [images[0], images[10], images[19]]
        frames = list(anonymiser.frames(images, fps=FPS))
        alone = [anonymiser.image(image) for image in pictures]
        loops = [pool.submit(lambda: list(anonymiser.frames(images, fps=FPS))) for _ in range(3)]
        stills = [pool.submit(anonymiser.image, image) for image in pictures]
        assert all(
            np.array_equal(done.result(), safe) for done, safe in zip(stills, alone, strict=True)
        )
        for loop in loops:
            assert np.array_equal(loop.result(), frames)


def test_two_loops_take_turns_and_keep_their_people_apart(
    anonymiser: Anonymiser, images: list[U8]
) -> None:
    alone = list(anonymiser.frames(images, fps=FPS))
    backwards = list(anonymiser.frames(images[::-1], fps=FPS))
    pairs = zip(
        anonymiser.frames(images, fps=FPS), anonymiser.frames(images[::-1], fps=FPS), strict=True
    )
    forth, back = zip(*pairs, strict=True)
    assert np.array_equal(forth, alone)
    assert np.array_equal(back, backwards)


def _networks(anonymiser: Anonymiser) -> list[weakref.ref[Any]]:
    networks = anonymiser._open_models()._models.networks
    return [weakref.ref(network) for network, _ in networks.values()]


@pytest.mark.parametrize("by_hand", [True, False])
def test_anonymisers_side_by_side_share_networks_and_the_last_one_frees_them(
    images: list[U8], *, by_hand: bool
) -> None:
    several = [Anonymiser(WARP), Anonymiser(MOSAIC)]
    several[0].image(images[0])
    networks = _networks(several[0])
    several[1].image(images[0])
    assert networks
    assert _networks(several[1]) == networks
    for left in (1, 0):
        if by_hand:
            several[left].close()
        else:
            several.pop()
        gc.collect()
        assert [network() is not None for network in networks] == [left > 0] * len(networks)


@pytest.mark.parametrize("detector", ["dlib", "mediapipe"])
def test_the_other_detectors_close_too(images: list[U8], detector: str) -> None:
    pytest.importorskip(detector, reason=f"the extra {detector} is not installed")
    with Anonymiser(Config(method="mosaic", detector=detector)) as anonymiser:
        alone = anonymiser.image(images[0])
        assert not np.array_equal(alone, images[0])
        with ThreadPoolExecutor(2) as pool:
            both = list(pool.map(anonymiser.image, images[:1] * 2))
    assert np.array_equal(both, [alone, alone])


def test_a_process_ends_with_a_loop_half_done() -> None:
    code = (
        "import itertools, numpy as np, streamanon\n"
        "images = itertools.repeat(np.zeros((64, 64, 3), np.uint8))\n"
        "frames = streamanon.Anonymiser(streamanon.Config(method='mosaic')).frames(images)\n"
        "next(frames)"
    )
    ran = python("-c", code)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_after_close_nothing_works_and_says_so(images: list[U8], tmp_path: Path) -> None:
    anonymiser = Anonymiser(MOSAIC)
    going = anonymiser.frames(images)
    next(going)
    late = anonymiser.frames(images)
    anonymiser.close()
    anonymiser.close()
    calls: list[Any] = [
        lambda: anonymiser.image(images[0]),
        lambda: anonymiser.frames(images),
        lambda: anonymiser.file(DEMO, tmp_path / "out.mp4"),
        lambda: anonymiser.stream("lavfi:testsrc2"),
        lambda: next(going),
        lambda: next(late),
        anonymiser.__enter__,
    ]
    for call in calls:
        with pytest.raises(UsageError, match="the anonymiser is closed: make another one"):
            call()


def test_a_loop_that_ends_early_leaves_nothing_behind(
    anonymiser: Anonymiser, images: list[U8]
) -> None:
    closed: list[bool] = []

    def source() -> Iterator[U8]:
        try:
            yield from images
        finally:
            closed.append(True)

    for _ in anonymiser.frames(source()):
        break
    assert closed == [True]
    assert len(list(anonymiser.frames(images))) == len(images)


def test_what_waits_comes_out_before_the_error(anonymiser: Anonymiser, images: list[U8]) -> None:
    def source(last: Any) -> Iterator[U8]:
        yield from images[:5]
        if isinstance(last, Exception):
            raise last
        yield last

    error = OSError("the camera was unplugged")
    for last, message, kind in (
        (error, "failed: OSError: the camera was unplugged", MediaError),
        (images[0][:-2], "frame 5 is 640x358, those before it 640x360", UsageError),
        (images[0][..., 0], "frame 5 has the shape", UsageError),
    ):
        safe: list[U8] = []
        with pytest.raises(kind, match=message) as raised:
            safe.extend(anonymiser.frames(source(last)))
        assert len(safe) == 5
        assert not any(map(np.array_equal, safe, images))
        assert raised.value.__cause__ is (last if last is error else None)


def test_bad_input_is_refused_in_one_line(anonymiser: Anonymiser, images: list[U8]) -> None:
    grey: Any = images[0][..., 0]
    calls: list[Any] = [
        lambda: anonymiser.image(grey),
        lambda: anonymiser.image(images[0].astype(np.float32)),
        lambda: anonymiser.frames(images[0]),
        lambda: anonymiser.frames(images, fps=0),
        lambda: anonymiser.stream("in.mp4"),
        lambda: anonymiser.stream("lavfi:testsrc2", "out.mp4"),
        lambda: Anonymiser(Config(codec="libx265")).stream("lavfi:testsrc2"),
        lambda: Anonymiser(Config(report=DEMO)).stream("lavfi:testsrc2"),
        lambda: Anonymiser("warp"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(UsageError) as refused:
            call()
        assert "\n" not in str(refused.value)
    with pytest.raises(MediaError, match="no frame came"):
        next(anonymiser.frames([]))


def test_wrong_settings_show_at_the_first_use(images: list[U8]) -> None:
    anonymiser = Anonymiser(Config(method="warp", identity="nobody"))
    for _ in range(2):
        with pytest.raises(UsageError, match="no identity called 'nobody'"):
            anonymiser.image(images[0])


def test_a_stream_runs_beside_and_is_stopped_by_its_block() -> None:
    address = "lavfi:testsrc2=size=320x240:rate=30"
    with Anonymiser(MOSAIC) as anonymiser:
        with anonymiser.stream(address) as stream:
            assert stream.image() is None
            wait_until(lambda: stream.status().frames > 5)
            image = stream.image()
            assert image is not None
            assert image.shape == (240, 320, 3)
        assert stream.status().state == "stopped"
        second = anonymiser.stream(address, name="second")
        wait_until(lambda: second.status().frames > 0)
    assert second.status().state == "stopped"
    assert second.report()["uncovered"] == 0


def test_the_error_of_a_stream_is_raised_by_its_block(tmp_path: Path) -> None:
    anonymiser = Anonymiser(Config(method="warp", identity="nobody"))
    with (
        pytest.raises(UsageError, match="no identity called 'nobody'"),
        anonymiser.stream("lavfi:testsrc2", f"hls:{tmp_path}") as stream,
    ):
        wait_until(lambda: not stream.running)


def test_importing_the_package_loads_nothing() -> None:
    code = (
        "import streamanon, sys\n"
        "assert not {'numpy', 'cv2', 'av', 'onnxruntime'} & sys.modules.keys()\n"
        "assert all(getattr(streamanon, name) for name in streamanon.__all__)\n"
        "assert not {'torch', 'aiohttp'} & sys.modules.keys()"
    )
    python("-c", code, check=True)


def test_arrays_are_not_sealed() -> None:
    with (
        Anonymiser(Config(method="mosaic", seal=("age1",))) as anonymiser,
        pytest.raises(UsageError, match="seal is for files and live streams"),
    ):
        anonymiser.image(np.zeros((64, 64, 3), np.uint8))
