"""Compares the shapes of two faces, as an attacker would who looks at no pixel."""

from dataclasses import dataclass

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.shape import ShapeModel
from streamanon.face.warp import SKIN_POINTS
from streamanon.protocols import Mesher
from streamanon.types import F32, Picture

SAME_SHAPE = 0.7
"""Mean cosine from which faces keep their shape.

Of pairs of different people of the London set about one in twenty exceeds it. With another's skin
on the person's own shape half of 60 exceed 0.84, nine in ten 0.6; of the same people replaced by
``warp``, none 0.62.
"""

MIN_PRESENCE = 0.5
"""Presence of a mesh that is believed (MediaPipe's own default)."""


@dataclass(frozen=True)
class ShapeJudge:
    """Measures what is left of a face's shape, apart from its expression."""

    mesher: Mesher
    model: ShapeModel

    def cosine(self, before: Picture, after: Picture, points: F32) -> float | None:
        """Return the cosine of what sets both faces apart from the mean face, -1..1.

        It is None where either frame shows no face there: a mosaic has no shape. ``points`` are the
        (5, 2) float32 px of the face in the original.
        """
        roi = lm.roi_from_points(points)
        first, second = (self._apart(picture, roi) for picture in (before, after))
        return None if first is None or second is None else float(first @ second)

    def _apart(self, picture: Picture, roi: F32) -> F32 | None:
        mesh = self.mesher.fit(picture, roi, blendshapes=True)
        if mesh.presence < MIN_PRESENCE or mesh.blendshapes is None:
            return None
        neutral = self.model.neutral(mesh.points, mesh.blendshapes)
        apart = (neutral - self.model.mean)[:SKIN_POINTS].ravel()
        return np.asarray(apart / max(float(np.linalg.norm(apart)), 1e-6), np.float32)
