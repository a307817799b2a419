"""Who is who, on photographs of two people."""

import numpy as np

from streamanon.detectors import mobilefacenet as module
from streamanon.detectors.mesh import MeshFitter
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.detectors.yunet import YuNetDetector
from streamanon.face import landmarks as lm
from streamanon.imaging.crop import template_square
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, Picture
from testkit.photos import read_photo, turned

SAME_PERSON = 0.33
"""Cosine that 0.1 % of pairs of different people exceed, and 97 % of pairs of one person (LFW)."""


def five(yunet: YuNetDetector, picture: Picture) -> F32:
    (face,) = yunet.detect(picture)
    assert face.points is not None
    return face.points


def test_two_photos_of_one_person_are_closer_than_two_people(
    yunet: YuNetDetector, embedder: MobileFaceNetEmbedder
) -> None:
    names = [f"london_{who}_{look}" for who in ("001", "002") for look in ("neutral", "smiling")]
    pictures = [as_picture(read_photo(name)) for name in names]
    vectors = np.stack([embedder.embed(p, five(yunet, p)) for p in pictures])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    likeness = vectors @ vectors.T
    assert min(likeness[0, 1], likeness[2, 3]) > SAME_PERSON
    assert likeness[:2, 2:].max() < SAME_PERSON - 0.1


def test_points_of_the_detector_and_of_the_mesh_describe_the_same_person(
    yunet: YuNetDetector, mesher: MeshFitter, embedder: MobileFaceNetEmbedder
) -> None:
    picture = as_picture(read_photo("portrait_man"))
    points = five(yunet, picture)
    mesh = mesher.fit(picture, lm.roi_from_points(points))
    both = [embedder.embed(picture, p) for p in (points, lm.five_points(mesh.points))]
    assert float(both[0] @ both[1]) > 0.8


def test_alignment_undoes_turn_and_scale() -> None:
    image = read_photo("london_001_neutral")
    points = np.array([[210, 230], [290, 232], [252, 275], [215, 315], [285, 316]], np.float32)
    leaning, moved = turned(image, points, 40, 0.8)
    straight = module.align(as_picture(image), points).astype(np.float32)
    again = module.align(as_picture(leaning), moved).astype(np.float32)
    assert straight.shape == (112, 112, 3)
    assert float(straight.std()) > 20
    assert float(np.abs(straight - again).mean()) < 6


def test_aligned_points_lie_on_the_template() -> None:
    square = template_square(
        (module.TEMPLATE * 3 + (40, -7)).astype(np.float32), module.TEMPLATE, module.INPUT_PX
    )
    assert np.allclose(square, [[40, -7], [376, -7], [40, 329]], atol=1e-2)
