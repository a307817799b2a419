"""Figures in plain values, also those that could not be measured."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarks.summary import Summary, bootstrap, summarise

Figure = dict[str, Any]
"""mean, std, n, folds and interval, as in :class:`benchmarks.summary.Summary`."""

ABSENT: Figure = {"mean": None, "std": None, "n": 0, "folds": [], "interval": None}
"""A figure that could not be measured: nothing was left to measure it on."""


def figure(folds: Sequence[ArrayLike]) -> Figure:
    """Return the mean of one value a picture or pair; folds with nothing are left out."""
    arrays = [np.asarray(fold, np.float64) for fold in folds]
    arrays = [array for array in arrays if array.size]
    return summarise(arrays).as_json() if arrays else dict(ABSENT)


def figure_of(
    statistic: Callable[[NDArray[np.float64]], float], folds: Sequence[NDArray[np.float64]]
) -> Figure:
    """Return a statistic of (n, ...) rows, one a picture, that is no mean of values.

    Args:
        statistic: function of the rows of one fold, or of a resample of them.
        folds: rows of each fold; folds with fewer than two are left out.
    """
    folds = [rows for rows in folds if len(rows) > 1]
    if not folds:
        return dict(ABSENT)
    starts = np.cumsum([0, *map(len, folds)])

    def mean_of_folds(index: NDArray[np.intp]) -> float:
        pieces = zip(folds, starts[:-1], starts[1:], strict=True)
        return float(np.mean([statistic(rows[index[a:b] - a]) for rows, a, b in pieces]))

    values = [statistic(rows) for rows in folds]
    return Summary(
        mean=float(np.mean(values)),
        std=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        n=int(starts[-1]),
        folds=tuple(values),
        interval=bootstrap(mean_of_folds, list(map(len, folds))),
    ).as_json()


def plain(values: Sequence[float], n: int) -> Figure:
    """Return a figure that has one value a fold and cannot be resampled."""
    if not values:
        return dict(ABSENT)
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "n": n,
        "folds": list(values),
        "interval": None,
    }
