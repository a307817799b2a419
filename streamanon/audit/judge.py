"""Compares each face of a frame before and after: unchanged, still recognised, or hidden.

Both thresholds were set on clips and photographs that no network here was trained on; the figures
are given with them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from streamanon.audit.geometry import ShapeJudge
from streamanon.imaging.boxes import centre, iou, side
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.imaging.structure import kept_structure
from streamanon.protocols import Detector, Embedder
from streamanon.types import F32, Face, Picture

UNCHANGED = 0.92
"""Kept structure (see :func:`kept_structure`) from which a face counts as unchanged.

Of ten clips, faces from 48 px on keep 0.95 to 1.00 when they are encoded once more (x264, crf 23).
The closest of 1,300 LFW faces with another person's face warped over them keeps 0.89, the closest
mosaic of those clips 0.7. Small faces under heavy compression keep less and can be missed: at crf
32 one in twenty of 48 to 100 px, more than half of those below.
"""

SAME_PERSON = 0.333
"""Cosine above which two photographs show the same person at a false accept rate of 1e-3: 2.6
million pairs of LFW (2,300 pictures, none of folds 7 and 8); 97 % of the genuine pairs pass."""

RECOGNISED = 0.55
"""Cosine from which a face counts as recognised in the same picture.

Light, pose and hair are the same there, which raises the cosine of any two faces: of 1,300 LFW
faces with another person's face warped over them one in a hundred exceeds 0.43, one in a thousand
0.49. Raw faces from 48 px on, encoded once more at crf 23, have 0.69 and more.
"""

_PORTRAIT_PX = 128
"""Side of the blurred crop that tests whether the recogniser can tell a face apart; the face box is
half of it."""

_BLUR = 0.1
"""Standard deviation, in box sides, of the blur that hides a face: of 350 LFW faces none is
recognised under it."""


_CONFIDENT = 0.65
"""Score from which a detection needs no confirmation. On a street scene with a false alarm of 0.50
this keeps 133 of 135 faces; the other two are 24 px wide."""

_ZOOM_TIMES, _ZOOM_PX = 4, 256
"""Confirmation runs on a square this many times as large as the box, scaled to this side, so that
the face is 64 px wide."""

_SAME_FACE = 0.3
"""Intersection over union from which both detections are the same face."""


@dataclass(frozen=True, slots=True)
class FaceComparison:
    """One face of the original compared with the same place in the anonymised frame.

    Attributes:
        box: (4,) float32 box of the face in the original, px.
        kept: structure kept (:func:`kept_structure`), -1..1.
        cosine: cosine of the recogniser's embeddings of both, -1..1; None for a face that the
            recogniser cannot tell apart even in the original.
        shape: cosine of the shapes of both faces (:mod:`streamanon.audit.geometry`), -1..1; None
            where it was not compared or no face is seen.
    """

    box: F32
    kept: float
    cosine: float | None
    shape: float | None = None

    @property
    def unchanged(self) -> bool:
        """True when the face was not changed."""
        return self.kept >= UNCHANGED

    @property
    def recognised(self) -> bool:
        """True when the recogniser still finds the same person."""
        return self.cosine is not None and self.cosine >= RECOGNISED

    @property
    def leaks(self) -> bool:
        """True when the face is not hidden."""
        return self.unchanged or self.recognised


class Judge:
    """Compares frames with their anonymised versions."""

    def __init__(
        self, detector: Detector, embedder: Embedder, geometry: ShapeJudge | None = None
    ) -> None:
        """Judge by a detector that the anonymisation did not use; without geometry no shapes."""
        self._detector = detector
        self._embedder = embedder
        self._geometry = geometry

    def find(self, before: Picture) -> list[Face]:
        """Return the faces that the detector finds in the original.

        Detections of low score must be confirmed in an enlarged crop: a false alarm, such as a
        sign, would count as a leak.
        """
        faces = self._detector.detect(before)
        return [face for face in faces if face.score >= _CONFIDENT or self._confirms(before, face)]

    def _confirms(self, picture: Picture, face: Face) -> bool:
        image, corners = _crop(picture, face.box, _ZOOM_TIMES, _ZOOM_PX)
        scale = _ZOOM_PX / (corners[1, 0] - corners[0, 0])
        box = np.asarray((face.box - 0.5 - np.tile(corners[0], 2)) * scale, np.float32)
        return any(iou(other.box, box) > _SAME_FACE for other in self._detector.detect(image))

    def compare(
        self,
        before: Picture,
        after: Picture,
        faces: Sequence[Face] | None = None,
        *,
        shapes: bool = False,
    ) -> list[FaceComparison]:
        """Compare every face of the original, and their shapes on request."""
        found = []
        for face in self.find(before) if faces is None else faces:
            kept = kept_structure(before, after, face.box)
            cosine = shape = None
            if face.points is not None:
                cosine = self._cosine(before, after, face.box, face.points)
                if shapes and self._geometry:
                    shape = self._geometry.cosine(before, after, face.points)
            found.append(FaceComparison(face.box, kept, cosine, shape))
        return found

    def _cosine(self, before: Picture, after: Picture, box: F32, points: F32) -> float | None:
        """Return the cosine of the embeddings of both, or None if it says nothing.

        It says nothing if the recogniser finds the same person even under a blur that hides any
        face: the embeddings of very small or averted faces do not depend on the person.
        """
        source = self._embedder.embed(before, points)
        if float(source @ self._embedder.embed(*_blurred(before, box, points))) >= SAME_PERSON:
            return None
        return float(source @ self._embedder.embed(after, points))


def _blurred(picture: Picture, box: F32, points: F32) -> tuple[Picture, F32]:
    """Return a crop of a face, hidden by a blur, and the face's five points in it."""
    image, corners = _crop(picture, box, 2, _PORTRAIT_PX)
    sigma = _BLUR * _PORTRAIT_PX / 2
    planes = tuple(
        np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.uint8) for plane in image.planes
    )
    scale = _PORTRAIT_PX / (corners[1, 0] - corners[0, 0])
    return Picture(planes, image.colour), np.asarray((points - corners[0]) * scale, np.float32)


def _crop(picture: Picture, box: F32, times: float, side_px: int) -> tuple[Picture, F32]:
    """Return a square around a face as a picture, and its (3, 2) corners."""
    corners = square_around(box, times)
    return as_picture(crop_square(picture, corners, side_px)), corners


def square_around(box: F32, times: float) -> F32:
    """Return the (3, 2) corners, for :func:`cut`, of a square some times as large as a box."""
    half = times * side(box) / 2
    (x0, y0), (x1, y1) = centre(box) - 0.5 - half, centre(box) - 0.5 + half
    return np.array([[x0, y0], [x1, y0], [x0, y1]], np.float32)
