"""Glasses are found by their edges."""

import numpy as np
import pytest

from streamanon import weights
from streamanon.detectors.glasses import GlassesProbe
from streamanon.face import glasses
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture
from streamanon.tracking.glasses import NOT_WORN, SURE
from streamanon.types import F32, U8
from testkit import staged
from testkit.photos import turned

with np.load(weights.path("glasses.npz")) as stored:
    PROBE = GlassesProbe(stored["weights"])


def score(image: U8, points: F32) -> float:
    return PROBE.look(as_picture(image), points)[0]


def wearing(image: U8, points: F32, style: glasses.Style, darkness: float = 0.67) -> U8:
    """Return a face with drawn glasses: the network's fit was to real ones."""
    worn = image.copy()
    glasses.draw(worn, points[:, :2], style, darkness)
    return worn


@pytest.mark.parametrize("index", [staged.CALM, staged.LAUGHING])
def test_somebody_without_glasses(index: int) -> None:
    assert score(staged.frame(index), staged.mesh_of(index).points) < NOT_WORN


@pytest.mark.parametrize("style", glasses.STYLES)
@pytest.mark.parametrize("index", [staged.CALM, staged.LAUGHING])
def test_the_same_person_with_glasses(index: int, style: glasses.Style) -> None:
    points = staged.mesh_of(index).points
    assert score(wearing(staged.frame(index), points, style), points) > SURE


def test_portraits_with_and_without_glasses() -> None:
    """None of the gallery wears any; with drawn ones nearly all are found."""
    without, with_some = [], []
    for one in load_builtin():
        points = one.mesh.points
        without.append(score(one.portrait, points))
        with_some.append(score(wearing(one.portrait, points, glasses.style_of(one.name)), points))
    assert np.mean(np.array(without) > SURE) < 0.05
    assert np.mean(np.array(with_some) > SURE) > 0.95


def test_thin_pale_frames_are_distinguished_from_bold_ones() -> None:
    seen = []
    for darkness in (0.25, 0.4, 0.65):
        measured = [
            PROBE.look(
                as_picture(wearing(one.portrait, one.mesh.points, style, darkness)), one.mesh.points
            )[1]
            for one, style in zip(load_builtin()[:30], glasses.STYLES * 10, strict=True)
        ]
        seen.append(float(np.median(measured)))
    assert seen[0] + 0.05 < seen[1] < seen[2] - 0.05
    assert seen[0] < 0.4 < seen[2]


def test_size_and_tilt_of_the_face_hardly_matter() -> None:
    image, points = staged.frame(staged.CALM), staged.mesh_of(staged.CALM).points
    plain = score(image, points)
    assert score(*turned(image, points, 25, 0.6)) == pytest.approx(plain, abs=0.4)


def test_a_face_outside_the_picture() -> None:
    points = staged.mesh_of(staged.CALM).points + 5000
    assert np.isfinite(score(staged.frame(staged.CALM), points))
