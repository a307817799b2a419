"""dlib's HOG face detector with its own 68 points; needs the extra ``dlib``.

The 68-point predictor was trained on 300-W, which excludes commercial use.
"""

import cv2
import numpy as np

from streamanon.detectors.dlib_networks import load_dlib
from streamanon.face.landmarks import five_points_of_68
from streamanon.imaging.picture import thumbnail
from streamanon.types import Face, Picture

_WINDOW_PX = 80
"""Smallest face found at scale 1."""

_LARGEST_SCALE = 3.0


class DlibHogDetector:
    """Finds frontal faces; implements :class:`streamanon.protocols.Detector`."""

    def __init__(self, *, min_face_px: float) -> None:
        """Load dlib's networks.

        Raises:
            UsageError: The extra ``dlib`` is not installed.
        """
        dlib, folder = load_dlib("the dlib detector needs packages that are missing")
        self._scale = min(_LARGEST_SCALE, _WINDOW_PX / min_face_px)
        self._detector = dlib.get_frontal_face_detector()
        model = folder / "shape_predictor_68_face_landmarks.dat"
        self._predictor = dlib.shape_predictor(str(model))

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture, best score first."""
        size = [max(1, round(length * self._scale)) for length in (picture.width, picture.height)]
        image = thumbnail(picture, (size[0], size[1]))
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        boxes, margins, _ = self._detector.run(grey, 0, 0.0)
        found = []
        for box, margin in zip(boxes, margins, strict=True):
            shape = self._predictor(grey, box)
            points = np.array([(part.x, part.y) for part in shape.parts()], np.float32)
            points = ((points + 0.5) / self._scale - 0.5).astype(np.float32)
            edges = np.array([box.left(), box.top(), box.right() + 1, box.bottom() + 1])
            score = float(1 / (1 + np.exp(-2 * margin)))
            found.append(
                Face(
                    (edges / self._scale).astype(np.float32),
                    score,
                    five_points_of_68(points),
                    landmarks68=points,
                )
            )
        return sorted(found, key=lambda face: -face.score)
