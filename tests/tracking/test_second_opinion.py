"""What a detector is not sure of is shown when another sees no face, and covered in every doubt."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.errors import ModelError
from streamanon.imaging.boxes import iou
from streamanon.imaging.picture import as_picture
from streamanon.protocols import Detector
from streamanon.tracking.observer import Observer
from streamanon.tracking.second_opinion import (
    FAINT_LOOKS,
    FAINT_SCORE,
    GONE_AFTER_S,
    LOOK_EVERY,
    LOOKS,
    SURE_SCORE,
    SecondOpinion,
)
from streamanon.tracking.tracker import COAST_S
from streamanon.types import F32, U8, Face, Frame, Picture, Scene
from testkit import networks
from testkit.photos import read_photo

SIZE = (480, 360)
PLACE = np.array([200, 100, 270, 190], np.float32)
"""Where the first detector sees a face."""


@dataclass
class Doubting:
    """Sees a face at one place with one score, and none when it looks closer."""

    score: float = 0.5
    place: F32 = field(default_factory=lambda: PLACE)

    def detect(self, picture: Picture) -> list[Face]:
        whole = (picture.width, picture.height) == SIZE
        return [Face(self.place, self.score)] if whole else []


@pytest.fixture(scope="module")
def centerface() -> CenterFaceDetector:
    return networks.faint_centerface()


def _cup() -> U8:
    """Return a picture of something round and shaded, without a face."""
    image = np.full((SIZE[1], SIZE[0], 3), (90, 110, 120), np.uint8)
    cv2.ellipse(image, (235, 145), (35, 45), 0, 0, 360, (150, 170, 210), -1)
    cv2.circle(image, (240, 130), 8, (60, 80, 120), -1)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.uint8)


def _person(place: F32 = PLACE) -> U8:
    """Return the same with a photograph whose face is at the place."""
    (face,) = networks.yunet().detect(as_picture(read_photo("portrait_man")))
    scale = (place[2] - place[0]) / (face.box[2] - face.box[0])
    move = np.array([[scale, 0, 0], [0, scale, 0]]) + np.outer(
        place[:2] - scale * face.box[:2], [0, 0, 1]
    )
    image = _cup()
    cv2.warpAffine(read_photo("portrait_man"), move, SIZE, image, borderMode=cv2.BORDER_TRANSPARENT)
    return image


def _degraded(image: U8, how: str) -> U8:
    """Return a picture in which its face is harder to see."""
    image = image.copy()
    if how == "blurred":
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 6), np.uint8)
    elif how == "dark":
        image = image // 8
    elif how == "mirrored":
        image = np.ascontiguousarray(image[:, ::-1])
    elif how == "half hidden":
        image[150:210, 180:290] = (60, 90, 60)
    return image


def _turned(image: U8, degrees: float) -> U8:
    """Return a picture turned around the face's place."""
    middle = ((PLACE[0] + PLACE[2]) / 2, (PLACE[1] + PLACE[3]) / 2)
    turn = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), degrees, 1)
    return np.asarray(cv2.warpAffine(image, turn, SIZE), np.uint8)


def _observed(
    images: list[U8], first: Detector, second: Detector, look_ahead: int | None = None
) -> list[Scene]:
    observer = Observer(first, look_ahead=look_ahead, second=SecondOpinion(second))
    scenes = []
    for index, image in enumerate(images):
        scenes += observer.push(Frame(index, as_picture(image), index, Fraction(1, 25)))
    return scenes + observer.flush()


def _covered(scenes: list[Scene]) -> list[bool]:
    return [any(iou(s.track.cover, PLACE) > 0.3 for s in scene.subjects) for scene in scenes]


@pytest.mark.parametrize("frames", [1, 3, 30])
def test_what_is_no_face_is_never_covered_in_a_file(
    centerface: CenterFaceDetector, frames: int
) -> None:
    assert not any(_covered(_observed([_cup()] * frames, Doubting(), centerface)))


@pytest.mark.parametrize("look_ahead", [None, 0])
def test_what_only_may_be_a_face_is_covered_where_the_second_detector_sees_one(
    centerface: CenterFaceDetector, look_ahead: int | None
) -> None:
    faint = Doubting(FAINT_SCORE)
    assert all(_covered(_observed([_person()] * 24, faint, centerface, look_ahead)))
    assert not _covered(_observed([_cup()] * 24, faint, centerface, look_ahead))[-1]


def test_live_it_is_covered_until_several_frames_show_no_face(
    centerface: CenterFaceDetector,
) -> None:
    covered = _covered(_observed([_cup()] * 30, Doubting(), centerface, look_ahead=0))
    until = covered.index(False)
    assert until >= (LOOKS - 1) * LOOK_EVERY
    assert not any(covered[until:])


