"""Whole files: what passes, what fails and where, and what cannot be audited."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.video.stream import VideoStream

from streamanon import Config, anonymise
from streamanon.audit import run as signoff
from streamanon.audit.sheet import CELL_PX
from streamanon.cli.main import execute
from streamanon.errors import StreamanonError
from testkit.paths import PHOTOS
from testkit.videos import read_images, write_video

from .conftest import FRAMES, RAW


def audited(original: Path, result: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    folder.mkdir(exist_ok=True)
    report = folder / "audit.json"
    code = execute(["audit", str(original), str(result), "--report", str(report)])
    return code, json.loads(report.read_text(encoding="utf-8"))


@pytest.mark.parametrize("method", ["mosaic", "warp"])
def test_what_the_product_made_passes(
    original: Path, anonymised: Callable[[str], Path], tmp_path: Path, method: str
) -> None:
    code, report = audited(original, anonymised(method), tmp_path)
    assert code == 0
    assert report["passed"]
    assert report["frames"] == report["frames_with_face"] == report["faces"] == FRAMES
    assert report["leak_rate"] == 0
    assert report["leaks"] == []
    assert report["faces_recogniser_sees"] == FRAMES
    assert report["cosine_max"] < 0.45


def test_a_shape_that_is_kept_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another's skin on the person's own shape: not recognised, but by geometry."""
    photo = PHOTOS / "london_001_neutral.webp"
    for kept in (True, False):
        swapped = tmp_path / f"kept_{kept}.png"
        with monkeypatch.context() as patched:
            if kept:
                patched.setattr("streamanon.anonymisers.reshaping.shape_for", lambda own, *_: own)
            anonymise(photo, swapped, Config(method="warp"))
        code, report = audited(photo, swapped, swapped.with_suffix(""))
        assert code == 0
        assert report["shapes_compared"] == 1
        assert (report["shape_cosine_mean"] >= report["thresholds"]["same_shape"]) is kept
        assert ("warning: faces keep their shape" in capsys.readouterr().err) is kept


