"""The see stage on made clips: a photograph moved over a background, and scripted faults."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from streamanon.config import Config
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import StageError
from streamanon.factory import Factory
from streamanon.imaging.picture import as_picture
from streamanon.tracking.observer import MAX_FAILURES, Observer
from streamanon.tracking.second_opinion import SecondOpinion
from streamanon.types import F32, U8, Face, Frame, Mesh, Picture, Scene
from testkit import networks
from testkit.photos import read_photo

SIZE = (640, 360)
RATE = 30


def _background(level: int = 90) -> U8:
    ramp = np.linspace(level - 30, level + 30, SIZE[0], dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (SIZE[1], SIZE[0], 3)))


def _placed(photo: U8, x: float, y: float = 60, level: int = 90) -> U8:
    """Return a frame with the photograph's corner at (x, y); it may hang over the edge."""
    image, left, top = _background(level), round(x), round(y)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(SIZE[0], left + photo.shape[1]), min(SIZE[1], top + photo.shape[0])
    if x1 > x0 and y1 > y0:
        image[y0:y1, x0:x1] = photo[y0 - top : y1 - top, x0 - left : x1 - left]
    return image


def _frame(image: U8, index: int, *, damaged: bool = False) -> Frame:
    return Frame(index, as_picture(image), index, Fraction(1, RATE), damaged)


def _observe(observer: Observer, images: list[U8], damaged: tuple[int, ...] = ()) -> list[Scene]:
    scenes = []
    for index, image in enumerate(images):
        scenes += observer.push(_frame(image, index, damaged=index in damaged))
    scenes += observer.flush()
    assert [scene.frame.index for scene in scenes] == list(range(len(images)))
    return scenes


def _ids(scene: Scene) -> set[int]:
    return {subject.track.id for subject in scene.subjects}


def _share_covered(scene: Scene, box: F32) -> tuple[float, float]:
    """Return (visible share of a box, covered share of what is visible of it)."""
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60)), axis=2)
    points = box[:2] + grid.reshape(-1, 2) * (box[2:] - box[:2])
    visible = points[((points >= 0) & (points < SIZE)).all(axis=1)]
    covered = np.zeros(len(visible), bool)
    for subject in scene.subjects:
        cover = subject.track.cover
        covered |= ((visible >= cover[:2]) & (visible < cover[2:])).all(axis=1)
    return len(visible) / len(points), float(covered.mean()) if len(visible) else 1.0


@dataclass
class Script:
    """A detector that reads the number of the frame from its first pixel and looks up its answer.

    It sees whole frames only: asked to look closer, it finds nothing.
    """

    answer: Callable[[int], list[Face]]
    looks: list[int] = field(default_factory=list)

    def detect(self, picture: Picture) -> list[Face]:
        if picture.width != SIZE[0]:
            return []
        self.looks.append(int(picture.planes[0][0, 0]))
        return self.answer(self.looks[-1])


def _numbered(images: list[U8]) -> list[U8]:
    """Return images with their number in the first pixel."""
    for index, image in enumerate(images):
        image[0, 0] = index
    return images


def _backgrounds(count: int) -> list[U8]:
    return _numbered([_background() for _ in range(count)])


def _box(x: float) -> F32:
    return np.array([x, 100, x + 80, 180], np.float32)


