"""Who is who, from real photographs through the real networks."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from streamanon.detectors.gender import GenderNet
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.embedding_sampler import EARLY, EVERY, EmbeddingSampler
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


def _frame(index: int, names: tuple[str, ...]) -> Frame:
    """Return a frame with photographs side by side, 320 px each."""
    image = np.full((320, 640, 3), 100, np.uint8)
    for place, name in enumerate(names):
        image[:, 320 * place : 320 * (place + 1)] = cv2.resize(read_photo(name), (320, 320))
    return Frame(index, as_picture(image), index, Fraction(1, 30))


def _names(scene: Scene) -> list[str]:
    return [subject.identity.name if subject.identity else "" for subject in scene.subjects]


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