def test_a_method_that_does_nothing_is_a_total_leak(
    original: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = audited(original, again, tmp_path)
    assert code == 3
    assert report["leak_rate"] == 1
    assert report["unchanged"] == report["recognised"] == FRAMES
    assert report["longest_leak_frames"] == FRAMES
    assert report["longest_leak_s"] == pytest.approx(FRAMES / 24, abs=0.01)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("again.mp4: FAIL: 12 of 12 frames with a face (100.0 %) leak")


def test_one_raw_frame_fails_and_is_named(
    original: Path, tampered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, report = audited(original, tampered, tmp_path)
    assert code == 3
    assert [leak["frame"] for leak in report["leaks"]] == [RAW]
    assert report["leaks"][0]["unchanged"]
    assert report["longest_leak_frames"] == 1
    line = capsys.readouterr().out
    assert f"first frame {RAW} at {RAW / 24:.2f} s" in line


def test_the_report_names_no_files_and_holds_no_vectors(
    original: Path, again: Path, tmp_path: Path
) -> None:
    _, report = audited(original, again, tmp_path)
    text = json.dumps(report)
    assert "original.mp4" not in text
    assert str(tmp_path) not in text
    assert max(len(leak["box"]) for leak in report["leaks"]) == 4
    assert len(report["original_sha256"]) == len(report["anonymised_sha256"]) == 64


def test_the_sheet_shows_the_anonymised_file_only(
    original: Path, anonymised: Callable[[str], Path], tmp_path: Path
) -> None:
    magenta = [np.full_like(image, (255, 0, 255)) for image in read_images(original)]
    covered = write_video(tmp_path / "magenta.mp4", magenta, rate=24)
    sheet = tmp_path / "sheet.png"
    assert execute(["audit", str(original), str(covered), "--sheet", str(sheet)]) == 0
    drawn = cv2.imread(str(sheet))
    assert drawn is not None
    cell = np.asarray(drawn[:CELL_PX, :CELL_PX], int)
    assert (np.abs(cell - (255, 0, 255)).max(axis=2) < 12).mean() > 0.95


def test_a_picture_can_be_audited(tmp_path: Path) -> None:
    photo = PHOTOS / "london_001_neutral.webp"
    hidden = tmp_path / "hidden.png"
    assert execute(["run", str(photo), "-o", str(hidden), "--method", "solid"]) == 0
    assert execute(["audit", str(photo), str(hidden)]) == 0
    assert execute(["audit", str(photo), str(photo)]) == 3


def test_a_clip_without_faces_does_not_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grey = write_video(tmp_path / "grey.mp4", [np.full((96, 128, 3), 90, np.uint8)] * 3, rate=24)
    report = tmp_path / "audit.json"
    assert execute(["audit", str(grey), str(grey), "--report", str(report)]) == 1
    assert "no face found in ORIGINAL (3 frames): nothing was audited" in capsys.readouterr().err
    assert not report.exists()


def test_a_detector_that_finds_nothing_is_distinguished_from_a_clean_file(
    original: Path, anonymised: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = signoff.load_judge()
    monkeypatch.setattr(blind._detector, "_threshold", 1.1)
    monkeypatch.setattr(signoff, "load_judge", lambda: blind)
    with pytest.raises(StreamanonError, match="nothing was audited"):
        signoff.audit(original, anonymised("mosaic"))


def test_sizes_that_were_made_even_are_compared(original: Path, tmp_path: Path) -> None:
    images = [image[:359, :639] for image in read_images(original)]
    odd, mosaic = tmp_path / "odd.webm", tmp_path / "mosaic.mp4"
    with av.open(str(odd), "w") as container:
        video = container.add_stream("libvpx", rate=24, options={"crf": "10", "b": "2M"})
        assert isinstance(video, VideoStream)
        video.width, video.height = 639, 359
        for image in (*images, None):
            frame = None if image is None else av.VideoFrame.from_ndarray(image, "bgr24")
            container.mux(video.encode(frame))
    anonymise(odd, mosaic, Config(method="mosaic"))
    padded = [np.pad(image, ((0, 1), (0, 1), (0, 0)), mode="edge") for image in images]
    raw = write_video(tmp_path / "raw.mp4", padded, rate=24)
    assert audited(odd, mosaic, tmp_path / "mosaic")[0] == 0
    code, report = audited(odd, raw, tmp_path / "raw")
    assert (code, len(report["leaks"])) == (3, FRAMES)


def test_files_that_do_not_belong_together_are_refused(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = read_images(original)
    short = write_video(tmp_path / "short.mp4", images[:-2], rate=24)
    small = write_video(tmp_path / "small.mp4", [image[:180, :320] for image in images], rate=24)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    for other, code, message in (
        (short, 2, f"ANONYMISED ends after {FRAMES - 2} frames"),
        (small, 2, "ORIGINAL is 640x360 px and ANONYMISED 320x180"),
        (broken, 1, "is not a video that can be read"),
        (tmp_path / "none.mp4", 2, "does not exist"),
        (tmp_path, 2, "is a folder"),
    ):
        sheet, report = tmp_path / "sheet.png", tmp_path / "audit.json"
        outputs = ["--sheet", str(sheet), "--report", str(report)]
        assert execute(["audit", str(original), str(other), *outputs]) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line
        assert not sheet.exists()
        assert not report.exists()
    assert execute(["audit", str(short), str(original)]) == 2
    assert f"ORIGINAL ends after {FRAMES - 2} frames" in capsys.readouterr().err


def test_outputs_replace_nothing_they_must_not(
    original: Path, again: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy.mp4"
    shutil.copy(original, copy)
    old = tmp_path / "old.json"
    old.write_text("{}")
    for option, path, message in (
        ("--report", copy, "is named twice"),
        ("--report", old, "exists: choose another name or --overwrite"),
        ("--report", tmp_path / "nowhere" / "a.json", "does not exist: create it"),
        ("--sheet", tmp_path / "sheet.txt", "is no picture"),
    ):
        assert execute(["audit", str(copy), str(again), option, str(path)]) == 2
        assert message in capsys.readouterr().err
    assert copy.read_bytes() == original.read_bytes()
    assert execute(["audit", str(copy), str(again), "--report", str(old), "--overwrite"]) == 3
    assert json.loads(old.read_text(encoding="utf-8"))["leak_rate"] == 1
