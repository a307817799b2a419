"""Means, deviations and intervals against values worked out by hand."""

import json

import numpy as np
import pytest

from benchmarks.summary import bootstrap, percentiles, summarise
from streamanon.errors import UsageError


def test_mean_and_unbiased_deviation_are_those_of_the_folds() -> None:
    # Folds of different size weigh the same: means 0.5, 1 and 0.
    found = summarise([[0, 1, 0, 1], [1, 1], [0, 0, 0]])
    assert found.folds == (0.5, 1.0, 0.0)
    assert found.mean == 0.5
    assert found.std == pytest.approx(0.5)
    assert found.n == 9
    json.dumps(found.as_json(), allow_nan=False)


def test_a_single_fold_has_no_deviation() -> None:
    assert summarise([[1.0, 2.0]]).std is None


def test_the_interval_of_a_rate_is_about_that_of_the_binomial() -> None:
    hits = np.zeros(400)
    hits[:100] = 1
    low, high = summarise([hits[::2], hits[1::2]]).interval
    # 0.25 +- 1.96 sqrt(0.25 * 0.75 / 400)
    assert low == pytest.approx(0.25 - 0.0424, abs=0.008)
    assert high == pytest.approx(0.25 + 0.0424, abs=0.008)


def test_folds_are_resampled_each_by_itself() -> None:
    # Within a fold all values are equal, so nothing is left to chance.
    assert summarise([[0.0] * 50, [1.0] * 50]).interval == (0.5, 0.5)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(1).normal(size=60)
    assert summarise([values]) == summarise([values])
    assert summarise([values]).interval != summarise([values], seed=1).interval


def test_any_statistic_of_pairs_has_an_interval() -> None:
    random = np.random.default_rng(2)
    x = random.normal(size=200)
    y = x + random.normal(size=200)
    low, high = bootstrap(lambda index: float(np.corrcoef(x[index], y[index])[0, 1]), [200])
    assert low < np.corrcoef(x, y)[0, 1] < high
    assert 0.05 < high - low < 0.25


@pytest.mark.parametrize("folds", [[], [[]], [[1.0], []], [[np.nan, 1.0]]])
def test_what_was_not_measured_has_no_mean(folds: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="every fold needs values"):
        summarise(folds)


def test_percentiles() -> None:
    assert percentiles(range(101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}


def test_percentiles_of_few_values_are_refused() -> None:
    with pytest.raises(UsageError, match="need 100 values, got 99"):
        percentiles(range(99))
