"""Paint on a face does not show, whatever it is taken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from streamanon.anonymisers.occluded import OccludedAnonymiser
from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.detectors.occlusion import OcclusionNetwork
from streamanon.face import landmarks as lm
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import whole_bgr
from streamanon.safety.compose import compose
from streamanon.types import OCCLUSION_CLASSES, Treatment
from testkit.networks import network
from testkit.staged import CALM, frame, mesh_of, scene

if TYPE_CHECKING:
    from streamanon.protocols import OcclusionFinder
    from streamanon.types import F32, U8, Picture

MAGENTA = (255, 0, 255)


@dataclass
class Claims:
    """A network that takes everything for one thing in front."""

    kind: int

    def look(self, picture: Picture, points: F32) -> tuple[U8, F32]:
        classes = np.zeros((len(OCCLUSION_CLASSES), 128, 128), np.float32)
        classes[self.kind] = 1
        return crop_square(picture, lm.roi_from_mesh(points), 128), classes


def magenta(image: U8) -> int:
    return int((np.abs(image.astype(int) - MAGENTA).max(axis=2) < 60).sum())


@pytest.mark.parametrize(
    "finder",
    [OcclusionNetwork(network("occlusion.onnx")), *map(Claims, range(len(OCCLUSION_CLASSES)))],
)
def test_magenta_shows_nowhere(finder: OcclusionFinder) -> None:
    image, mesh = frame(CALM).copy(), mesh_of(CALM)
    hull = cv2.convexHull(np.rint(mesh.points[:468, :2]).astype(np.int32))
    shade = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(shade, hull, 255)
    image[cv2.erode(shade, np.ones((5, 5), np.uint8)) > 0] = MAGENTA
    anonymiser = OccludedAnonymiser(PlainAnonymiser("solid"), finder)
    assert magenta(image) > 5000
    for index in range(3):
        shot = scene(image, mesh, load_builtin()[0], index)
        safe = compose(shot, anonymiser.replace(shot))
        assert safe.treated[0].treatment is Treatment.REPLACED
        assert magenta(whole_bgr(safe.picture)) == 0
