"""Who is who, from real photographs through the real networks."""

from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.embedding_sampler import EARLY, EVERY, SKIPPED, EmbeddingSampler
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.tracking.observer import Observer
from streamanon.types import F32, Frame, Picture, Scene
from testkit.networks import network
from testkit.photos import read_photo


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
def observer(
    yunet: YuNetDetector, mesher: MeshFitter, embedder: Counting, gender_net: GenderNet
) -> Observer:
    assigner = IdentityAssigner(load_builtin(), seed=0)
    return Observer(yunet, mesher, EmbeddingSampler(embedder, gender_net, assigner))


def _image(frame: Frame) -> NDArray[np.uint8]:
    """Return the pixels of a frame, (h, w, 3) in BGR."""
    return np.dstack(frame.picture.planes).astype(np.uint8)


def _frame(index: int, names: tuple[str, ...]) -> Frame:
    """Return a frame with photographs side by side, 320 px each."""
    image = np.full((320, 640, 3), 100, np.uint8)
    for place, name in enumerate(names):
        image[:, 320 * place : 320 * (place + 1)] = cv2.resize(read_photo(name), (320, 320))
    return Frame(index, as_picture(image), index, Fraction(1, 30))


def _names(scene: Scene) -> list[str]:
    return [subject.identity.name if subject.identity else "" for subject in scene.subjects]


@pytest.fixture
def live_observer(
    yunet: YuNetDetector, mesher: MeshFitter, embedder: Counting, gender_net: GenderNet
) -> Observer:
    assigner = IdentityAssigner(load_builtin(), seed=0)
    sampler = EmbeddingSampler(embedder, gender_net, assigner, live=True)
    return Observer(yunet, mesher, sampler, look_ahead=0)


def test_a_live_face_gets_the_identity_of_a_file_when_it_was_seen_well(
    observer: Observer, live_observer: Observer, embedder: Counting
) -> None:
    """The first pictures are dark and coarse, as those of a camera or a new connection are."""
    good = [_frame(index, ("london_001_neutral",)) for index in range(36)]
    for frame in good[:13]:
        observer.push(frame)
    wanted = _names(observer.flush()[0])
    live: list[str] = []
    for frame in good:
        shown = frame
        if frame.index < SKIPPED:
            coarse = cv2.resize(cv2.resize(_image(frame), (120, 60)), (640, 320))
            poor = (coarse // 3).astype(np.uint8)
            shown = Frame(frame.index, as_picture(poor), frame.pts, frame.time_base)
        live += [name for scene in live_observer.push(shown) for name in _names(scene)]
    given = [name for name in live if name]
    assert [*{*given}] == wanted
    assert live[: len(live) - len(given)] == [""] * (len(live) - len(given))
    assert 0 < len(given) < 10


def test_a_live_face_that_is_known_is_not_covered_for_long(live_observer: Observer) -> None:
    shots = [("london_001_neutral",)] * 36 + [()] * 45 + [("london_001_smiling",)] * 16
    names: list[list[str]] = []
    for index, shot in enumerate(shots):
        names += [_names(scene) for scene in live_observer.push(_frame(index, shot))]
    (first,) = names[35]
    assert first
    assert names[-1] == [first]
    assert [""] in names[-16:]


def test_a_live_face_that_is_never_seen_well_gets_an_identity_in_the_end(
    live_observer: Observer,
) -> None:
    sampler = live_observer._sampler
    assert sampler is not None
    (scene,) = live_observer.push(_frame(0, ("london_001_neutral",)))
    track = scene.subjects[0].track
    turned = replace(track, face=replace(track.face, mesh=None))
    for index in range(91):
        assert sampler.is_settled(track.id) == (index > 90)
        sampler.sample(scene.frame.picture, turned, index / 30)
    assert sampler.is_settled(track.id)


def test_a_person_who_comes_back_wears_the_same_and_no_two_do(observer: Observer) -> None:
    one, two = "london_001_neutral", "london_002_neutral"
    shots = [(one, two)] * 8 + [()] * 45 + [("london_002_smiling",)] * 8
    scenes = []
    for index, names in enumerate(shots):
        scenes += observer.push(_frame(index, names))
    scenes += observer.flush()
    first, last = scenes[0], scenes[-1]
    by_place = sorted(first.subjects, key=lambda subject: float(subject.track.cover[0]))
    worn = [subject.identity.name if subject.identity else "" for subject in by_place]
    assert len({"", *worn}) == 3
    assert all(sorted(_names(scene)) == sorted(worn) for scene in scenes[:8])
    assert last.subjects[0].track.id not in {s.track.id for s in first.subjects}
    assert [_names(scene) for scene in scenes[-8:]] == [[worn[1]]] * 8


def test_a_face_is_looked_at_often_at_first_and_seldom_later(
    observer: Observer, embedder: Counting
) -> None:
    count = 4 * EVERY
    for index in range(count):
        observer.push(_frame(index, ("portrait_man",)))
    assert EARLY <= embedder.looks <= EARLY + count // EVERY
