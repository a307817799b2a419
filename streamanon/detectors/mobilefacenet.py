"""MobileFaceNet: face recognition embeddings."""

import numpy as np

from streamanon.imaging.crop import crop_square, template_square, to_blob
from streamanon.protocols import Backend
from streamanon.types import F32, U8, Picture

INPUT_PX = 112
"""Side of the network's input."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
     [70.7299, 92.2041]],
    np.float64,
)  # fmt: skip
"""Positions of the five points in the input, px; source: the ArcFace alignment (insightface)."""

MEAN = np.array([0.485, 0.456, 0.406], np.float32)[:, None, None] * 255
STD = np.array([0.229, 0.224, 0.225], np.float32)[:, None, None] * 255


class MobileFaceNetEmbedder:
    """Embeds faces; implements :class:`streamanon.protocols.Embedder`."""

    def __init__(self, backend: Backend) -> None:
        """Wrap the loaded network ``mobilefacenet.onnx``."""
        self._backend = backend

    def embed(self, picture: Picture, points: F32) -> F32:
        """Return a (128,) unit vector for the face with these (5, 2) points in frame px."""
        crop = to_blob(align(picture, points)[:, :, ::-1])
        answer = self._backend.run({"input0": (crop - MEAN) / STD})
        vector = np.asarray(answer["output0"], np.float32).reshape(128)
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


def align(picture: Picture, points: F32) -> U8:
    """Return (112, 112, 3) BGR: the face aligned so that its five points lie on the template."""
    return crop_square(picture, template_square(points, TEMPLATE, INPUT_PX), INPUT_PX)
