"""Detectors that say whether a picture still shows a face."""

from collections.abc import Callable
from typing import Protocol

import dlib
import numpy as np

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.centerface import CenterFaceDetector
from streamanon.detectors.yunet import YuNetDetector
from streamanon.errors import UsageError
from streamanon.imaging.picture import as_picture
from streamanon.protocols import Detector
from streamanon.types import F32, U8

SMALLEST_FACE_PX = 24
YUNET_THRESHOLD = 0.6
"""Surer than the pipeline, which hides what is a face with probability 0.3: a judge should not see
faces in a mosaic."""

CENTERFACE_THRESHOLD = 0.5
"""The published network's own default."""


class DetectorJudge(Protocol):
    """An independent face detector."""

    @property
    def name(self) -> str:
        """Name in tables."""
        ...

    def __call__(self, image: U8) -> F32:
        """Return the faces of a (h, w, 3) uint8 BGR image, best first.

        Returns:
            (n, 5) float32: x0, y0, x1, y1 in px, and a score on the detector's own scale.
        """
        ...


class DlibHog:
    """dlib's frontal HOG detector with one up-sampling, as the paper used it (faces from 40 px).

    Its score is the margin of a support vector machine: not bounded, and above 0 for every face.
    """

    name = "dlib-hog"

    def __init__(self) -> None:
        self._detector = dlib.get_frontal_face_detector()

    def __call__(self, image: U8) -> F32:
        """Return the faces; see :class:`DetectorJudge`."""
        boxes, margins, _ = self._detector.run(np.ascontiguousarray(image[:, :, ::-1]), 1, 0.0)
        rows = [
            (box.left(), box.top(), box.right() + 1, box.bottom() + 1, margin)
            for box, margin in zip(boxes, margins, strict=True)
        ]
        return np.array(rows, np.float32).reshape(-1, 5)


class FromDetector:
    """One of streamanon's own detectors as a judge; scores are probabilities."""

    def __init__(self, name: str, detector: Detector) -> None:
        self.name = name
        self._detector = detector

    def __call__(self, image: U8) -> F32:
        """Return the faces; see :class:`DetectorJudge`."""
        faces = self._detector.detect(as_picture(image))
        rows = [np.append(face.box, face.score) for face in faces]
        return np.array(rows, np.float32).reshape(-1, 5)


def _yunet() -> DetectorJudge:
    backend = OnnxRuntimeBackend(weights.path("yunet.onnx"))
    detector = YuNetDetector(backend, min_face_px=SMALLEST_FACE_PX, threshold=YUNET_THRESHOLD)
    return FromDetector("yunet", detector)


def _centerface() -> DetectorJudge:
    backend = OnnxRuntimeBackend(weights.path("centerface.onnx"))
    return FromDetector("centerface", CenterFaceDetector(backend, threshold=CENTERFACE_THRESHOLD))


DETECTORS: dict[str, Callable[[], DetectorJudge]] = {
    "dlib-hog": DlibHog,
    "yunet": _yunet,
    "centerface": _centerface,
}
"""The judges by name. YuNet is also what the pipeline itself finds faces with."""


def detector(name: str) -> DetectorJudge:
    """Load the judge of a name.

    Raises:
        UsageError: the name is unknown.
    """
    if name not in DETECTORS:
        raise UsageError(f"no detector called {name!r}: it is one of {', '.join(DETECTORS)}")
    return DETECTORS[name]()
