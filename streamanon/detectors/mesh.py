"""The MediaPipe face mesh and blendshapes, run without MediaPipe on a region of a picture.

Same networks and same geometry as MediaPipe's FaceLandmarker, from its face_landmarker.task; a test
compares the two.
"""

import cv2
import numpy as np

from streamanon.imaging.crop import crop_square, to_blob
from streamanon.protocols import Backend
from streamanon.types import F32, MESH_POINTS, Mesh, Picture

INPUT_PX = 256
"""Side of the network's input."""

_BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466,
    468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)  # fmt: skip
"""Indices of the blendshape network's 146 input points; source: MediaPipe's
face_blendshapes_graph.cc."""


class Blendshapes:
    """Says what a face does: MediaPipe's blendshapes of a mesh."""

    def __init__(self, network: Backend) -> None:
        """Take the loaded network ``face_blendshapes.onnx``."""
        self._network = network

    def __call__(self, points: F32) -> F32:
        """Return the (52,) float32 blendshapes, 0..1, of (478, 3) points in frame px."""
        subset = points[None, _BLENDSHAPE_POINTS, :2]
        answer = self._network.run({"points": np.ascontiguousarray(subset)})
        return np.asarray(answer["blendshapes"], np.float32).reshape(52)


class MeshFitter:
    """Fits the 478-point mesh; implements :class:`streamanon.protocols.Mesher`."""

    def __init__(self, mesh: Backend, blendshapes: Backend) -> None:
        """Wrap the loaded networks ``face_mesh.onnx`` and ``face_blendshapes.onnx``."""
        self._mesh = mesh
        self._blendshapes = Blendshapes(blendshapes)

    def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
        """Fit the face inside a region; see :meth:`streamanon.protocols.Mesher.fit`.

        A mesh that is not finite has presence 0.
        """
        crop = crop_square(picture, roi, INPUT_PX)
        crop = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), np.uint8)
        answer = self._mesh.run({"input": to_blob(crop) / 255})
        points = np.asarray(answer["points"], np.float32).reshape(MESH_POINTS, 3)
        corner, right, below = roi.astype(np.float32)
        axes = np.stack([right - corner, below - corner]) / INPUT_PX
        depth = points[:, 2:] * np.linalg.norm(axes[0])
        placed = np.hstack([points[:, :2] @ axes + corner, depth]).astype(np.float32)
        logit = float(np.asarray(answer["presence"], np.float64).item())
        finite = np.isfinite(placed).all() and np.isfinite(logit)
        return Mesh(
            placed,
            presence=float(1 / (1 + np.exp(-np.clip(logit, -50, 50)))) if finite else 0.0,
            blendshapes=self._blendshapes(placed) if blendshapes else None,
        )
