"""CenterFace: a face detector independent of the default one, to audit and to doubt false faces.

Source: Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019
(arXiv 1911.03599). At every fourth pixel the network outputs the probability of a face centre, the
logarithm of the face's size, the offset of the centre from the cell, and five points in the box.
"""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.errors import ModelError
from streamanon.imaging.crop import to_blob
from streamanon.imaging.picture import thumbnail
from streamanon.protocols import Backend
from streamanon.types import F32, Face, Picture

MAX_INPUT_PX = 960
"""Maximum longer side of the network's input; smaller frames keep their size."""

_STRIDE = 4
_MAX_IOU = 0.3
"""Intersection over union above which two boxes are one face."""


class CenterFaceDetector:
    """Finds faces; implements :class:`streamanon.protocols.Detector`."""

    def __init__(self, backend: Backend, *, threshold: float = 0.5) -> None:
        """Wrap the loaded network ``centerface.onnx``."""
        self._backend = backend
        self._threshold = threshold

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture, best score first.

        Raises:
            ModelError: An output of the network is not finite.
        """
        frame = np.array([picture.width, picture.height], np.float32)
        scale = min(1.0, MAX_INPUT_PX / float(frame.max()))
        width, height = (max(1, round(float(side) * scale)) for side in frame)
        image = thumbnail(picture, (width, height))
        padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        rows = _decode(
            self._backend.run({"input": to_blob(np.asarray(padded, np.uint8)[:, :, ::-1])}),
            self._threshold,
        )
        if not np.isfinite(rows).all():
            raise ModelError("the face detector answered numbers that are not finite")
        rows[:, :14] *= np.tile(frame / (width, height), 7)
        rows[:, 4:14] -= 0.5  # boxes count from the edge of the first pixel, points from its centre
        return [
            Face(row[:4], float(row[14]), row[4:14].reshape(5, 2))
            for row in rows[_suppress_overlaps(rows)]
        ]


def _decode(outputs: Mapping[str, NDArray[np.generic]], threshold: float) -> F32:
    """Return (n, 15) candidates in px of the network's input: box, five points, score."""
    heat, size, offset, points = (
        np.asarray(outputs[name][0], np.float32) for name in ("heat", "size", "offset", "points")
    )
    y, x = np.nonzero(~(heat[0] < threshold))  # keeps NaN scores, which are refused later
    # The network's pairs are (y, x); here they become (x, y).
    side = np.exp(size[::-1, y, x]) * _STRIDE
    low = (np.stack([x, y]) + offset[::-1, y, x] + 0.5) * _STRIDE - side / 2
    spots = points.reshape(5, 2, *heat[0].shape)[:, ::-1, y, x] * side + low
    return np.vstack([low, low + side, spots.reshape(10, -1), heat[0][None, y, x]]).T


def _suppress_overlaps(rows: F32) -> list[int]:
    """Return the (n, 15) candidates left by non-maximum suppression, best score first."""
    sides = np.column_stack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
    kept = cv2.dnn.NMSBoxes(sides.tolist(), rows[:, 14].tolist(), 0.0, _MAX_IOU)
    return [int(one) for one in kept]
