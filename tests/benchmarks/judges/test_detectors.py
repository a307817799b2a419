"""Detectors as judges: on faces, without faces, and dead."""

import cv2
import numpy as np
import pytest

from benchmarks.judges.detectors import DETECTORS, DetectorJudge, detector
from benchmarks.judges.self_check import KnownFace, check_detector
from streamanon.errors import UsageError
from streamanon.types import F32, U8


@pytest.fixture(scope="module", params=list(DETECTORS))
def judge(request: pytest.FixtureRequest) -> DetectorJudge:
    return detector(request.param)


def test_each_finds_one_face_where_it_is(
    judge: DetectorJudge, faces: tuple[KnownFace, ...]
) -> None:
    assert judge.name in DETECTORS
    for face in faces:
        found = judge(face.image)
        assert found.shape == (1, 5)
        assert found.dtype == np.float32
        low, high = face.points[:, :2].min(axis=0), face.points[:, :2].max(axis=0)
        shared = np.minimum(found[0, 2:4], high) - np.maximum(found[0, :2], low)
        assert (shared > 0.6 * (high - low)).all()


def test_each_finds_nothing_in_a_solid_cover(
    judge: DetectorJudge, faces: tuple[KnownFace, ...]
) -> None:
    image = faces[0].image.copy()
    x0, y0 = faces[0].points[:, :2].min(axis=0).astype(int) - 40
    x1, y1 = faces[0].points[:, :2].max(axis=0).astype(int) + 40
    image[max(0, y0) : y1, max(0, x0) : x1] = 90
    assert judge(image).shape == (0, 5)


def test_each_is_alive(judge: DetectorJudge) -> None:
    assert check_detector(judge).as_json() == {"alive": True, "reason": ""}


def test_a_detector_that_finds_nothing_is_dead(faces: tuple[KnownFace, ...]) -> None:
    class Blind:
        name = "blind"

        def __call__(self, image: U8) -> F32:
            return np.empty((0, 5), np.float32)

    found = check_detector(Blind())
    assert not found.alive
    assert found.reason == f"finds 0 of {len(faces)} known faces"


def test_a_detector_that_finds_faces_everywhere_is_dead() -> None:
    class Eager:
        name = "eager"

        def __call__(self, image: U8) -> F32:
            height, width = image.shape[:2]
            return np.array([[0, 0, width, height, 1]], np.float32)

    assert check_detector(Eager()).reason == "finds a face in a grey picture"


def test_a_detector_that_looks_elsewhere_is_dead() -> None:
    class Corner:
        name = "corner"

        def __call__(self, image: U8) -> F32:
            return np.array([[0, 0, 9, 9, 1]], np.float32)[: int(image.std() > 0)]

    assert not check_detector(Corner()).alive


def test_originals_that_a_detector_cannot_see_are_reported(faces: tuple[KnownFace, ...]) -> None:
    upside_down = [
        type(face)(np.asarray(cv2.rotate(face.image, cv2.ROTATE_180), np.uint8), face.points)
        for face in faces
    ]
    assert not check_detector(detector("dlib-hog"), upside_down).alive


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UsageError, match="no detector called 'mtcnn': it is one of dlib-hog"):
        detector("mtcnn")