@pytest.mark.parametrize("more", ["boxes", "mesh", "second opinion"])
@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
def test_a_face_sliding_in_and_out_is_covered_all_the_way(
    yunet: YuNetDetector, mesher: MeshFitter, side: str, more: str
) -> None:
    photo, step = read_photo("portrait_man", 240), 14
    starts = {"left": (-240, 60), "right": (640, 60), "top": (200, -240), "bottom": (200, 360)}
    ways = {"left": (step, 0), "right": (-step, 0), "top": (0, step), "bottom": (0, -step)}
    (x, y), (dx, dy) = starts[side], ways[side]
    places = [(x + dx * i, y + dy * i) for i in range(22)]
    places += places[::-1]
    (face,) = yunet.detect(_frame(_placed(photo, 200), 0).picture)
    second = SecondOpinion(networks.faint_centerface()) if more == "second opinion" else None
    observer = Observer(yunet, mesher if more == "mesh" else None, second=second)
    scenes = _observe(observer, [_placed(photo, *place) for place in places])
    for scene, place in zip(scenes, places, strict=True):
        box = face.box + np.tile(np.array(place, np.float32) - (200, 60), 2)
        visible, covered = _share_covered(scene, box)
        if visible > 0.25:
            assert covered > 0.9, f"frame {scene.frame.index}: {visible:.2f} visible"
    assert observer.stats.backfilled + observer.stats.coasted > 0
    assert observer.stats.examined == len(places)


