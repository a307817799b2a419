"""Summaries of many values: mean and deviation over folds, bootstrap intervals, percentiles."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamanon.errors import UsageError

RESAMPLES = 2000
CONFIDENCE = 0.95
DRAWN_AT_ONCE = 2**18

MIN_FOR_PERCENTILES = 100


@dataclass(frozen=True)
class Summary:
    """Summary of a figure that was measured pair by pair, in folds.

    Attributes:
        mean: mean of the means of the folds.
        std: unbiased standard deviation of the means of the folds; None with a single fold.
        n: number of pairs in all folds.
        folds: mean of each fold.
        interval: (low, high) of the mean, 95 % bootstrap.
    """

    mean: float
    std: float | None
    n: int
    folds: tuple[float, ...]
    interval: tuple[float, float]

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def summarise(folds: Sequence[ArrayLike], *, seed: int = 0) -> Summary:
    """Summarise one value a pair, fold by fold.

    The interval comes from resampling the pairs within each fold. It says how far chance in the
    choice of pairs reaches; the deviation over folds says how much the folds differ.

    Args:
        folds: (n,) finite values of each fold; rates are given as zeros and ones.
        seed: seed of the resampling.

    Raises:
        ValueError: a fold is empty, or a value is not finite. A figure that could not be measured
            has no mean: say so in its place.
    """
    arrays = [np.asarray(fold, np.float64).ravel() for fold in folds]
    if not arrays or any(array.size == 0 or not np.isfinite(array).all() for array in arrays):
        raise ValueError("every fold needs values, and finite ones")
    means = np.array([array.mean() for array in arrays])
    random = np.random.default_rng(seed)
    draws = np.mean([_means_of_draws(array, random) for array in arrays], axis=0)
    return Summary(
        mean=float(means.mean()),
        std=float(means.std(ddof=1)) if means.size > 1 else None,
        n=sum(array.size for array in arrays),
        folds=tuple(float(mean) for mean in means),
        interval=_interval(draws),
    )


def bootstrap(
    statistic: Callable[[NDArray[np.intp]], float], sizes: Sequence[int]
) -> tuple[float, float]:
    """Return the 95 % interval of a statistic: percentile bootstrap (Efron, 1979).

    Args:
        statistic: function of pair indices; the pairs of all folds are numbered consecutively.
        sizes: number of pairs in each fold; each fold is resampled by itself.
    """
    random = np.random.default_rng(0)
    starts = np.cumsum([0, *sizes[:-1]])
    draws = [
        statistic(
            np.concatenate(
                [
                    start + random.integers(0, size, size)
                    for start, size in zip(starts, sizes, strict=True)
                ]
            )
        )
        for _ in range(RESAMPLES)
    ]
    return _interval(draws)


def _means_of_draws(
    values: NDArray[np.float64], random: np.random.Generator
) -> NDArray[np.float64]:
    """Return the (RESAMPLES,) means of as many values, drawn from them with replacement."""
    means = np.empty(RESAMPLES)
    step = max(1, DRAWN_AT_ONCE // values.size)
    for start in range(0, RESAMPLES, step):
        rows = means[start : start + step]
        rows[:] = values[random.integers(0, values.size, (rows.size, values.size))].mean(axis=1)
    return means


def _interval(draws: Sequence[float] | NDArray[np.float64]) -> tuple[float, float]:
    edge = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, (edge, 1 - edge))
    return float(low), float(high)


def percentiles(values: ArrayLike) -> dict[str, float]:
    """Return the percentiles of values as {"p50": ...}.

    Raises:
        UsageError: there are fewer than 100 values, of which a tail says nothing.
    """
    array = np.asarray(values, np.float64).ravel()
    if array.size < MIN_FOR_PERCENTILES:
        raise UsageError(
            f"percentiles need {MIN_FOR_PERCENTILES} values, got {array.size}: "
            "measure a longer clip or more rounds"
        )
    return {f"p{at}": float(np.percentile(array, at)) for at in (50, 95, 99)}
