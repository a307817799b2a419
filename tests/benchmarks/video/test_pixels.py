"""The flow-warped error and flicker, on real frames with known faults."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="the group bench is not installed")
pytest.importorskip("torch", reason="the group bench is not installed")


from pathlib import Path

from benchmarks.judges.expression import observe, observe_at
from benchmarks.video.clips import NOISE, Clip, digest_of, still_with_noise
from benchmarks.video.flicker import flicker
from benchmarks.video.warping import MIN_FRAMES, WarpingError
from streamanon.imaging.picture import blend_bgr, copy_picture, whole_bgr
from streamanon.types import F32, Picture
from testkit.paths import DEMO


@pytest.fixture(scope="module")
def meshes(demo_frames: list[Picture]) -> list[F32]:
    first = observe(whole_bgr(demo_frames[0]))
    assert first is not None
    found = [first.points]
    for frame in demo_frames[1:]:
        seen = observe_at(whole_bgr(frame), found[-1])
        assert seen is not None
        found.append(seen.points)
    return found


def brighter(picture: Picture, by: int) -> Picture:
    result = copy_picture(picture)
    box = (0, 0, picture.width, picture.height)
    image = np.clip(whole_bgr(picture).astype(int) + by, 0, 255).astype(np.uint8)
    blend_bgr(result, box, image, np.ones(image.shape[:2], np.float32))
    return result


def figures(before: list[Picture], after: list[Picture], meshes: list[F32]) -> dict[str, float]:
    error = WarpingError()
    for one, other, mesh in zip(before, after, meshes, strict=True):
        error.add(one, other, mesh)
    found = error.figures()
    assert found is not None
    assert found["frames"] == len(before) - 1
    return found


def ratio(before: list[Picture], after: list[Picture], meshes: list[F32]) -> float:
    return figures(before, after, meshes)["ratio"]


def test_the_source_warps_like_itself(demo_frames: list[Picture], meshes: list[F32]) -> None:
    found = figures(demo_frames, demo_frames, meshes)
    assert found["ratio"] == found["own_ratio"] == pytest.approx(1)


def test_by_its_own_flow_a_face_may_move_otherwise_but_not_flicker(
    demo_frames: list[Picture], meshes: list[F32]
) -> None:
    backwards = figures(demo_frames, demo_frames[::-1], meshes)
    assert backwards["own_ratio"] < 1.5 < backwards["ratio"]
    jumping = [brighter(frame, 8 * (n % 2)) for n, frame in enumerate(demo_frames)]
    assert figures(demo_frames, jumping, meshes)["own_ratio"] > 3


def test_brightness_that_jumps_is_seen(demo_frames: list[Picture], meshes: list[F32]) -> None:
    jumping = [brighter(frame, 8 * (n % 2)) for n, frame in enumerate(demo_frames)]
    assert ratio(demo_frames, jumping, meshes) > 3


def test_a_face_that_stands_still_is_seen(demo_frames: list[Picture], meshes: list[F32]) -> None:
    stuck = [demo_frames[0]] * len(demo_frames)
    assert ratio(demo_frames, stuck, meshes) > 1.2


def test_few_frames_and_frames_that_never_change_are_dead(
    demo_frames: list[Picture], meshes: list[F32]
) -> None:
    error = WarpingError()
    for frame, mesh in zip(demo_frames[:MIN_FRAMES], meshes, strict=False):
        error.add(frame, frame, mesh)
    assert error.figures() is None
    error = WarpingError()
    for _ in range(MIN_FRAMES + 2):
        error.add(demo_frames[0], demo_frames[0], meshes[0])
    assert error.figures() is None


def test_flicker_is_distinguished_from_noise(tmp_path: Path, meshes: list[F32]) -> None:
    demo = Clip("demo", DEMO, 14, 14, digest_of(DEMO))
    still = still_with_noise(demo, 0, 10, tmp_path)
    again = still_with_noise(demo, 0, 10, tmp_path)
    assert again == still
    found = flicker(still.path, still.path, meshes[0])
    assert found is not None
    assert found["ratio"] == 1
    assert found["frames"] == 10
    # Luma weighs three independent colours; a cell is the mean of 64 pixels.
    expected = NOISE * np.sqrt(0.114**2 + 0.587**2 + 0.299**2) / 8
    assert found["source"] == pytest.approx(expected, rel=0.25)
    assert flicker(still.path, still.path, meshes[0] * 0.01) is None
