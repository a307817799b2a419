"""The one face of a clip that identity, stability and expression are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.judges.expression import observe, observe_at
from streamanon.types import MESH_POINTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.judges.expression import Observation
    from benchmarks.judges.recognisers import Recogniser
    from streamanon.types import F32, U8

SHAPES = 52
SAME_PERSON = 0.333
"""Cosine of MobileFaceNet above which a face found again is the subject; as in the audit."""


@dataclass(frozen=True)
class FaceSeries:
    """The observations of one face, frame by frame.

    Attributes:
        points: (n, 478, 3) float32 mesh in px; NaN where the face is not seen.
        blendshapes: (n, 52) float32; NaN where the face is not seen.
        vectors: (n, d) float32 of each recogniser by name; NaN where the source's face is not.
    """

    points: F32
    blendshapes: F32
    vectors: dict[str, F32]

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) frames in which the face is seen."""
        return np.isfinite(self.points[:, 0, 0])


class FaceSeriesBuilder:
    """Collects observations, a frame at a time."""

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        self._recognisers = recognisers
        self._seen: list[Observation | None] = []
        self._vectors: list[list[F32 | None]] = []

    def add(self, image: U8, seen: Observation | None, source: F32 | None) -> None:
        """Add a frame.

        Args:
            image: (h, w, 3) uint8 BGR.
            seen: observation of the face, or None.
            source: (478, 3) mesh of the face in the original frame, by which a recogniser aligns;
                None where it is not seen.
        """
        self._seen.append(seen)
        self._vectors.append(
            [None if source is None else one.embed(image, source) for one in self._recognisers]
        )

    def build(self) -> FaceSeries:
        """Return everything that was added."""
        n = len(self._seen)
        points = np.full((n, MESH_POINTS, 3), np.nan, np.float32)
        shapes = np.full((n, SHAPES), np.nan, np.float32)
        for index, seen in enumerate(self._seen):
            if seen is not None:
                points[index], shapes[index] = seen.points, seen.blendshapes
        vectors = {}
        for number, recogniser in enumerate(self._recognisers):
            rows = np.full((n, recogniser.dimensions), np.nan, np.float32)
            for index, frame in enumerate(self._vectors):
                vector = frame[number]
                if vector is not None:
                    rows[index] = vector
            vectors[recogniser.name] = rows
        return FaceSeries(points, shapes, vectors)


class FaceFollower:
    """Follows one person through the original, also after it was lost."""

    def __init__(self, recogniser: Recogniser) -> None:
        """Take the recogniser that tells whether a face found again is the subject."""
        self._recogniser = recogniser
        self._total: F32 | None = None
        self._last: Observation | None = None

    def locate(self, image: U8) -> Observation | None:
        """Return the subject in the next frame, or None where it is not seen."""
        found = observe_at(image, self._last.points) if self._last else None
        if found is None:
            found = observe(image)
        if found is None:
            self._last = None
            return None
        vector = self._recogniser.embed(image, found.points)
        if self._total is None:
            self._total = np.zeros_like(vector)
        elif float(vector @ self._total) < SAME_PERSON * float(np.linalg.norm(self._total)):
            self._last = None
            return None
        self._total += vector
        self._last = found
        return found
