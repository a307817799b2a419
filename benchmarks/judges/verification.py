"""Are two faces one person: thresholds, rates and ranks over cosines of embeddings.

Embeddings are (n, d) float32 unit vectors; a score is the cosine of two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from streamanon.types import F32

FALSE_ACCEPT_RATE = 1e-3


@dataclass(frozen=True)
class Threshold:
    """The least score of two faces that count as one person.

    Attributes:
        score: accepted is what scores at least this.
        far: share of the impostor pairs it accepts; at most what was asked for.
        impostors: pairs of different people it was set on.
    """

    score: float
    far: float
    impostors: int


def impostor_scores(embeddings: F32, people: Sequence[str]) -> NDArray[np.float64]:
    """Return the score of every pair of pictures that show different people.

    All pairs, not only those of a protocol: 600 pictures make some 180,000, so that one in a
    thousand is a number of pairs and not a guess. Pairs share pictures: they are not independent.
    """
    _, person = np.unique(np.asarray(people), return_inverse=True)
    rows, columns = np.triu_indices(len(person), k=1)
    apart = person[rows] != person[columns]
    scores = embeddings.astype(np.float64) @ embeddings.T.astype(np.float64)
    return np.asarray(scores[rows[apart], columns[apart]], np.float64)


def threshold_at_far(impostors: ArrayLike) -> Threshold:
    """Return the lowest threshold that accepts at most ``FALSE_ACCEPT_RATE`` of impostor pairs.

    Of n pairs it accepts as many as that rate allows, and lies half-way between the last of them
    and the next. Where it allows none, it accepts none and lies just above the best of them: the
    rate cannot be resolved there, and ``Threshold.far`` and ``impostors`` say so.

    Raises:
        ValueError: no impostor pair was given.
    """
    scores = np.sort(np.asarray(impostors, np.float64).ravel())[::-1]
    if scores.size == 0:
        raise ValueError("a threshold needs pairs of different people")
    allowed = int(FALSE_ACCEPT_RATE * scores.size + 1e-9)
    score = float(scores[max(0, allowed - 1) : allowed + 1].mean())
    if score <= scores[allowed]:  # none may pass, or ties would let more pass than may
        score = float(np.nextafter(scores[allowed], np.inf))
    return Threshold(score, float((scores >= score).mean()), int(scores.size))


def accepted(scores: ArrayLike, threshold: Threshold) -> NDArray[np.float64]:
    """Return 1 for each score that counts as the same person, else 0; their mean is the rate."""
    return (np.asarray(scores, np.float64) >= threshold.score).astype(np.float64)


@dataclass(frozen=True)
class Ranks:
    """How often the nearest picture of a gallery shows the right person.

    Attributes:
        hits: (n,) 1 where it does, else 0.
        chance: the rate that guessing would reach.
    """

    hits: NDArray[np.float64]
    chance: float


def rank_1(
    probes: F32, probe_people: Sequence[str], gallery: F32, gallery_people: Sequence[str]
) -> Ranks:
    """Look each probe up in a gallery.

    Args:
        probes: (n, d) embeddings of the people to find.
        probe_people: person of each probe.
        gallery: (m, d) embeddings of pictures with names. It must not hold the probes' own
            originals, unless finding the very picture again is what is asked.
        gallery_people: person of each picture of the gallery.

    Raises:
        ValueError: the gallery lacks the person of a probe.
    """
    names, wanted = np.asarray(gallery_people), np.asarray(probe_people)
    share = np.array([(names == person).mean() for person in wanted])
    if share.size == 0 or not share.all():
        raise ValueError("everybody looked for must be in the gallery")
    nearest = names[(probes.astype(np.float64) @ gallery.T.astype(np.float64)).argmax(axis=1)]
    return Ranks((nearest == wanted).astype(np.float64), float(share.mean()))


def best_accuracy(same: ArrayLike, different: ArrayLike) -> tuple[float, float]:
    """Return the accuracy on pairs at the threshold that suits them best, and that threshold.

    To hold against the accuracy a recogniser was published with. Choosing the threshold on the
    pairs themselves flatters it a little.
    """
    yes, no = np.sort(np.asarray(same, np.float64)), np.sort(np.asarray(different, np.float64))
    candidates = np.concatenate([yes, no, [np.inf]])
    missed = np.searchsorted(yes, candidates, side="left")
    refused = np.searchsorted(no, candidates, side="left")
    right = (yes.size - missed + refused) / (yes.size + no.size)
    best = int(right.argmax())
    return float(right[best]), float(candidates[best])
