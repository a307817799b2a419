"""Says what each pixel of a face is: skin, or something in front of it; own network."""

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.crop import crop_square
from streamanon.protocols import Backend
from streamanon.types import F32, U8, Picture

SIDE = 128
"""Side of the network's input and output in px."""

SUBPIXELS = 16
"""Positions that outlines are drawn with, in parts of a px."""

_FEATURES = (lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.OUTER_LIPS)


def network_input(crop: U8, points: F32) -> U8:
    """Return the (128, 128, 5) uint8 input: BGR, the face's outline, and its features, filled.

    Args:
        crop: (128, 128, 3) uint8 BGR.
        points: (478, 2) float32 mesh in px of the crop.
    """
    drawn = np.zeros((2, SIDE, SIDE), np.uint8)
    flat = np.rint(points[:468, :2] * SUBPIXELS).astype(np.int32)
    cv2.fillConvexPoly(drawn[0], cv2.convexHull(flat), 255, cv2.LINE_8, 4)
    for feature in _FEATURES:
        cv2.fillConvexPoly(drawn[1], cv2.convexHull(flat[list(feature)]), 255, cv2.LINE_8, 4)
    return np.asarray(cv2.merge([*cv2.split(crop), *drawn]), np.uint8)


class OcclusionNetwork:
    """Finds what is in front; implements :class:`streamanon.protocols.OcclusionFinder`."""

    def __init__(self, network: Backend) -> None:
        """Take the loaded network ``occlusion.onnx``."""
        self._network = network

    def look(self, picture: Picture, corners: F32, points: F32) -> tuple[U8, F32]:
        """Look at a face; see :meth:`streamanon.protocols.OcclusionFinder.look`."""
        crop = crop_square(picture, corners, SIDE)
        answer = self._network.run({"input": network_input(crop, points)[None]})
        return crop, np.asarray(answer["classes"][0], np.float32)
