"""CenterFace on photographs, scaled and placed."""

import cv2
import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import ModelError
from streamanon.imaging.boxes import iou
from streamanon.imaging.picture import as_picture
from testkit.networks import ChangedNetwork, without_numbers
from testkit.photos import read_photo

NAMES = ["london_001_neutral", "london_002_smiling", "portrait_man"]


@pytest.fixture(scope="module")
def centerface() -> CenterFaceDetector:
    return CenterFaceDetector(OnnxRuntimeBackend(weights.path("centerface.onnx")))


@pytest.mark.parametrize("name", NAMES)
def test_a_face_is_found_once_where_yunet_finds_it(
    centerface: CenterFaceDetector, yunet: YuNetDetector, name: str
) -> None:
    picture = as_picture(read_photo(name))
    (face,), (other,) = centerface.detect(picture), yunet.detect(picture)
    assert face.score > 0.7
    assert iou(face.box, other.box) > 0.6
    assert face.points is not None
    assert other.points is not None
    width = other.box[2] - other.box[0]
    assert np.abs(face.points - other.points).max() < 0.1 * width


@pytest.mark.parametrize("side", [64, 128, 512, 1100, 2000])
def test_a_face_of_any_size_is_found_at_its_place(
    centerface: CenterFaceDetector, side: int
) -> None:
    image = np.asarray(cv2.resize(read_photo("london_001_neutral"), (side, side)), np.uint8)
    (face,) = centerface.detect(as_picture(image))
    # The face of this photo is centred at (255, 257) of its 512 px.
    assert np.abs((face.box[:2] + face.box[2:]) / 2 - side / 2).max() < 0.04 * side


def test_several_faces_are_found_best_first(centerface: CenterFaceDetector) -> None:
    row = [cv2.resize(read_photo(name), (512, 512)) for name in NAMES]
    faces = centerface.detect(as_picture(np.asarray(np.hstack(row), np.uint8)))
    assert len(faces) == 3
    assert [face.score for face in faces] == sorted((f.score for f in faces), reverse=True)
    assert sorted(int(face.box[[0, 2]].mean() // 512) for face in faces) == [0, 1, 2]


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (33, 7), (3840, 2160)])
def test_a_frame_of_any_size_without_a_face_gives_none(
    centerface: CenterFaceDetector, size: tuple[int, int]
) -> None:
    assert centerface.detect(as_picture(np.full((size[1], size[0], 3), 90, np.uint8))) == []


@pytest.mark.parametrize("broken", ["heat", "size"])
def test_numbers_that_are_not_finite_do_not_pass_for_no_face(broken: str) -> None:
    network = ChangedNetwork("centerface.onnx", lambda answer: without_numbers(answer, broken))
    detector = CenterFaceDetector(network)
    with pytest.raises(ModelError, match="not finite"):
        detector.detect(as_picture(read_photo("portrait_man")))
