"""Scenes hold the faces they are said to hold, and clips keep their sound."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed.clips import (
    Footage,
    count_faces,
    cut,
    paint,
    width_of,
    write_scene,
    write_start,
)
from streamanon.errors import UsageError
from testkit.paths import DEMO
from testkit.videos import read_frames, write_video

FRAMES = 40


@pytest.fixture(scope="module")
def footage() -> Footage:
    return cut(DEMO, FRAMES)


@pytest.mark.parametrize(("height", "faces"), [(360, 0), (360, 8), (480, 2), (720, 1)])
def test_a_scene_has_its_size_and_its_faces(
    footage: Footage, tmp_path: Path, height: int, faces: int
) -> None:
    path = tmp_path / "scene.mp4"
    write_scene(footage, path, height, faces)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.frames) == (width_of(height), height, FRAMES)
        assert stream.average_rate == footage.rate
    assert count_faces(path) == faces
    assert [file.name for file in tmp_path.iterdir()] == ["scene.mp4"]


def test_faces_move_each_in_its_own_time(footage: Footage) -> None:
    first, later = (paint(footage, index, 360, 8).astype(int) for index in (0, 20))
    width, height = width_of(360) // 4, 180
    tiles = [
        np.abs(later - first)[y : y + height, x : x + width].mean()
        for y in (0, height)
        for x in range(0, 4 * width, width)
    ]
    assert min(tiles) > 1
    assert len({round(float(tile), 3) for tile in tiles}) == 8


def test_a_scene_that_lacks_its_faces_is_refused(footage: Footage, tmp_path: Path) -> None:
    empty = replace(footage, faces=[np.full_like(face, 90) for face in footage.faces])
    with pytest.raises(UsageError, match="0 faces are found in a scene of 2"):
        write_scene(empty, tmp_path / "scene.mp4", 360, 2)
    assert list(tmp_path.iterdir()) == []


def test_footage_without_a_single_face_is_refused(footage: Footage, tmp_path: Path) -> None:
    for faces in (0, 2):
        write_scene(footage, tmp_path / "scene.mp4", 360, faces)
        with pytest.raises(UsageError, match="shows exactly one face in 0 of 4 examined frames"):
            cut(tmp_path / "scene.mp4", FRAMES)


def test_footage_that_is_too_short_is_refused(face_clip: Path) -> None:
    with pytest.raises(UsageError, match="has 16 frames, wanted 40"):
        cut(face_clip, FRAMES)


def test_footage_that_is_all_face_is_refused(footage: Footage, tmp_path: Path) -> None:
    height, width = (side // 2 * 2 for side in footage.faces[0].shape[:2])
    faces = (np.ascontiguousarray(face[:height, :width]) for face in footage.faces)
    path = write_video(tmp_path / "close.mp4", faces, crf=23)
    with pytest.raises(UsageError, match="no part that is free of faces"):
        cut(path, FRAMES)


def test_the_start_of_a_clip_keeps_times_and_sound(tmp_path: Path) -> None:
    path = tmp_path / "start.mp4"
    assert write_start(DEMO, path, 180, FRAMES) == FRAMES
    before, after = _contents(DEMO), _contents(path)
    assert after[0] == pytest.approx(before[0][:FRAMES], abs=1e-4)
    assert len(after[1]) > 20
    assert after[1] == before[1][: len(after[1])]


def _contents(path: Path) -> tuple[list[float], list[bytes]]:
    times = [float(frame.time or 0) for frame in read_frames(path)]
    with av.open(str(path)) as container:
        return times, [bytes(packet) for packet in container.demux(audio=0) if packet.size]
