"""YuNet on photographs, scaled and placed."""

from itertools import count
from typing import Any

import cv2
import numpy as np
import pytest

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors import yunet as module
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import ModelError
from streamanon.imaging.boxes import iou
from streamanon.imaging.picture import as_picture
from streamanon.types import U8
from testkit.networks import ChangedNetwork, without_numbers
from testkit.photos import read_photo

NAMES = ["london_001_neutral", "london_002_smiling", "portrait_man"]


def scene(face: U8, face_px: float, size: tuple[int, int], at: tuple[int, int]) -> U8:
    """A grey (width, height) frame with a 512 px photo in it, its face (172 px) scaled."""
    scale = face_px / 172
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    frame = np.full((size[1], size[0], 3), 110, np.uint8)
    x, y = at
    frame[y : y + small.shape[0], x : x + small.shape[1]] = small
    return frame


@pytest.mark.parametrize("name", NAMES)
def test_a_face_is_found_once_with_its_points_in_order(yunet: YuNetDetector, name: str) -> None:
    (face,) = yunet.detect(as_picture(read_photo(name)))
    assert face.score > 0.8
    assert face.points is not None
    right_eye, left_eye, nose, right_mouth, left_mouth = face.points
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert right_eye[1] < nose[1] < right_mouth[1]
    assert (face.points > face.box[:2]).all()
    assert (face.points < face.box[2:]).all()


@pytest.mark.parametrize("at", [(0, 0), (601, 333), (1170, 610)])
def test_the_smallest_wanted_face_is_found_in_one_look_at_720p(
    yunet: YuNetDetector, at: tuple[int, int]
) -> None:
    frame = scene(read_photo("london_001_neutral"), 32, (1280, 720), at)
    assert len(module._plan(1280, 720, 32)) == 1
    (face,) = yunet.detect(as_picture(frame))
    centre = (face.box[:2] + face.box[2:]) / 2
    # The face of this photo is centred at (255, 257) of its 512 px.
    assert np.abs(centre - np.add(at, 256 * 32 / 172)).max() < 4


@pytest.mark.parametrize("at", [(10, 10), (1900, 1000), (3740, 2060)])
def test_a_small_face_in_a_4k_frame_is_found_once(
    yunet: YuNetDetector, at: tuple[int, int]
) -> None:
    frame = scene(read_photo("london_001_neutral"), 32, (3840, 2160), at)
    (face,) = yunet.detect(as_picture(frame))
    assert 20 < face.box[2] - face.box[0] < 45


def test_a_large_face_in_a_4k_frame_is_found_once(yunet: YuNetDetector) -> None:
    face = cv2.resize(read_photo("london_002_neutral"), (2160, 2160))
    frame = cv2.copyMakeBorder(face, 0, 0, 840, 840, cv2.BORDER_REPLICATE)
    assert len(yunet.detect(as_picture(np.asarray(frame, np.uint8)))) == 1


def test_a_face_far_larger_than_the_frame_is_found_once(yunet: YuNetDetector) -> None:
    face = read_photo("london_002_neutral")[180:345, 110:410]
    frame = cv2.resize(face, (1280, 704), interpolation=cv2.INTER_CUBIC)
    (found,) = yunet.detect(as_picture(np.asarray(frame, np.uint8)))
    assert found.score > 0.8
    assert found.box[3] - found.box[1] > 700


def test_numbers_that_are_not_finite_do_not_pass_for_no_face() -> None:
    network = ChangedNetwork("yunet.onnx", lambda answer: without_numbers(answer, *answer))
    detector = YuNetDetector(network, min_face_px=32)
    with pytest.raises(ModelError, match="not finite"):
        detector.detect(as_picture(np.zeros((90, 160, 3), np.uint8)))


@pytest.mark.parametrize("kind", ["bbox", "kps", "cls", "obj"])
@pytest.mark.parametrize("look", [1, 2])
def test_nor_do_they_in_one_kind_of_answer_or_in_the_second_look(look: int, kind: str) -> None:
    looks = count(1)

    def spoilt(answer: dict[str, Any]) -> dict[str, Any]:
        wrong = next(looks) == look
        return without_numbers(answer, *(name for name in answer if kind in name and wrong))

    detector = YuNetDetector(ChangedNetwork("yunet.onnx", spoilt), min_face_px=32)
    with pytest.raises(ModelError, match="not finite"):
        detector.detect(as_picture(read_photo("london_002_neutral")))


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (33, 7), (7680, 4320)])
def test_a_frame_of_any_size_without_a_face_gives_none(
    yunet: YuNetDetector, size: tuple[int, int]
) -> None:
    assert yunet.detect(as_picture(np.full((size[1], size[0], 3), 90, np.uint8))) == []


@pytest.mark.parametrize(
    ("width", "height", "min_face"),
    [(3840, 2160, 32), (1920, 1080, 12), (7680, 4320, 16), (500, 4000, 9)],
)
def test_every_wanted_face_is_whole_and_large_enough_in_some_look(
    width: int, height: int, min_face: int
) -> None:
    plan = module._plan(width, height, min_face)
    random = np.random.default_rng(0)
    for side in np.geomspace(min_face, min(width, height), 12):
        for corner in random.random((40, 2)) * (width - side, height - side):
            x, y = corner
            assert any(
                look.box[0] <= x
                and look.box[1] <= y
                and look.box[2] >= x + side
                and look.box[3] >= y + side
                and side * look.size[0] / (look.box[2] - look.box[0])
                > module.MIN_FACE_INPUT_PX * 0.98
                for look in plan
            ), (side, corner)


def test_looks_stay_within_what_one_run_may_cost() -> None:
    for width, height in ((1280, 720), (1920, 1080), (3840, 2160), (7680, 4320), (720, 1280)):
        longest = max(max(look.size) for look in module._plan(width, height, 32))
        assert longest <= module.MAX_INPUT_PX


def test_a_face_looks_the_same_at_any_input_size() -> None:
    backend = OnnxRuntimeBackend(weights.path("yunet.onnx"))
    picture = as_picture(read_photo("portrait_man"))
    boxes = [
        YuNetDetector(backend, min_face_px=size).detect(picture)[0].box for size in (12, 24, 48)
    ]
    assert iou(boxes[0], boxes[1]) > 0.8
    assert iou(boxes[0], boxes[2]) > 0.8
