"""Who is seen in an anonymised clip: how near the source, how constant, how often another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.summary import MIN_FOR_PERCENTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32

WINDOW = 12
"""Frames on each side of a moment whose means tell whether the person changed there."""


def to_source(source: F32, output: F32) -> dict[str, Any]:
    """Return mean and maximum of the cosine between each frame and its original.

    Args:
        source: (n, d) unit vectors of the original's face; NaN where it is not seen.
        output: (n, d) of the same places after anonymisation.
    """
    cosines = (source * output).sum(axis=1)
    cosines = cosines[np.isfinite(cosines)]
    return {
        "mean": float(cosines.mean()),
        "max": float(cosines.max()),
        "frames": int(cosines.size),
    }


def constancy(vectors: F32, same_person: float) -> dict[str, Any] | None:
    """Return how constant the identity of one face is.

    * ``std``: deviation of the cosine to the clip's mean vector.
    * ``adjacent_mean``, ``adjacent_p5``: cosine between neighbouring frames; the percentile is None
      with fewer than 100 of them.
    * ``switches``: moments where the mean vectors of the 12 frames before and the 12 after are not
      the same person.

    Args:
        vectors: (n, d) unit vectors in time; NaN where the face is not seen.
        same_person: cosine from which on two vectors are the same person.

    Returns:
        The figures; None where no two neighbouring frames show the face.
    """
    seen = np.isfinite(vectors[:, 0])
    both = seen[1:] & seen[:-1]
    if not both.any():
        return None
    known = vectors[seen].astype(np.float64)
    to_mean = known @ _unit(known.mean(axis=0))
    adjacent = (vectors[1:] * vectors[:-1]).sum(axis=1)[both]
    enough = adjacent.size >= MIN_FOR_PERCENTILES
    return {
        "std": float(to_mean.std()),
        "adjacent_mean": float(adjacent.mean()),
        "adjacent_p5": float(np.percentile(adjacent, 5)) if enough else None,
        "switches": _switches(known, same_person),
        "frames": int(seen.sum()),
    }


def _switches(vectors: NDArray[np.float64], same_person: float) -> int:
    moments = range(WINDOW, len(vectors) - WINDOW + 1)
    other = [
        _cosine(vectors[at - WINDOW : at].sum(axis=0), vectors[at : at + WINDOW].sum(axis=0))
        < same_person
        for at in moments
    ]
    return sum(now and not before for before, now in zip([False, *other], other, strict=False))


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(_unit(a) @ _unit(b))


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-12))
