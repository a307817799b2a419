"""Who is who, from real photographs through the real networks."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon import weights
from streamanon.detectors.age import AgeNet
from streamanon.detectors.gender import GenderNet
from streamanon.detectors.glasses import GlassesProbe
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.face import glasses
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.embedding_sampler import (
    LATER_S,
    PATIENCE_S,
    SETTLED_S,
    SPACING_S,
    EmbeddingSampler,
)
from streamanon.tracking.finder import Finder
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.tracking.observer import LOOK_AHEAD, Observer
from streamanon.types import F32, Frame, Picture, Scene, Track
from testkit.networks import network
from testkit.photos import read_photo
from testkit.staged import turned

FPS = 30
NEUTRAL, SMILING = ("london_001_neutral",), ("london_001_smiling",)
BOTH = ("london_001_neutral", "london_002_neutral")

Making = Callable[..., Observer]
Sampling = Callable[..., EmbeddingSampler]


class Counting(MobileFaceNetEmbedder):
    """The recogniser, with a count of its looks."""

    looks = 0

    def embed(self, picture: Picture, points: F32) -> F32:
        self.looks += 1
        return super().embed(picture, points)


@pytest.fixture
def embedder() -> Counting:
    return Counting(network("mobilefacenet.onnx"))


@pytest.fixture
def sampling(embedder: Counting, gender_net: GenderNet, age_net: AgeNet) -> Sampling:
    """Return a function that makes samplers, which look for glasses if they are given a probe."""

    def make(glasses: GlassesProbe | None = None) -> EmbeddingSampler:
        assigner = IdentityAssigner(load_builtin(), seed=0)
        return EmbeddingSampler(embedder, gender_net, age_net, assigner, glasses)

    return make


@pytest.fixture
def making(yunet: YuNetDetector, mesher: MeshFitter, sampling: Sampling) -> Making:
    """Return a function that makes observers, of files or, with a delay in frames, of streams."""

    def make(delay: int | None = None) -> Observer:
        return Observer(yunet, mesher, sampling(), look_ahead=delay)

    return make


def _image(frame: Frame) -> NDArray[np.uint8]:
    """Return the pixels of a frame, (h, w, 3) in BGR."""
    return np.dstack(frame.picture.planes).astype(np.uint8)


def _frame(index: int, names: tuple[str, ...], *, cut: bool = False) -> Frame:
    """Return a frame with photographs side by side, 320 px each."""
    image = np.full((320, 640, 3), 100, np.uint8)
    for place, name in enumerate(names):
        image[:, 320 * place : 320 * (place + 1)] = cv2.resize(read_photo(name), (320, 320))
    return Frame(index, as_picture(image), index, Fraction(1, FPS), cut=cut)


def _poor(frame: Frame) -> Frame:
    """Return a frame that is dark and coarse, as the first of a camera or connection."""
    coarse = cv2.resize(cv2.resize(_image(frame), (120, 60)), (640, 320)) // 3
    return replace(frame, picture=as_picture(coarse.astype(np.uint8)))


def _names(scene: Scene) -> list[str]:
    return [subject.identity.name if subject.identity else "" for subject in scene.subjects]


def _all_names(observer: Observer, frames: list[Frame]) -> list[list[str]]:
    """Return the names in each frame; "" for a face that is covered."""
    scenes = [scene for frame in frames for scene in observer.push(frame)]
    return [_names(scene) for scene in [*scenes, *observer.flush()]]


def _film() -> list[Frame]:
    """Return a film: two people of whom one leaves, one of them in a short shot, then the other."""
    shots = [
        *([BOTH] * 20 + [NEUTRAL] * 45 + [()] * 45),
        *([("portrait_man", "london_002_neutral")] * 15 + [SMILING] * 15),
    ]
    cuts = (110, 125)
    film = [_frame(index, shot, cut=index in cuts) for index, shot in enumerate(shots)]
    return [_poor(frame) if frame.index < 7 else frame for frame in film]


def test_a_stream_gives_the_identities_that_a_file_of_its_frames_gives(making: Making) -> None:
    film = _film()
    file, stream = (_all_names(making(delay), film) for delay in (None, 0))
    for of_file, of_stream in zip(file, stream, strict=True):
        assert len(of_file) == len(of_stream)
        assert {*of_stream} <= {"", *of_file}
    assert all("" not in names for names in file[:20])
    assert all(names == ["", ""] for names in stream[:20])
    (who_stays,) = stream[64]
    (who_leaves,) = {*file[0]} - {who_stays}
    assert stream[-1] == [who_stays]
    assert who_leaves in stream[124]  # known at once in a shot of half a second


def test_left_out_frames_do_not_change_an_identity(making: Making) -> None:
    film = [_frame(index, BOTH) for index in range(45)]
    wanted = _all_names(making(), film)[0]
    for kept in (film[::2], film[3:], film[1::3]):
        assert _all_names(making(0), kept)[-1] == wanted


def test_a_live_face_is_covered_until_it_was_seen_well(making: Making) -> None:
    """The first pictures, dark and coarse, hardly count."""
    good = [_frame(index, NEUTRAL) for index in range(45)]
    wanted = _all_names(making(), good[8:])[0]
    names = _all_names(making(0), [_poor(frame) for frame in good[:7]] + good[7:])
    covered = names.count([""])
    assert names == [[""]] * covered + [wanted] * (len(names) - covered)
    assert covered == pytest.approx(SETTLED_S * FPS, abs=2)


def test_a_live_face_that_is_known_is_not_covered_for_long(making: Making) -> None:
    shots = [NEUTRAL] * 45 + [()] * 45 + [SMILING] * 16
    names = _all_names(making(0), [_frame(index, shot) for index, shot in enumerate(shots)])
    (first,) = names[44]
    assert first
    assert names[-1] == [first]
    assert [""] in names[-16:]


def test_a_live_face_that_is_never_seen_well_gets_an_identity_in_the_end(making: Making) -> None:
    observer = making(0)
    sampler = observer._sampler
    assert sampler is not None
    (scene,) = observer.push(_frame(0, NEUTRAL))
    track = scene.subjects[0].track
    mesh = track.face.mesh
    assert mesh is not None
    tiny = replace(
        track, face=replace(track.face, mesh=replace(mesh, points=mesh.points * np.float32(0.1)))
    )
    for index in range(1, 100):
        sampler.sample(scene.frame.picture, tiny, index / FPS, [track.id])
        assert sampler.is_awaited(track.id) == (index / FPS < PATIENCE_S)


def test_frames_of_a_file_wait_for_identities_only_as_long_as_memory_lasts(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = [_frame(index, BOTH) for index in range(45)]
    held = []
    for most in (10_000, 20):
        monkeypatch.setattr(
            "streamanon.tracking.observer.WINDOW_BYTES", most * _image(film[0]).nbytes
        )
        observer, longest = making(), 0
        for frame in film:
            scenes = observer.push(frame)
            assert all("" not in _names(scene) for scene in scenes)
            longest = max(longest, len(observer._window))
        held.append(longest)
        assert len(observer._window) == LOOK_AHEAD
    assert held == [pytest.approx(SETTLED_S * FPS, abs=2), 20]


def test_a_person_who_comes_back_wears_the_same_and_no_two_do(making: Making) -> None:
    one, two = BOTH
    shots = [(one, two)] * 16 + [()] * 45 + [("london_002_smiling",)] * 16
    observer = making()
    scenes = []
    for index, names in enumerate(shots):
        scenes += observer.push(_frame(index, names))
    scenes += observer.flush()
    first, last = scenes[0], scenes[-1]
    by_place = sorted(first.subjects, key=lambda subject: float(subject.track.cover[0]))
    worn = [subject.identity.name if subject.identity else "" for subject in by_place]
    assert len({"", *worn}) == 3
    assert all(sorted(_names(scene)) == sorted(worn) for scene in scenes[:16])
    assert last.subjects[0].track.id not in {s.track.id for s in first.subjects}
    assert [_names(scene) for scene in scenes[-16:]] == [[worn[1]]] * 16


def _dissolved(one: Frame, other: Frame, share: float) -> Frame:
    mixed = cv2.addWeighted(_image(one), 1 - share, _image(other), share, 0)
    return replace(one, picture=as_picture(np.asarray(mixed, np.uint8)))


@pytest.mark.parametrize("dissolve", [0, 12])
def test_somebody_else_in_the_same_place_is_another_person(making: Making, dissolve: int) -> None:
    one, other = (_frame(0, (name,)) for name in BOTH)
    shares = [0.0] * 30 + [(i + 1) / (dissolve + 1) for i in range(dissolve)] + [1.0] * 40
    film = [
        replace(_dissolved(one, other, share), index=i, pts=i) for i, share in enumerate(shares)
    ]
    observer = making()
    scenes = [scene for frame in film for scene in observer.push(frame)] + observer.flush()
    assert observer.stats.cuts == 0
    ids = [[subject.track.id for subject in scene.subjects] for scene in scenes]
    changed = ids.index([2])
    assert 30 <= changed <= 30 + dissolve + 3
    assert ids == [[1]] * changed + [[2]] * (len(ids) - changed)
    names = [_names(scene) for scene in scenes]
    assert "" not in [name for named in names for name in named]
    assert names == [names[0]] * changed + [names[-1]] * (len(names) - changed)
    assert names[0] != names[-1]
    assert observer.stats.births == 2


def test_somebody_else_who_comes_out_of_a_gap_is_another_person_from_then_on(
    making: Making,
) -> None:
    one, other = ((name,) for name in BOTH)
    observer = making()
    film = [_frame(i, shot) for i, shot in enumerate([one] * 50 + [()] * 8 + [other] * 40)]
    scenes = [scene for frame in film for scene in observer.push(frame)] + observer.flush()
    assert observer.stats.cuts == 0
    seen = [[s.track.id for s in scene.subjects if s.track.unseen_s == 0] for scene in scenes]
    assert seen == [[1]] * 50 + [[]] * 8 + [[2]] * 40


def test_who_shows_again_elsewhere_wears_the_same_while_the_old_place_is_still_covered(
    making: Making,
) -> None:
    film = [_frame(index, NEUTRAL) for index in range(120)]
    moved = np.ascontiguousarray(np.roll(_image(film[0]), 320, axis=1))
    film[50:] = [replace(frame, picture=as_picture(moved)) for frame in film[50:]]
    observer = making()
    scenes = [scene for frame in film for scene in observer.push(frame)] + observer.flush()
    assert observer.stats.cuts == 0
    assert any(len(scene.subjects) == 2 for scene in scenes[50:])
    worn = [
        [
            name
            for name, one in zip(_names(scene), scene.subjects, strict=True)
            if one.track.face.mesh
        ]
        for scene in scenes
    ]
    assert worn == [worn[0]] * 120
    assert "" not in worn[0]


def test_a_person_of_a_stream_who_follows_another_is_covered_first(making: Making) -> None:
    names = _all_names(making(0), [_frame(i, BOTH[i >= 60 :][:1]) for i in range(120)])
    (first,), (last,) = names[59], names[-1]
    assert "" not in {first, last}
    assert first != last
    assert [""] in names[60:90]
    assert [last] not in names[: names.index([""], 60)]


def test_a_person_in_any_light_stays_the_same(making: Making) -> None:
    """Another smile, a flash and lights that go out, something in front of the face."""
    film = [_frame(index, NEUTRAL if index < 45 else SMILING) for index in range(90)]
    for frames, lit in ((slice(55, 62), 3.0), (slice(65, 72), 0.1), (slice(75, 82), 0.0)):
        for frame in film[frames]:
            image = np.clip(_image(frame) * lit, 0, 255).astype(np.uint8)
            if lit == 0:
                image = _image(frame)
                image[190:] = 60
            film[frame.index] = replace(frame, picture=as_picture(image))
    observer = making()
    scenes = [scene for frame in film for scene in observer.push(frame)] + observer.flush()
    assert {subject.track.id for scene in scenes for subject in scene.subjects} == {1}


def test_glasses_of_a_face_as_small_as_in_a_portrait_of_250_px_are_seen_and_how_bold_they_are(
    yunet: YuNetDetector, mesher: MeshFitter, sampling: Sampling
) -> None:
    theo = next(one for one in load_builtin() if one.name == "theo")
    with np.load(weights.path("glasses.npz")) as stored:
        probe = GlassesProbe(stored["weights"])
    seen = []
    for darkness in (0.0, 0.45, 0.67):
        image = theo.portrait.copy()
        if darkness:
            glasses.draw(image, theo.mesh.points[:, :2], glasses.STYLES[0], darkness)
        scale = 50 / lm.inter_ocular_px(theo.mesh.points)
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        observer = Observer(yunet, mesher, sampling(probe))
        picture = as_picture(np.asarray(small, np.uint8))
        (scene,) = observer.push(Frame(0, picture, 0, Fraction(1, FPS))) + observer.flush()
        seen.append(scene.subjects[0].glasses)
    assert seen[0] == 0
    assert 0.2 <= seen[1] < seen[2] - 0.1


def test_a_face_is_looked_at_often_at_first_and_seldom_later(
    making: Making, embedder: Counting
) -> None:
    observer, looks = making(), []
    for index in range(4 * FPS):
        observer.push(_frame(index, ("portrait_man",)))
        looks.append(embedder.looks)
    early = round(SETTLED_S / SPACING_S)
    assert looks[round(SETTLED_S * FPS)] == pytest.approx(early, abs=2)
    assert looks[-1] - early <= (4 - SETTLED_S) / LATER_S + 2


@pytest.mark.parametrize("name", ["london_001_neutral", "london_002_neutral"])
def test_a_face_that_is_only_seen_turned_gets_an_identity_like_it(
    name: str,
    yunet: YuNetDetector,
    mesher: MeshFitter,
    embedder: Counting,
    gender_net: GenderNet,
    sampling: Sampling,
) -> None:
    picture = as_picture(read_photo(name))
    (face,) = yunet.detect(picture)
    mesh = Finder(yunet, mesher).fit_mesh(picture, face, None)
    assert mesh is not None
    sampler = sampling()
    track = Track(0, replace(face, mesh=turned(mesh, 45)), face.box)
    for index in range(20):
        sampler.sample(picture, track, index / FPS, [0])
    assert 5 <= embedder.looks <= 8
    identity = sampler.assigner.identity_of(0, [0])
    assert identity is not None
    assert (identity.p_female > 0.5) == (gender_net.p_female(picture, mesh.points) > 0.5)