def test_a_believed_mesh_lies_on_the_face_and_inside_its_cover(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    photo = read_photo("london_001_smiling", 240)
    images = [_placed(photo, 100 + 6 * i) for i in range(20)]
    for scene in _observe(Observer(yunet, mesher), images):
        (subject,) = scene.subjects
        mesh = subject.track.face.mesh
        assert mesh is not None
        assert mesh.presence > 0.9
        x0, y0, x1, y1 = subject.track.cover
        skin = mesh.points[:468]
        assert (skin[:, 0] > x0).all()
        assert (skin[:, 0] < x1).all()
        assert (skin[:, 1] > y0).all()
        assert (skin[:, 1] < y1).all()
        middle = 100 + 6 * scene.frame.index + 120
        assert abs(float(skin[:, 0].mean()) - middle) < 15


def test_two_people_have_two_ids_and_a_cut_gives_new_ones(yunet: YuNetDetector) -> None:
    one, two = read_photo("london_001_neutral", 240), read_photo("london_002_neutral", 240)
    first = _placed(one, 20)
    first[60:300, 380:620] = two
    second = _placed(two, 200, y=100, level=200)
    second[:, 460:] = 20
    observer = Observer(yunet)
    scenes = _observe(observer, [first] * 8 + [second] * 8)
    assert observer.stats.cuts == 1
    assert [len(_ids(scene)) for scene in scenes] == [2] * 8 + [1] * 8
    assert len(_ids(scenes[7]) | _ids(scenes[8])) == 3


def test_who_is_somewhere_else_at_once_keeps_their_face() -> None:
    """Their old track, of which nothing is seen, does not keep the new one from it."""
    factory = Factory(Config(method="warp"))
    photo = read_photo("portrait_man", 280)
    images = [_placed(photo, 20 if index < 40 else 340) for index in range(100)]
    scenes = _observe(factory.observer(factory.anonymiser()), images)
    (before,), (after,) = scenes[20].subjects, scenes[90].subjects
    assert before.track.id != after.track.id
    assert before.identity is after.identity is not None
    alone = [scene.subjects[0].identity for scene in scenes[40:] if len(scene.subjects) == 1]
    assert len(alone) > 12  # the old track is followed for a second
    assert None not in alone


def test_nothing_is_found_without_a_face(yunet: YuNetDetector, mesher: MeshFitter) -> None:
    observer = Observer(yunet, mesher)
    scenes = _observe(observer, [_background()] * 5)
    assert not any(scene.subjects or scene.distrust for scene in scenes)
    assert (observer.stats.examined, observer.stats.births) == (5, 0)


def test_a_lost_face_is_covered_on_its_way_to_where_it_is_found() -> None:
    missed = range(8, 14)
    detector = Script(lambda i: [] if i in missed else [Face(_box(100 + 8 * i), 0.9)])
    observer = Observer(detector)
    for scene in _observe(observer, _backgrounds(24)):
        (subject,) = scene.subjects
        assert subject.track.id == 1
        assert (subject.track.unseen_s > 0) == (scene.frame.index in missed)
        assert _share_covered(scene, _box(100 + 8 * scene.frame.index)) == (1.0, 1.0)
        sides = subject.track.cover[2:] - subject.track.cover[:2]
        assert float(sides.max()) < 2.2 * 80
    assert observer.stats.coasted == len(missed)


def test_a_new_face_is_covered_in_the_frames_before_but_not_beyond_a_cut() -> None:
    images = _backgrounds(20)
    for index, image in enumerate(images):
        if index < 8:
            image[: image.shape[0] // 2] = 230
        else:
            image[:, : image.shape[1] // 2], image[:, image.shape[1] // 2 :] = 20, 160
        image[0, 0] = index
    scenes = _observe(Observer(Script(lambda i: [Face(_box(300), 0.9)] if i > 9 else [])), images)
    assert [bool(scene.subjects) for scene in scenes] == [False] * 8 + [True] * 12
    scenes = _observe(
        Observer(Script(lambda i: [Face(_box(300), 0.9)] if i > 9 else [])), _backgrounds(20)
    )
    assert [bool(scene.subjects) for scene in scenes] == [False] * 6 + [True] * 14


def test_without_look_ahead_a_frame_is_released_at_once() -> None:
    observer = Observer(Script(lambda i: [Face(_box(300), 0.9)]), look_ahead=0)
    for index, image in enumerate(_backgrounds(5)):
        (scene,) = observer.push(_frame(image, index))
        assert scene.frame.index == index
        assert len(scene.subjects) == 1
    assert observer.flush() == []


def test_large_pictures_wait_for_fewer_frames() -> None:
    observer = Observer(Script(lambda i: []))
    picture = as_picture(np.zeros((4320, 7680, 3), np.uint8))
    released = [
        scene.frame.index
        for index in range(4)
        for scene in observer.push(Frame(index, picture, index, Fraction(1, RATE)))
    ]
    assert released == [0, 1]


@pytest.mark.parametrize("error", [RuntimeError("driver lost"), MemoryError()])
def test_a_frame_the_detector_fails_on_is_not_trusted(error: Exception) -> None:
    def answer(index: int) -> list[Face]:
        if index == 6:
            raise error
        return [Face(_box(200), 0.9)]

    observer = Observer(Script(answer))
    scenes = _observe(observer, _backgrounds(12))
    assert [bool(scene.distrust) for scene in scenes] == [i == 6 for i in range(12)]
    assert scenes[6].distrust.startswith("detector failed: ")
    assert all(_ids(scene) == {1} for scene in scenes if scene.frame.index != 6)
    assert (observer.stats.examined, observer.stats.detector_failures) == (11, 1)


def test_a_frame_that_could_not_be_searched_again_is_not_trusted() -> None:
    class Moody(Script):
        def detect(self, picture: Picture) -> list[Face]:
            if picture.width != SIZE[0]:
                raise RuntimeError("driver lost")
            return super().detect(picture)

    detector = Moody(lambda i: [Face(_box(300), 0.9)] if i > 2 else [])
    scenes = _observe(Observer(detector), _backgrounds(6))
    assert [scene.distrust for scene in scenes] == ["detector failed: driver lost"] * 3 + [""] * 3


@pytest.mark.parametrize(
    "box",
    [
        [np.nan, 0, 50, 50],
        [0, 0, np.inf, 50],
        [0, 0, 9e9, 9e9],
        [-9000, 100, 9000, 300],
        [100, 300, 200, 200],
        [100, 100, 100, 200],
    ],
)
def test_a_frame_with_an_absurd_face_is_not_trusted(box: list[float]) -> None:
    absurd = Face(np.array(box, np.float32), 0.9)
    scenes = _observe(Observer(Script(lambda i: [absurd] if i == 3 else [])), _backgrounds(6))
    assert [bool(scene.distrust) for scene in scenes] == [i == 3 for i in range(6)]


def test_a_detector_that_keeps_failing_ends_the_run() -> None:
    def answer(index: int) -> list[Face]:
        raise RuntimeError("driver lost")

    observer = Observer(Script(answer))
    images = _backgrounds(MAX_FAILURES)
    with pytest.raises(StageError, match=r"see: .*25 frames in a row: driver lost") as caught:
        _observe(observer, images)
    assert caught.value.stage == "see"


def test_a_damaged_frame_is_neither_trusted_nor_followed() -> None:
    detector = Script(lambda i: [Face(_box(200 if i != 5 else 420), 0.9)])
    scenes = _observe(Observer(detector), _backgrounds(10), damaged=(5,))
    assert [scene.distrust for scene in scenes] == [
        "damaged frame" if i == 5 else "" for i in range(10)
    ]
    assert 5 not in detector.looks
    assert all(_ids(scene) == {1} for scene in scenes if scene.frame.index != 5)


@pytest.mark.parametrize("fault", ["raises", "not finite", "doubted", "elsewhere"])
def test_a_face_whose_mesh_cannot_be_believed_is_covered_without(
    yunet: YuNetDetector, mesher: MeshFitter, fault: str
) -> None:
    @dataclass
    class Faulty:
        def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
            mesh = mesher.fit(picture, roi, blendshapes=blendshapes)
            if fault == "raises":
                raise MemoryError
            if fault == "not finite":
                return Mesh(np.full_like(mesh.points, np.nan), mesh.presence)
            if fault == "doubted":
                return Mesh(mesh.points, 0.1)
            return Mesh(mesh.points + np.float32(300), mesh.presence)

    observer = Observer(yunet, Faulty())
    image = _placed(read_photo("portrait_man", 240), 200)
    for scene in _observe(observer, [image] * 3):
        (subject,) = scene.subjects
        assert subject.track.face.mesh is None
        assert _share_covered(scene, subject.track.face.box) == (1.0, 1.0)
        assert not scene.distrust
    assert (observer.stats.mesh_failures > 0) == (fault == "raises")


def test_nothing_is_fitted_while_no_mesh_is_wanted(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    @dataclass
    class Counting:
        fits: int = 0

        def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
            self.fits += 1
            return mesher.fit(picture, roi, blendshapes=blendshapes)

    counting = Counting()
    observer = Observer(yunet, counting, look_ahead=0)
    frames = [_frame(_placed(read_photo("portrait_man", 240), 150 + 4 * i), i) for i in range(12)]
    fits = []
    for index, frame in enumerate(frames):
        observer.fit_meshes(enabled=not 4 <= index < 8)
        (scene,) = observer.push(frame)
        (subject,) = scene.subjects
        assert subject.track.id == 1
        assert (subject.track.face.mesh is None) == (4 <= index < 8)
        fits.append(counting.fits)
    assert fits[3] == fits[7]
    assert fits[11] > fits[7]


@dataclass
class Seldom:
    """Fits meshes in some frames, by the number in their first pixel, and in others beside."""

    mesher: MeshFitter
    fitting: set[int]

    def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
        mesh = self.mesher.fit(picture, roi, blendshapes=blendshapes)
        number = int(picture.planes[0][0, 0])
        return mesh if number in self.fitting else Mesh(mesh.points + np.float32(60), 0.1)


def test_a_mesh_that_fits_for_once_after_failures_is_not_shown(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    """A face would flash between two mosaics."""
    images = _numbered([_placed(read_photo("portrait_man", 240), 150) for _ in range(56)])
    fitting = {0, 1, 3, 40, *range(43, 56)}
    scenes = _observe(Observer(yunet, Seldom(mesher, fitting), look_ahead=0), images)
    meshes = [scene.subjects[0].track.face.mesh for scene in scenes]
    carried = {2, 4, 5, 6}
    assert {index for index, one in enumerate(meshes) if one and not one.presence} == carried
    assert [index for index, one in enumerate(meshes) if one and one.presence] == [
        *(0, 1, 3),
        *range(44, 56),
    ]


@pytest.mark.parametrize(("px", "carried"), [(240, 3), (130, 10)])
def test_a_mesh_is_carried_along_longer_with_a_small_face_that_keeps_still(
    yunet: YuNetDetector, mesher: MeshFitter, px: int, carried: int
) -> None:
    images = _numbered(
        [_placed(read_photo("portrait_man", px), 150 + index) for index in range(40)]
    )
    scenes = _observe(Observer(yunet, Seldom(mesher, {*range(10)}), look_ahead=0), images)
    meshes = [scene.subjects[0].track.face.mesh is not None for scene in scenes]
    assert meshes == [index < 10 + carried for index in range(40)]


def test_a_mesh_fits_again_to_a_face_that_had_none_for_a_moment(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    images = _numbered([_placed(read_photo("portrait_man", 240), 150) for _ in range(30)])
    for lost, kept in ((4, range(30)), (10, (*range(13), *range(20, 30)))):
        fitting = {*range(30)} - {*range(10, 10 + lost)}
        scenes = _observe(Observer(yunet, Seldom(mesher, fitting)), images)
        shown = [i for i, one in enumerate(scenes) if one.subjects[0].track.face.mesh is not None]
        assert shown == [*kept]


def test_a_known_face_keeps_its_mesh_where_only_the_detector_is_sure(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    """The network's presence is at random for faces in profile; the mesh is not."""

    @dataclass
    class Doubting:
        away: float

        def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
            mesh = mesher.fit(picture, roi, blendshapes=blendshapes)
            if int(picture.planes[0][0, 0]) == 0:
                return mesh
            return Mesh(mesh.points + np.float32(self.away), 0.1)

    images = _numbered(
        [_placed(read_photo("portrait_man", 240), 150 + index) for index in range(40)]
    )
    for away, kept in ((0, range(1, 40)), (30, ())):
        scenes = _observe(Observer(yunet, Doubting(away)), images)
        meshes = [scene.subjects[0].track.face.mesh for scene in scenes]
        assert [index for index, one in enumerate(meshes) if one and 0 < one.presence < 0.5] == [
            *kept
        ]


def test_a_face_found_late_gets_its_mesh_in_the_frames_before(
    yunet: YuNetDetector, mesher: MeshFitter
) -> None:
    @dataclass
    class Late:
        def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
            mesh = mesher.fit(picture, roi, blendshapes=blendshapes)
            number = int(picture.planes[0][0, 0])
            return mesh if number >= 6 else Mesh(mesh.points, 0.1)

    images = _numbered([_placed(read_photo("portrait_man", 240), 150) for _ in range(12)])
    for look_ahead, first in ((0, 7), (None, 0)):
        scenes = _observe(Observer(yunet, Late(), look_ahead=look_ahead), images)
        shown = [scene.subjects[0].track.face.mesh is not None for scene in scenes]
        assert shown == [index >= first for index in range(12)]


def test_a_face_whose_size_is_near_the_limit_does_not_come_and_go() -> None:
    factory = Factory(Config(method="warp"))
    photo = read_photo("portrait_man", 240)
    near = 115 + 5 * np.sin(np.arange(40))
    scaled = [np.linspace(150, 120, 10), near, np.linspace(110, 80, 10)]
    images = []
    for side in np.concatenate(scaled):
        small = cv2.resize(photo, (round(side), round(side)), interpolation=cv2.INTER_AREA)
        images.append(_placed(np.asarray(small, np.uint8), 200))
    scenes = _observe(factory.observer(factory.anonymiser()), images)
    shown = [
        any(one.track.id == 1 and one.track.face.mesh is not None for one in scene.subjects)
        for scene in scenes
    ]
    assert shown[0]
    assert sum(one != later for one, later in pairwise(shown)) == 1
