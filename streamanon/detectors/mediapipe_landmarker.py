"""MediaPipe's own FaceLandmarker, with the model that ships here; needs the extra ``mediapipe``.

Its detector is a short-range one: it misses small faces that YuNet finds.
"""

from pathlib import Path

import cv2
import numpy as np

from streamanon.errors import UsageError
from streamanon.extras import install_hint
from streamanon.face.landmarks import face_box_from_mesh, five_points
from streamanon.imaging.picture import whole_bgr
from streamanon.types import Face, Mesh, Picture

MAX_FACES = 16
"""Maximum number of faces per picture."""

CONFIDENCE = 0.3
"""Least confidence of detection and of the mesh; MediaPipe says only that a face reached it, so it
is also the score of every face."""


class MediapipeDetector:
    """Finds faces with their mesh; implements :class:`streamanon.protocols.Detector`."""

    def __init__(self, model: Path) -> None:
        """Load ``face_landmarker.task``.

        Raises:
            UsageError: The extra ``mediapipe`` is not installed.
        """
        try:
            import mediapipe
            from mediapipe.tasks.python import vision
            from mediapipe.tasks.python.core.base_options import BaseOptions
        except ImportError as error:
            raise UsageError(
                "the mediapipe detector needs packages that are missing: "
                f"{install_hint('mediapipe')}"
            ) from error
        self._mediapipe = mediapipe
        self._landmarker = vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_path=str(model)),
                num_faces=MAX_FACES,
                min_face_detection_confidence=CONFIDENCE,
                min_face_presence_confidence=CONFIDENCE,
                output_face_blendshapes=True,
            )
        )

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture."""
        rgb = cv2.cvtColor(whole_bgr(picture), cv2.COLOR_BGR2RGB)
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(rgb)
        )
        answer = self._landmarker.detect(image)
        to_px = (picture.width, picture.height, picture.width)
        found = []
        for marks, shapes in zip(answer.face_landmarks, answer.face_blendshapes, strict=True):
            points = np.array([(mark.x, mark.y, mark.z) for mark in marks], np.float32) * to_px
            points = points.astype(np.float32)
            blendshapes = np.array([shape.score for shape in shapes], np.float32)
            mesh = Mesh(points, presence=CONFIDENCE, blendshapes=blendshapes)
            box = face_box_from_mesh(points)
            found.append(Face(box, CONFIDENCE, five_points(points), mesh))
        return found

    def close(self) -> None:
        """Release MediaPipe's threads."""
        self._landmarker.close()
