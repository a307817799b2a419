"""Irises of a portrait lie where the source's are, and stay round."""

import cv2
import numpy as np
import pytest

from streamanon.face import landmarks as lm
from streamanon.face.gaze import follow_gaze
from streamanon.face.warp import (
    RASTER,
    FaceSpace,
    lookup_map,
    rasterise_triangles,
    triangle_affines,
)

from .test_warp_geometry import condition, face


def with_irises(points: np.ndarray, along: float) -> np.ndarray:
    """Put irises of a face on the way from one corner of their eyes, 0, to the other, 1."""
    looking = points.copy()
    for lids, iris in ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE)):
        corners = points[[lids[0], lids[8]]]
        radius = 0.2 * np.linalg.norm(corners[1] - corners[0])
        looking[iris : iris + 5] = corners[0] + along * (corners[1] - corners[0])
        looking[iris + 1 : iris + 5, :2] += radius * np.array([[1, 0], [0, -1], [-1, 0], [0, 1]])
    return looking.astype(np.float32)


@pytest.mark.parametrize("along", [0.25, 0.5, 0.75])
def test_irises_lie_where_the_sources_are_and_keep_their_size(along: float) -> None:
    portrait = condition(with_irises(face(), 0.5))
    space = FaceSpace.around(with_irises(face(), along))
    ids = rasterise_triangles(space)
    lookup = lookup_map(triangle_affines(space, portrait), ids, portrait.portrait)
    before = lookup.copy()
    follow_gaze(lookup, space.points, portrait.points, space.scale_px)
    for lids, iris in ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE)):
        x, y = np.rint(space.points[iris]).astype(int)
        assert np.hypot(*(lookup[y, x] - portrait.points[iris])) < 3
        step = (lookup[y, x + 2, 0] - lookup[y, x - 2, 0]) / 4
        assert step == pytest.approx(space.scale_px, rel=0.1)
        for corner in (lids[0], lids[8]):
            x, y = np.rint(space.points[corner]).astype(int)
            assert np.abs(lookup[y, x] - before[y, x]).max() < 5
    outside = np.ones((RASTER, RASTER), np.uint8)
    for lids in (lm.RIGHT_EYE, lm.LEFT_EYE):
        cv2.fillPoly(outside, [np.rint(space.points[list(lids)]).astype(np.int32)], 0)
    away = cv2.erode(outside, np.ones((3, 3), np.uint8)) > 0
    assert np.array_equal(lookup[away], before[away])
