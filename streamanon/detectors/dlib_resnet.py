"""dlib's face recogniser, ResNet-29 (dlib_face_recognition_resnet_model_v1); needs the extra dlib.

Aligned by five points as dlib does, except that they come from the mesh and keep their fractions of
a pixel.
"""

import numpy as np

from streamanon.detectors.dlib_networks import load_dlib
from streamanon.imaging.crop import crop_square, template_square
from streamanon.types import F32, Picture

_POINTS = (263, 362, 33, 133, 2)
"""Mesh points of dlib's five: outer and inner corner of left and right eye, base of the nose."""

_TEMPLATE = np.array(
    [[0.8595674595992, 0.2134981538014], [0.6460604764104, 0.2289674387677],
     [0.1205750620789, 0.2137274526848], [0.3340850613712, 0.2290642403242],
     [0.4901123135679, 0.6277975316475]],
    np.float64,
)  # fmt: skip
"""Where they belong, in sides of the face; source: dlib's get_face_chip_details."""

_INPUT_PX = 150
_PADDING = 0.25
"""Side of the network's input, and what it shows around the face, in sides of the face."""


class DlibResNetEmbedder:
    """Embeds faces whose mesh is known."""

    def __init__(self, what_for: str) -> None:
        """Load the network; the message when it is missing says what for.

        Raises:
            UsageError: the extra ``dlib`` is not installed.
        """
        dlib, folder = load_dlib(f"{what_for} needs a recogniser")
        self._network = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def embed(self, picture: Picture, mesh_points: F32) -> F32:
        """Return a (128,) unit vector for the face with these (478, 2 or 3) points in frame px."""
        points, sides = mesh_points[_POINTS, :2], 1 + 2 * _PADDING
        square = template_square(points, _TEMPLATE + _PADDING, sides)
        chip = crop_square(picture, square, _INPUT_PX)
        answer = self._network.compute_face_descriptor(np.ascontiguousarray(chip[:, :, ::-1]))
        vector = np.array(answer)
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12), np.float32)
