"""The occlusion network on real frames."""

from functools import cache

import cv2
import numpy as np
import pytest

from streamanon.detectors.occlusion import OcclusionNetwork
from streamanon.face import landmarks as lm
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, OCCLUSION_CLASSES
from testkit.networks import network
from testkit.staged import CALM, LAUGHING, frame, mesh_of

HAND_BEFORE_MOUTH = 100
SKIN, _, _, HAND, _, _ = range(len(OCCLUSION_CLASSES))


@cache
def looked_at(index: int) -> tuple[F32, F32]:
    """Return the classes of a frame's pixels and the mesh in px of the crop."""
    mesh = mesh_of(index).points
    corners = lm.roi_from_mesh(mesh)
    points = lm.in_square(mesh, corners, 128)
    finder = OcclusionNetwork(network("occlusion.onnx"))
    crop, classes = finder.look(as_picture(frame(index)), corners, points)
    assert crop.shape == (128, 128, 3)
    return classes, points


def around(points: F32, part: tuple[int, ...]) -> F32:
    drawn = np.zeros((128, 128), np.uint8)
    cv2.fillConvexPoly(drawn, np.rint(cv2.convexHull(points[list(part)])).astype(np.int32), 1)
    return drawn.astype(np.float32)


@pytest.mark.parametrize("index", [CALM, LAUGHING])
def test_a_bare_face_is_skin(index: int) -> None:
    classes, points = looked_at(index)
    for part in (lm.NOSE, lm.OUTER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE):
        where = around(points, part) > 0
        assert classes[SKIN][where].mean() > 0.6


def test_a_hand_before_the_mouth_is_a_hand() -> None:
    classes, points = looked_at(HAND_BEFORE_MOUTH)
    where = around(points, lm.OUTER_LIPS) > 0
    assert classes[SKIN][where].mean() < 0.3
    assert classes[HAND][where].mean() > 0.4
    assert classes[HAND][around(points, lm.LEFT_EYE) > 0].mean() < 0.1


def test_probabilities_add_up() -> None:
    assert np.allclose(looked_at(CALM)[0].sum(axis=0), 1, atol=1e-3)
