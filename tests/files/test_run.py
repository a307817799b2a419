"""Whole runs through the Python call: what comes out, what is loaded, what is reported."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import streamanon
from streamanon import Config
from streamanon.detectors.mediapipe_landmarker import MediapipeDetector
from streamanon.errors import LeakError, UsageError
from streamanon.factory import Factory
from streamanon.files.jobs import plan
from streamanon.files.run import anonymise_all
from streamanon.pipeline.document import sha256
from streamanon.tracking import observer
from streamanon.tracking.observer import Observer
from streamanon.types import Frame, Scene
from testkit.videos import read_images

MOSAIC = Config(method="mosaic")


def _change(before: Path, after: Path) -> list[float]:
    """Return how much the middle of each frame changed, in grey levels."""
    pairs = zip(read_images(before), read_images(after), strict=True)
    middle = (slice(60, 180), slice(60, 180))
    return [float(np.abs(a[middle].astype(int) - b[middle]).mean()) for a, b in pairs]


@pytest.mark.parametrize("method", ["warp", "anonygan", "mosaic", "blur", "solid"])
def test_every_method_changes_the_face_in_every_frame(
    face_clip: Path, tmp_path: Path, method: str
) -> None:
    report = streamanon.anonymise(face_clip, tmp_path / "out.mp4", Config(method=method))
    assert (report.uncovered, report.ledger.frames, len(report.ledger.tracks)) == (0, 16, 1)
    assert report.ledger.tracks[1].replaced == 16
    assert min(_change(face_clip, tmp_path / "out.mp4")) > 4
    assert bool(report.ledger.tracks[1].identities) == (method in ("warp", "anonygan"))
    assert report.ledger.steps_down == []


def test_a_picture_becomes_a_picture(face_clip: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "in.png"), read_images(face_clip)[0])
    report = streamanon.anonymise(tmp_path / "in.png", tmp_path / "out.png")
    assert (report.ledger.frames, report.ledger.tracks[1].replaced) == (1, 1)
    assert _change(tmp_path / "in.png", tmp_path / "out.png")[0] > 4


def test_a_face_in_the_transparency_of_a_picture_is_hidden(face_clip: Path, tmp_path: Path) -> None:
    grey = cv2.cvtColor(read_images(face_clip)[0], cv2.COLOR_BGR2GRAY)
    black = np.zeros_like(grey)
    cv2.imwrite(str(tmp_path / "in.png"), cv2.merge([black, black, black, 255 - grey]))
    report = streamanon.anonymise(tmp_path / "in.png", tmp_path / "out.png", Config(method="solid"))
    assert report.ledger.tracks[1].replaced == 1
    out = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert out is not None
    assert out.shape == (*grey.shape, 3)
    assert (out[80:160, 80:160] == 0).all()


def test_one_identity_for_all(face_clip: Path, tmp_path: Path) -> None:
    name = Factory(Config()).gallery[-1].name
    report = streamanon.anonymise(face_clip, tmp_path / "out.mp4", Config(identity=name))
    assert report.ledger.tracks[1].identities == [name]


def test_plain_methods_load_nothing_but_the_detectors() -> None:
    factory = Factory(MOSAIC)
    factory.observer(factory.anonymiser())
    assert {"mesher", "embedder", "gallery"}.isdisjoint(vars(factory))
    assert set(factory.runtimes) == {"yunet.onnx", "centerface.onnx"}


def test_the_network_runs_where_it_is_asked_to() -> None:
    factory = Factory(Config(method="anonygan", runtime="onnxruntime"))
    factory.anonymiser()
    assert factory.runtimes["anonygan.onnx"].startswith("onnxruntime ")
    assert "openvino" not in factory.runtimes["anonygan.onnx"]
    assert {"detector", "embedder"}.isdisjoint(vars(factory))


def test_every_runtime_that_was_tried_is_reported() -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    factory = Factory(Config(method="anonygan"))
    factory.anonymiser()
    comparison = factory.runtimes["anonygan.onnx"]
    assert comparison.count(" ms") >= 2
    assert "onnxruntime" in comparison
    assert "openvino" in comparison


def test_streams_share_the_gallery_and_nothing_that_remembers() -> None:
    factory = Factory(Config())
    other = factory.for_stream(method="mosaic", seed=3)
    assert (other.config.method, other.config.seed, factory.config.seed) == ("mosaic", 3, 0)
    assert other.gallery is factory.gallery
    assert other.detector is not factory.detector


def test_streams_share_the_networks_that_no_setting_concerns() -> None:
    factory = Factory(Config())
    other = factory.for_stream(runtime="onnxruntime")
    assert other._network("mobilefacenet.onnx") is factory._network("mobilefacenet.onnx")


def test_detectors_with_threads_are_released_at_the_end(
    face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mediapipe", reason="the extra mediapipe is not installed")
    closed = []
    close = MediapipeDetector.close

    def noted(self: MediapipeDetector) -> None:
        close(self)
        closed.append(self)

    monkeypatch.setattr(MediapipeDetector, "close", noted)
    config = Config(method="mosaic", detector="mediapipe")
    streamanon.anonymise(face_clip, tmp_path / "out.mp4", config)
    assert len(closed) == 1


def test_a_setting_for_live_streams_is_refused(face_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--wait is for live streams only"):
        streamanon.anonymise(face_clip, tmp_path / "out.mp4", Config(wait=True))


def test_a_live_stream_does_not_wait_for_later_frames(face_clip: Path, tmp_path: Path) -> None:
    factory = Factory(MOSAIC)
    source = factory.source(face_clip)
    observer = factory.observer(factory.anonymiser(), live=True)
    assert [len(observer.push(frame)) for frame in source] == [1] * 16
    source.close()


def test_a_folder_is_not_one_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        streamanon.anonymise(tmp_path, tmp_path / "out")


def test_the_report_file(face_clip: Path, tmp_path: Path) -> None:
    broken, target = tmp_path / "broken.mp4", tmp_path / "report.json"
    broken.write_text("not a video")
    config = Config(report=target)
    anonymise_all(plan([face_clip, broken], tmp_path / "out"), config)
    document = json.loads(target.read_text())
    good, bad = document["files"]
    assert "ONNX Runtime" in document["runtimes"]["yunet.onnx"]
    assert good["input_sha256"] == sha256(face_clip)
    assert good["output_sha256"] == sha256(tmp_path / "out" / face_clip.name)
    assert good["uncovered"] == 0
    assert (good["frames"]["read"], good["frames"]["examined"]) == (16, 16)
    (track,) = good["tracks"]
    assert (track["first"], track["last"], track["replaced"]) == (0, 15, 16)
    assert bad == {"input_sha256": sha256(broken), "error": "MediaError"}
    assert str(tmp_path) not in target.read_text()
    assert "embedding" not in target.read_text()


def test_a_leak_is_an_error_and_is_not_published(
    face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Inattentive(Observer):
        def push(self, frame: Frame) -> list[Scene]:
            scenes = super().push(frame)
            self.stats.unconfirmed.discard(3)
            return scenes

    monkeypatch.setattr(observer, "Observer", Inattentive)
    target = tmp_path / "report.json"
    with pytest.raises(LeakError, match="1 faces or frames were not hidden"):
        streamanon.anonymise(
            face_clip, tmp_path / "out.mp4", Config(method="mosaic", report=target)
        )
    assert list(tmp_path.iterdir()) == [target]
    (entry,) = json.loads(target.read_text())["files"]
    assert (entry["error"], entry["uncovered"]) == ("LeakError", 1)
    assert "output_sha256" not in entry


def test_the_report_never_replaces_anything_unasked(face_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("old")
    jobs = plan([face_clip], tmp_path / "out.mp4")
    for report, message in [
        (face_clip, "is an input or an output"),
        (tmp_path / "out.mp4", "is an input or an output"),
        (tmp_path / "report.json", "exists"),
        (tmp_path / "none" / "report.json", "create it"),
    ]:
        with pytest.raises(UsageError, match=message):
            anonymise_all(jobs, Config(method="mosaic", report=report))
    assert (tmp_path / "report.json").read_text() == "old"
