"""Thresholds, rates and ranks against scores made by hand."""

import numpy as np
import pytest

from benchmarks.judges.verification import (
    accepted,
    best_accuracy,
    impostor_scores,
    rank_1,
    threshold_at_far,
)

EYE = np.eye(4, dtype=np.float32)


def test_impostor_scores_are_all_pairs_of_different_people() -> None:
    vectors = np.stack([EYE[0], EYE[0], EYE[1], (EYE[0] + EYE[1]) / np.sqrt(np.float32(2))])
    scores = impostor_scores(vectors, ["a", "a", "b", "c"])
    assert np.allclose(np.sort(scores), [0, 0, *[np.sqrt(0.5)] * 3])


def test_the_threshold_accepts_the_asked_share_and_lies_half_way_to_the_next() -> None:
    scores = np.arange(10_000) / 10_000
    threshold = threshold_at_far(scores)
    assert threshold.far == 1e-3
    assert threshold.score == pytest.approx(0.99895)  # between the 10th best and the 11th
    assert threshold.impostors == 10_000


def test_with_too_few_impostors_none_is_accepted_and_the_record_says_so() -> None:
    threshold = threshold_at_far([0.1, 0.7, 0.4])
    assert threshold.far == 0
    assert threshold.impostors == 3
    assert threshold.score > 0.7
    assert accepted([0.7, 0.701], threshold).tolist() == [0, 1]


def test_ties_let_no_more_pass_than_may() -> None:
    threshold = threshold_at_far([0.5] * 2000)
    assert threshold.far == 0


def test_a_recogniser_that_always_answers_the_same_accepts_no_pair() -> None:
    same = np.full((50, 4), 0.5, np.float32)
    threshold = threshold_at_far(impostor_scores(same, [str(i) for i in range(50)]))
    assert accepted([1.0] * 10, threshold).sum() == 0


def test_no_impostor_is_an_error() -> None:
    with pytest.raises(ValueError, match="different people"):
        threshold_at_far([])


def test_rank_1_and_its_chance() -> None:
    found = rank_1(EYE[[0, 1, 2]], ["a", "b", "a"], EYE, ["a", "b", "c", "a"])
    assert found.hits.tolist() == [1, 1, 0]
    assert found.chance == pytest.approx((0.5 + 0.25 + 0.5) / 3)


def test_a_person_who_is_not_in_the_gallery_is_an_error() -> None:
    with pytest.raises(ValueError, match="must be in the gallery"):
        rank_1(EYE[:1], ["z"], EYE, list("abcd"))


def test_best_accuracy() -> None:
    accuracy, threshold = best_accuracy([0.9, 0.8, 0.3], [0.1, 0.2, 0.5])
    assert accuracy == pytest.approx(5 / 6)
    assert threshold in (0.3, 0.8)
    assert best_accuracy([0.0, 0.0], [1.0, 1.0])[0] == 0.5
