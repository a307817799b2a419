"""Are the people behind anonymised stills still recognised?

Two questions, asked by cosine of embeddings:

* *other picture*: the attacker has another photograph of the person. This is the paper's form,
  original image 1 against anonymised image 2 of a pair.
* *same picture*: the attacker has the very original. It is the harder test, and says what is left
  in the pixels.

Each is asked twice: as verification, one against one, at the threshold that takes one in a thousand
pairs of strangers for one person; and as rank 1, one against a gallery of originals.

AnonyGAN's code (Dall'Asen et al., ICIAP 2021) counts differently: a hit is a still whose class
among the 8,631 or 10,575 people the recogniser was *trained* on is that of the original, over all
pairs of a fold, those of two people included. Only half the pairs can hit, so that even without
anonymisation the rate is at most about 50 %. ``paper_form`` counts over all pairs like the paper,
with the threshold in place of the classes; the same over originals is its ceiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.judges.verification import (
    Threshold,
    accepted,
    best_accuracy,
    impostor_scores,
    rank_1,
    threshold_at_far,
)
from benchmarks.stills.figures import figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.stills.originals import Fold
    from streamanon.types import F32


@dataclass(frozen=True)
class Attack:
    """How one fold's stills fare; each array has one value, 0 or 1, a pair or a still.

    Attributes:
        other_picture: pairs of one person, one against one.
        paper_form: all pairs, one against one.
        same_picture: stills, one against one.
        other_rank_1: stills of people with another picture, looked up among one picture a person.
        same_rank_1: stills, looked up among the originals of all of them.
        chance: rate of guessing, by name of the rank.
        cosine: stills, cosine to the original.
    """

    other_picture: NDArray[np.float64]
    paper_form: NDArray[np.float64]
    same_picture: NDArray[np.float64]
    other_rank_1: NDArray[np.float64]
    same_rank_1: NDArray[np.float64]
    chance: dict[str, float]
    cosine: NDArray[np.float64]


def attack(
    fold: Fold, stills: Mapping[str, F32], originals: Mapping[str, F32], threshold: Threshold
) -> Attack:
    """Try to recognise the stills of a fold.

    Args:
        fold: fold of the stills.
        stills: embeddings of the anonymised probes by name.
        originals: embeddings of all originals of the fold, by name.
        threshold: least cosine of two pictures of one person.
    """
    scores = np.array([stills[pair.second] @ originals[pair.first] for pair in fold.pairs])
    same = np.array([pair.same for pair in fold.pairs])
    hits = accepted(scores, threshold)
    cosine = np.array([stills[name] @ originals[name] for name in fold.probes])
    enrolled = fold.enrolled
    others = [name for name in fold.probes if enrolled[fold.person[name]] != name]
    by_other = rank_1(
        _stacked(stills, others),
        [fold.person[name] for name in others],
        _stacked(originals, list(enrolled.values())),
        list(enrolled),
    )
    people = [fold.person[name] for name in fold.probes]
    by_same = rank_1(
        _stacked(stills, fold.probes), people, _stacked(originals, fold.probes), people
    )
    return Attack(
        other_picture=hits[same],
        paper_form=hits,
        same_picture=accepted(cosine, threshold),
        other_rank_1=by_other.hits,
        same_rank_1=by_same.hits,
        chance={"other_rank_1": by_other.chance, "same_rank_1": by_same.chance},
        cosine=cosine,
    )


def figures_of(attacks: Sequence[Attack]) -> dict[str, Any]:
    """Return what the table says of attacks on several folds."""
    named = ("other_picture", "paper_form", "same_picture", "other_rank_1", "same_rank_1", "cosine")
    chance = {
        name: float(np.mean([one.chance[name] for one in attacks])) for name in attacks[0].chance
    }
    found = {name: figure([getattr(one, name) for one in attacks]) for name in named}
    return {**found, "chance": chance}


def calibrate(folds: Sequence[Fold], recogniser: str) -> Threshold:
    """Set the threshold on every pair of originals of different people, over all folds."""
    people: list[str] = []
    embeddings: list[F32] = []
    for fold in folds:
        for name, judgement in fold.judgements.items():
            people.append(fold.person[name])
            embeddings.append(judgement.embeddings[recogniser])
    return threshold_at_far(impostor_scores(np.stack(embeddings), people))


def control(folds: Sequence[Fold], recogniser: str, threshold: Threshold) -> dict[str, Any]:
    """Return what the recogniser makes of the originals themselves: the most that can be reached.

    ``accuracy`` is that of the best threshold on the pairs, to hold against the published one.
    """
    attacks: list[Attack] = []
    same: list[float] = []
    different: list[float] = []
    for fold in folds:
        embeddings = embeddings_of(fold, recogniser)
        attacks.append(attack(fold, embeddings, embeddings, threshold))
        for pair in fold.pairs:
            score = float(embeddings[pair.first] @ embeddings[pair.second])
            (same if pair.same else different).append(score)
    accuracy, score = best_accuracy(same, different)
    return {**figures_of(attacks), "accuracy": accuracy, "accuracy_threshold": score}


def embeddings_of(fold: Fold, recogniser: str) -> dict[str, F32]:
    """Return the embeddings of all originals of a fold, by name."""
    return {name: said.embeddings[recogniser] for name, said in fold.judgements.items()}


def _stacked(embeddings: Mapping[str, F32], names: Sequence[str]) -> F32:
    return np.stack([embeddings[name] for name in names])