@pytest.mark.parametrize("degraded", ["as it is", "blurred", "dark", "mirrored", "half hidden"])
@pytest.mark.parametrize("look_ahead", [None, 0])
def test_a_face_that_the_first_detector_doubts_is_covered_in_every_frame(
    centerface: CenterFaceDetector, degraded: str, look_ahead: int | None
) -> None:
    image = _degraded(_person(), degraded)
    place = np.array([480 - 270, 100, 480 - 200, 190], np.float32)
    place = place if degraded == "mirrored" else PLACE
    scenes = _observed([image] * 24, Doubting(0.3, place), centerface, look_ahead)
    assert all(scene.subjects for scene in scenes)


@pytest.mark.parametrize("degrees", [70, 90, 135, 180, -110, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_so_is_one_that_lies_on_its_side_or_is_upside_down(
    centerface: CenterFaceDetector, degrees: float, *, mirrored: bool
) -> None:
    image, place = _turned(_person(), degrees), PLACE
    if mirrored:
        image, place = np.ascontiguousarray(image[:, ::-1]), PLACE.copy()
        place[[0, 2]] = SIZE[0] - PLACE[[2, 0]]
    scenes = _observed([image] * 24, Doubting(0.35, place), centerface)
    assert all(scene.subjects for scene in scenes)


@pytest.mark.parametrize("edge", ["left", "top", "right", "bottom"])
def test_so_is_one_that_the_edge_of_the_frame_cuts_in_half(
    centerface: CenterFaceDetector, edge: str
) -> None:
    x, y = {"left": (-35, 100), "top": (200, -40), "right": (445, 100), "bottom": (200, 310)}[edge]
    place = np.array([x, y, x + 70, y + 90], np.float32)
    scenes = _observed([_person(place)] * 24, Doubting(0.35, place), centerface)
    assert all(scene.subjects for scene in scenes)


@pytest.mark.parametrize("turns", [1, 2, 3])
@pytest.mark.parametrize("look_ahead", [None, 0])
def test_so_is_a_blurred_one_on_its_side_or_upside_down(
    centerface: CenterFaceDetector, turns: int, look_ahead: int | None
) -> None:
    image, place = np.asarray(cv2.GaussianBlur(_person(), (0, 0), 3), np.uint8), PLACE
    for _ in range(turns):  # np.rot90 takes (x, y) to (y, width - x)
        x0, y0, x1, y1 = place
        place = np.array([y0, image.shape[1] - x1, y1, image.shape[1] - x0], np.float32)
        image = np.ascontiguousarray(np.rot90(image))

    class Leaning:
        def detect(self, picture: Picture) -> list[Face]:
            whole = (picture.height, picture.width) == image.shape[:2]
            return [Face(place, 0.4)] if whole else []

    scenes = _observed([image] * 24, Leaning(), centerface, look_ahead)
    assert all(scene.subjects for scene in scenes)


def test_what_turns_out_to_be_a_face_is_covered_from_its_first_frame(
    centerface: CenterFaceDetector,
) -> None:
    images = [_cup()] * 30 + [_person()] * 30
    covered = _covered(_observed(images, Doubting(), centerface))
    assert not any(covered[:15])
    assert all(covered[30:])


def test_the_first_detector_is_believed_when_it_is_sure(centerface: CenterFaceDetector) -> None:
    scenes = _observed([_cup()] * 20, Doubting(SURE_SCORE), centerface)
    assert all(_covered(scenes))


def test_what_appears_where_a_face_was_lost_is_covered(centerface: CenterFaceDetector) -> None:
    @dataclass
    class Turning(Doubting):
        """Sure of a face at first, then sees something too far away to be the same track."""

        seen: int = 0

        def detect(self, picture: Picture) -> list[Face]:
            (*found,) = super().detect(picture)
            self.seen += len(found)
            beside = np.array([210, 80, 410, 300], np.float32)
            sure = [replace(face, score=0.9) for face in found]
            return sure if self.seen < 10 else [replace(face, box=beside) for face in found]

    scenes = _observed([_cup()] * 60, Turning(), centerface)
    assert len({subject.track.id for scene in scenes for subject in scene.subjects}) == 2
    assert all(scene.subjects for scene in scenes)


@pytest.mark.parametrize("degraded", ["as it is", "blurred", "half hidden"])
def test_two_looks_at_what_is_faint_are_enough_where_they_see_next_to_nothing(
    centerface: CenterFaceDetector, degraded: str
) -> None:
    @dataclass
    class Counting:
        looks: int = 0

        def detect(self, picture: Picture) -> list[Face]:
            self.looks += 1
            return centerface.detect(picture)

    counting = Counting()
    faint = Doubting(FAINT_SCORE)
    assert not any(_covered(_observed([_cup()], faint, counting)))
    assert counting.looks == FAINT_LOOKS
    assert all(_covered(_observed([_degraded(_person(), degraded)], faint, counting)))


def test_a_second_detector_that_fails_has_no_say() -> None:
    class Failing:
        def detect(self, picture: Picture) -> list[Face]:
            raise ModelError("no memory")

    assert all(_covered(_observed([_cup()] * 20, Doubting(), Failing())))


def test_a_face_beside_a_false_one_is_not_its_proof(centerface: CenterFaceDetector) -> None:
    @dataclass
    class Two(Doubting):
        """Sees the face, and doubts the hair above it."""

        def detect(self, picture: Picture) -> list[Face]:
            hair = PLACE + np.array([0, -45, 0, -45], np.float32)
            found = super().detect(picture)
            return found + [Face(hair, 0.4) for _ in found]

    for scene in _observed([_person()] * 20, Two(0.9), centerface):
        (subject,) = scene.subjects
        assert iou(subject.track.face.box, PLACE) > 0.9


@dataclass
class Losing(Doubting):
    """Sure of a face in so many frames, then blind."""

    score: float = 0.9
    frames: int = 20
    seen: int = 0

    def detect(self, picture: Picture) -> list[Face]:
        found = super().detect(picture)
        self.seen += len(found)
        return found if self.seen <= self.frames else []


@pytest.mark.parametrize("look_ahead", [None, 0])
def test_a_face_that_has_gone_is_covered_no_longer_than_it_takes_to_see_that(
    centerface: CenterFaceDetector, look_ahead: int | None
) -> None:
    images = [_person()] * 20 + [_cup()] * 40
    scenes = _observed(images, Losing(), centerface, look_ahead)
    covered = [bool(scene.subjects) for scene in scenes]
    until = covered.index(False)
    assert until >= 20 + 25 * GONE_AFTER_S
    assert until <= 20 + LOOKS * LOOK_EVERY
    assert not any(covered[until:])


@pytest.mark.parametrize("degraded", ["as it is", "blurred", "turned"])
@pytest.mark.parametrize("look_ahead", [None, 0])
def test_one_that_the_first_detector_no_longer_sees_is_covered_as_long_as_the_second_does(
    centerface: CenterFaceDetector, degraded: str, look_ahead: int | None
) -> None:
    image = _turned(_person(), 90) if degraded == "turned" else _degraded(_person(), degraded)
    images = [_person()] * 20 + [image] * 40
    scenes = _observed(images, Losing(), centerface, look_ahead)
    assert all(scene.subjects for scene in scenes[: 20 + round(25 * COAST_S)])


@dataclass
class InHalves(Doubting):
    """Sees two faces for ten frames, the halves of one, and then the whole one."""

    frames: int = 0

    def detect(self, picture: Picture) -> list[Face]:
        found = super().detect(picture)
        self.frames += len(found)
        left, right = PLACE.copy(), PLACE.copy()
        left[2] = right[0] = (PLACE[0] + PLACE[2]) / 2
        if not found or self.frames > 10:
            return [Face(PLACE, 0.9)] if found else []
        return [Face(left, 0.75), Face(right, 0.75)]


def test_a_lost_half_of_a_face_that_shows_again_is_that_face() -> None:
    class Believer:
        """Sees a face in whatever it looks at, so that it refutes nothing."""

        def detect(self, picture: Picture) -> list[Face]:
            return [Face(np.array([0, 0, picture.width, picture.height], np.float32), 0.9)]

    scenes = _observed([_person()] * 30, InHalves(), Believer())
    counts = [len(scene.subjects) for scene in scenes]
    assert counts[:10] == [2] * 10
    assert counts[11 + round(25 * GONE_AFTER_S) :] == [1] * (19 - round(25 * GONE_AFTER_S))


def _with_hair(head: U8) -> U8:
    """Return a picture with somebody's hair, without a face, above a face at the place."""
    cv2.ellipse(head, (235, 85), (48, 50), 0, 0, 360, (60, 90, 130), -1)
    return head


@dataclass
class InHair(Doubting):
    """Is sure of a face, and of another in the hair above it, which comes from elsewhere."""

    seen: int = 0

    def detect(self, picture: Picture) -> list[Face]:
        found = super().detect(picture)
        self.seen += len(found)
        hair = PLACE + np.array([0, -75, 0, -75], np.float32)
        beside = hair + np.array([max(120 - 6 * self.seen, 0), 0] * 2, np.float32)
        return [one for face in found for one in (Face(PLACE, 0.9), Face(beside, 0.8))]


def test_what_the_first_detector_takes_for_a_face_in_hair_the_second_has_to_see(
    centerface: CenterFaceDetector,
) -> None:
    hair = PLACE + np.array([0, -75, 0, -75], np.float32)
    bare, behind = _with_hair(_person()), _person()
    there = _person(hair)
    behind[:100] = there[:100]  # looks out from behind the other's head
    for image, wanted in ((bare, False), (behind, True)):
        scenes = _observed([image] * 60, InHair(), centerface)
        found = [
            any(iou(s.track.face.box, hair) > 0.5 for s in one.subjects) for one in scenes[40:]
        ]
        assert found == [wanted] * 20
        assert all(_covered(scenes))
