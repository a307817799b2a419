"""From pictures to shards."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face.network_input import EYE_DISTANCE, EYES_DOWN
from streamanon.identities.portrait import read_image
from testkit.paths import PHOTOS, PORTRAITS
from training.data.entries import Entry, read_entries
from training.data.prepare import command, look_at, prepare
from training.data.shards import INDEX, Faces, ShardWriter, load

from .conftest import write_tar


def test_faces_lie_where_the_network_wants_them(faces: Faces) -> None:
    assert len(faces) == 7
    for row in range(len(faces)):
        face = faces.face(row)
        five = lm.five_points(face.points)
        assert face.image.shape == (128, 128, 3)
        assert five[:2, 1].mean() == pytest.approx(EYES_DOWN, abs=0.05)
        assert 0.75 * EYE_DISTANCE < np.hypot(*(five[1] - five[0])) < 1.02 * EYE_DISTANCE
        around_eye = face.image[34:54, 34:94].astype(float)
        assert around_eye.std() > 15


def test_people_and_times_are_those_of_the_index(faces: Faces) -> None:
    people = sorted(faces.person.tolist())
    assert people == ["small/anna"] * 2 + ["small/bert"] * 2 + ["small/maya"] * 3
    assert np.nan_to_num(faces.time_s, nan=-1).tolist() == pytest.approx([-1] * 4 + [0, 0.2, 1])


def test_no_person_of_a_fold_for_testing_is_in_and_bad_pictures_are_named(prepared: Path) -> None:
    index = json.loads((prepared / INDEX).read_text())
    assert {each["file"]: each["why"] for each in index["skipped"]} == {
        "kept/tested.webp": "held out for testing (LFW)",
        "kept/again.webp": "held out for testing (LFW)",
        "bad/torn.jpg": "corrupt, or no picture",
        "bad/empty.webp": "corrupt, or no picture",
    }
    assert index["sets"]["small"] == {
        "pictures": 11,
        "faces": 7,
        "people": 3,
        "skipped": {"held out for testing (LFW)": 2, "corrupt, or no picture": 2},
        "licence": "CC-BY 4.0",
    }


def test_a_crop_is_averaged_not_picked_from_a_large_picture(tmp_path: Path) -> None:
    """A fine checkerboard over a portrait turns grey in its crop instead of into waves."""
    portrait = read_image(PORTRAITS / "hugo.webp")
    large = np.asarray(cv2.resize(portrait, None, fx=2, fy=2), np.uint8)
    board = (np.indices(large.shape[:2]).sum(axis=0) % 2 * 60 - 30)[:, :, None]
    cv2.imwrite(str(tmp_path / "board.png"), np.clip(large.astype(int) + board, 0, 255))
    cv2.imwrite(str(tmp_path / "clean.png"), large)
    prepare([tmp_path], tmp_path / "out", licences={}, processes=1)
    faces = load(tmp_path / "out")
    board_crop, clean_crop = (faces.face(row).image.astype(float) for row in (0, 1))
    assert np.abs(board_crop - clean_crop).mean() < 6


def test_a_folder_of_ones_own_photographs(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for name in ("anna/1.webp", "anna/2.webp", "bert.webp"):
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes((PHOTOS / "london_001_neutral.webp").read_bytes())
    (photos / "notes.txt").write_text("not a picture")
    assert [entry.person for entry in read_entries(photos)] == [
        "photos/anna",
        "photos/anna",
        "photos/bert",
    ]


def test_a_picture_without_a_face_and_a_tiny_one_are_left_out(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    cv2.imwrite(str(photos / "grey.png"), np.full((200, 200, 3), 127, np.uint8))
    portrait = read_image(PHOTOS / "london_001_neutral.webp")
    small = cv2.resize(portrait, (70, 70), interpolation=cv2.INTER_AREA)
    padded = cv2.copyMakeBorder(small, 80, 80, 80, 80, cv2.BORDER_REPLICATE)
    cv2.imwrite(str(photos / "small.png"), padded)
    (photos / "whole.webp").write_bytes((PHOTOS / "london_001_neutral.webp").read_bytes())
    index = prepare([photos], tmp_path / "out", licences={}, processes=1)
    reasons = {each["file"]: each["why"] for each in index["skipped"]}
    assert reasons == {"grey.png": "no face", "small.png": "too small"}


def test_of_several_faces_the_central_one_is_taken(tmp_path: Path) -> None:
    first, second = (
        cv2.resize(read_image(PHOTOS / f"london_00{number}_neutral.webp"), (300, 300))
        for number in (1, 2)
    )
    photos = tmp_path / "photos"
    photos.mkdir()
    row = np.hstack([second, first, second])
    cv2.imwrite(str(photos / "row.png"), row)
    cv2.imwrite(str(photos / "alone.png"), first)
    prepare([photos], tmp_path / "out", licences={}, processes=1)
    faces = load(tmp_path / "out")
    alone, central = faces.face(0), faces.face(1)
    assert (
        np.abs(alone.image[30:110, 30:98].astype(float) - central.image[30:110, 30:98]).mean() < 8
    )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.txt": b""}, "holds no picture"),
        ({"index.csv": b"name,who\na.webp,b\n", "a.webp": b""}, "wanted file and person"),
        ({"index.csv": b"file,person\nb.webp,b\n", "a.webp": b""}, "b.webp for example"),
    ],
)
def test_a_set_that_cannot_be_read_is_refused(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        read_entries(write_tar(tmp_path / "set.tar", files))


def test_what_is_no_tar_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set.tar").write_bytes(b"x" * 2000)
    with pytest.raises(UsageError, match="neither a folder nor"):
        read_entries(tmp_path / "set.tar")


def test_a_folder_in_use_is_refused(prepared: Path, faces_tar: Path) -> None:
    with pytest.raises(UsageError, match="not an empty folder"):
        prepare([faces_tar], prepared, licences={}, processes=1)


def test_a_run_that_ends_early_leaves_nothing_behind(
    faces_tar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ShardWriter, "flush", full)
    with pytest.raises(UsageError, match="No space left on device"):
        prepare([faces_tar], tmp_path / "out", licences={}, processes=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_odd_pictures_do_no_harm(tmp_path: Path, size: tuple[int, int], channels: int) -> None:
    path = tmp_path / "odd.png"
    cv2.imwrite(str(path), np.full((*size, channels), 1000, np.uint16))
    assert look_at(Entry("odd.png", "nobody", path)) == "no face"


def test_shards_of_another_geometry_are_refused(prepared: Path, tmp_path: Path) -> None:
    index = json.loads((prepared / INDEX).read_text())
    index["geometry"]["eyes_down"] = 50
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(UsageError, match="prepare the pictures again"):
        load(tmp_path)


def test_a_damaged_shard_is_refused(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / INDEX).write_bytes((prepared / INDEX).read_bytes())
    (tmp_path / "small-000.npz").write_bytes((prepared / "small-000.npz").read_bytes()[:5000])
    with pytest.raises(UsageError, match="not a folder of prepared faces"):
        load(tmp_path)


def test_the_command_says_what_became_of_the_pictures(faces_tar: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    arguments = [str(faces_tar), "--out", out, "--licence", "small=CC-BY", "--processes", "1"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0
    assert "small: 7 faces of 3 people" in result.output
    assert "2 left out: corrupt, or no picture (bad/torn.jpg, bad/empty.webp" in result.output
