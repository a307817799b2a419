"""An attacker who knows the method: a linear probe from anonymised to original embeddings.

An attacker can run the method on photographs of their own and learn what it leaves of a face, as
Fantômas does (Todt et al., arXiv 2210.10651) by training recognisers on anonymised pictures. No
person is in two folds, so an attacker learns on one fold not a list of people for another, but a
map: ridge regression from the embedding of an anonymised still to that of its original. It is
fitted on the stills of the other folds; its strength of regularisation is the one that predicts
left-out stills best. The stills of a fold go through the map before they are compared with
originals.

Before and after, the threshold is set again on this fold's own pairs of a still and an original of
different people, which the attacker is granted. A linear map of a fixed recogniser is the least an
informed_attack attacker can do: what it finds is there, what it does not find may still be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.judges.verification import Threshold, threshold_at_far
from benchmarks.stills.reidentification import Attack, attack, embeddings_of, figures_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.stills.originals import Fold
    from streamanon.types import F32

STRENGTHS = tuple(10.0**power for power in range(-4, 4))
"""Strengths of regularisation tried, times the mean eigenvalue of the covariance."""


def informed_attack(
    folds: Sequence[Fold], stills: Sequence[Mapping[str, F32]], recogniser: str
) -> dict[str, Any] | None:
    """Attack each fold with a map learnt on the others.

    Args:
        folds: folds with their originals.
        stills: embeddings of the anonymised probes by name, for each fold.
        recogniser: name of the recogniser.

    Returns:
        Figures before and after the map (see :func:`figures_of`); None with a single fold.
    """
    if len(folds) < 2:
        return None
    originals = [embeddings_of(fold, recogniser) for fold in folds]
    before: list[Attack] = []
    after: list[Attack] = []
    for number, fold in enumerate(folds):
        others = [other for other in range(len(folds)) if other != number]
        names = [(other, name) for other in others for name in folds[other].probes]
        probe = Probe(
            np.stack([stills[other][name] for other, name in names]),
            np.stack([originals[other][name] for other, name in names]),
        )
        mapped = {name: probe(stills[number][name]) for name in fold.probes}
        for taken, results in ((stills[number], before), (mapped, after)):
            threshold = _own_threshold(fold, taken, originals[number])
            results.append(attack(fold, taken, originals[number], threshold))
    return {"before": figures_of(before), "after": figures_of(after)}


class Probe:
    """An affine map of embeddings, fitted by ridge regression."""

    def __init__(self, stills: F32, originals: F32) -> None:
        """Fit the map.

        Args:
            stills: (n, d) embeddings of anonymised stills.
            originals: (n, d) of their originals.
        """
        self._from, self._to = stills.mean(axis=0), originals.mean(axis=0)
        x = (stills - self._from).astype(np.float64)
        y = (originals - self._to).astype(np.float64)
        left, values, right = np.linalg.svd(x, full_matrices=False)
        scale = max(float((values**2).mean()), 1e-12)
        errors = [_left_out_error(left, values, y, strength * scale) for strength in STRENGTHS]
        self.strength = STRENGTHS[int(np.argmin(errors))]
        shrunk = values / (values**2 + self.strength * scale)
        self._map = right.T @ (shrunk[:, None] * (left.T @ y))

    def __call__(self, still: F32) -> F32:
        """Return what the original's (d,) embedding was most likely, as a unit vector."""
        guess = (still - self._from) @ self._map + self._to
        return np.asarray(guess / max(float(np.linalg.norm(guess)), 1e-12), np.float32)


def _left_out_error(
    left: NDArray[np.float64], values: NDArray[np.float64], y: NDArray[np.float64], ridge: float
) -> float:
    """Return the mean squared error of predicting each row from all others (closed form)."""
    share = values**2 / (values**2 + ridge)
    residual = y - left @ (share[:, None] * (left.T @ y))
    leverage = (left**2 @ share) + 1 / len(y)
    return float(((residual / np.maximum(1 - leverage, 1e-9)[:, None]) ** 2).mean())


def _own_threshold(
    fold: Fold, stills: Mapping[str, F32], originals: Mapping[str, F32]
) -> Threshold:
    """Set the threshold on every pair of a still and an original of different people."""
    names = list(originals)
    people = np.array([fold.person[name] for name in names])
    gallery = np.stack([originals[name] for name in names])
    scores = [(gallery @ stills[name])[people != fold.person[name]] for name in fold.probes]
    return threshold_at_far(np.concatenate(scores))
