"""The protocols that inputs, outputs, detectors, anonymisers and runtimes implement.

An implementation is one file in ``sources/``, ``sinks/``, ``detectors/``, ``anonymisers/`` or
``backends/``. These never import each other; ``factory.py`` passes each the objects it needs.
"""

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamanon.types import (
    F32,
    U8,
    Face,
    Frame,
    MediaInfo,
    Mesh,
    Patch,
    Picture,
    SafeFrame,
    Scene,
)


class Source(Protocol):
    """Yields the raw frames of one stream in presentation order; iterated once, by one thread."""

    @property
    def info(self) -> MediaInfo:
        """Properties of the stream, known before the first frame."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames with strictly increasing ``index`` and ``pts``.

        Raises:
            MediaError: the stream cannot be read any further.
        """
        ...

    def close(self) -> None:
        """Release everything; safe to call twice."""
        ...


class Sink(Protocol):
    """Writes safe frames; used by one thread."""

    def write(self, frame: SafeFrame) -> None:
        """Write one frame.

        Raises:
            MediaError: it could not be written.
        """
        ...

    def close(self, *, complete: bool) -> None:
        """Finish; with ``complete`` False nothing is left under the final name."""
        ...


class FileSink(Sink, Protocol):
    """Writes a file made from another one.

    Attributes:
        changes: what is converted and what stays behind, a line for each.
    """

    changes: list[str]


class Seal(Protocol):
    """Keeps what is replaced, encrypted."""

    def add(self, scene: Scene, safe: SafeFrame) -> None:
        """Take a frame before and after its faces were hidden; must not wait."""
        ...


class Detector(Protocol):
    """Finds faces; prefers a false detection to a missed face."""

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture, best score first."""
        ...


class Mesher(Protocol):
    """Fits the 478-point mesh to one face."""

    def fit(self, picture: Picture, roi: F32, *, blendshapes: bool = False) -> Mesh:
        """Fit the mesh to the face inside a region.

        Args:
            picture: upright picture.
            roi: (3, 2) float32 corners of a square in frame px: top left, top right, bottom left
                *of the upright face*, so that it also carries the in-plane rotation.
            blendshapes: whether to compute the 52 expression coefficients as well.

        Returns:
            The mesh in frame px; ``presence`` is the probability that it is of a face.
        """
        ...


class Embedder(Protocol):
    """Computes face embeddings, by which a returning person is recognised; kept in memory only."""

    def embed(self, picture: Picture, points: F32) -> F32:
        """Return a (128,) unit vector for the face with these (5, 2) points in frame px."""
        ...


class SexClassifier(Protocol):
    """Estimates apparent sex, which a replacement keeps; kept in memory only."""

    def p_female(self, picture: Picture, points: F32) -> float:
        """Return how probably a face looks female, 0..1; points are its (478, 3) mesh in px."""
        ...


class AgeEstimator(Protocol):
    """Estimates apparent age, which a replacement keeps; kept in memory only."""

    def years(self, picture: Picture, points: F32) -> float:
        """Return the age that a face looks, in years; points are its (478, 3) mesh in px."""
        ...


class KnownPeople(Protocol):
    """Remembers people by a secret key, and chooses by it what they become."""

    def since(self, count: int) -> list[tuple[bytes, F32]]:
        """Return those enrolled after so many others: random bytes, and (135,) evidence, each."""
        ...

    def enrol(self, evidence: F32) -> None:
        """Remember somebody by (135,) evidence."""
        ...

    def number(self, person: bytes, purpose: str) -> int:
        """Return a number of 64 bits for a person and a purpose."""
        ...


class OcclusionFinder(Protocol):
    """Finds what is in front of a face."""

    def look(self, picture: Picture, corners: F32, points: F32) -> tuple[U8, F32]:
        """Look at a face.

        Args:
            picture: frame.
            corners: (3, 2) region around it in frame px (``roi_from_mesh``).
            points: (478, 2) mesh in px of the crop of that region.

        Returns:
            The crop, (128, 128, 3) uint8 BGR, and the probability of each of ``OCCLUSION_CLASSES``
            at its pixels, (6, 128, 128) float32.
        """
        ...


class GlassesFinder(Protocol):
    """Says who wears glasses."""

    def look(self, picture: Picture, points: F32) -> tuple[float, float]:
        """Look for glasses on a face with these (478, 3) points in frame px.

        Returns:
            How sure it is that there are some, below 0 when that is unlikely (see
            :mod:`streamanon.tracking.glasses`), and the share of light that their lines take, 0..1.
        """
        ...


class Anonymiser(Protocol):
    """Generates the pixels that hide faces."""

    @property
    def needs_mesh(self) -> bool:
        """True when subjects can be replaced only with a mesh and an identity."""
        ...

    def replace(self, scene: Scene) -> list[Patch | None]:
        """Return a patch for each subject, in order; None leaves the subject to the plain cover."""
        ...


class Backend(Protocol):
    """A network loaded by one runtime; called by one thread at a time."""

    def run(self, inputs: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        """Map named input arrays to named output arrays.

        Raises:
            ModelError: an input has the wrong name, dtype or shape, or the device failed.
        """
        ...
