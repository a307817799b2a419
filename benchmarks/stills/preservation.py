"""What of a face is kept: detection, landmarks, expression, and how real it looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.judges import expression
from benchmarks.judges.realism import frechet
from benchmarks.stills import predictor
from benchmarks.stills.figures import Figure, figure, figure_of, plain
from benchmarks.stills.predictor import lie_in_face

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.judges.expression import Observation
    from benchmarks.stills.originals import Fold
    from benchmarks.stills.panel import Judgement


def detection(
    folds: Sequence[Fold], stills: Sequence[Mapping[str, Judgement]], detector: str
) -> dict[str, Figure]:
    """Return how many stills a detector finds a face in.

    ``anywhere`` is the paper's count; ``at_face`` asks for one whose middle lies in the box of the
    original face, since LFW shows bystanders too.
    """
    anywhere, at_face = [], []
    for fold, judged in zip(folds, stills, strict=True):
        boxes = {name: judged[name].boxes[detector] for name in fold.probes}
        anywhere.append([len(found) > 0 for found in boxes.values()])
        at_face.append(
            [
                bool(lie_in_face(found, fold.references[name].points).any())
                for name, found in boxes.items()
            ]
        )
    return {"anywhere": figure(anywhere), "at_face": figure(at_face)}


def landmarks(
    folds: Sequence[Fold], stills: Sequence[Mapping[str, Judgement]]
) -> dict[str, Figure]:
    """Return how well landmarks, head pose and expression are kept, where a mesh is believed.

    ``seen`` is the share of stills in which one is. ``pose_paper`` is normalised as the paper's
    code does, ``landmark_nme`` by the distance of the outer eye corners.
    """
    pairs = [_seen(fold, judged) for fold, judged in zip(folds, stills, strict=True)]
    seen = [
        [judged[name].seen is not None for name in fold.probes]
        for fold, judged in zip(folds, stills, strict=True)
    ]

    def each(measure: Callable[[Observation, Observation], float]) -> Figure:
        return figure([[measure(before, after) for before, after in fold] for fold in pairs])

    shapes = [
        np.array([(b.blendshapes, a.blendshapes) for b, a in fold], np.float64) for fold in pairs
    ]
    return {
        "seen": figure(seen),
        "pose_paper": each(
            lambda before, after: expression.landmark_error_paper(before.points, after.points)
        ),
        "landmark_nme": each(
            lambda before, after: expression.landmark_error(before.points, after.points)
        ),
        "head_pose_deg": each(expression.pose_error),
        "blendshape_correlation": figure_of(_correlation, shapes),
        **_kept("blink", expression.eyes_closed, pairs),
        **_kept("mouth_open", expression.mouth_open, pairs),
    }


def landmarks68(
    folds: Sequence[Fold], stills: Sequence[Mapping[str, Judgement]]
) -> dict[str, Figure]:
    """Return the same errors by dlib's predictor, where dlib sees a face before and after."""
    seen: list[list[bool]] = []
    paper: list[list[float]] = []
    nme: list[list[float]] = []
    for fold, judged in zip(folds, stills, strict=True):
        found = [(fold.judgements[name].points68, judged[name].points68) for name in fold.probes]
        both = [(b, a) for b, a in found if b is not None and a is not None and len(b) and len(a)]
        seen.append([a is not None and len(a) > 0 for _, a in found])
        paper.append([predictor.error_paper(b, a) for b, a in both])
        nme.append([predictor.error(b, a) for b, a in both])
    return {"seen": figure(seen), "pose_paper": figure(paper), "landmark_nme": figure(nme)}


def _seen(fold: Fold, judged: Mapping[str, Judgement]) -> list[tuple[Observation, Observation]]:
    """Return what is seen before and after, of stills with a mesh."""
    found = ((fold.references[name], judged[name].seen) for name in fold.probes)
    return [(before, after) for before, after in found if after is not None]


def _correlation(rows: NDArray[np.float64]) -> float:
    """Return the mean correlation of (n, 2, 52) blendshapes before and after; 0 if none moves."""
    found = expression.blendshape_correlations(rows[:, 0], rows[:, 1])
    return float(found.mean()) if found.size else 0.0


def _kept(
    name: str,
    holds: Callable[[Observation], bool],
    pairs: Sequence[Sequence[tuple[Observation, Observation]]],
) -> dict[str, Figure]:
    """Return how often a yes-or-no is the same after as before, and how often a yes stays one."""
    answers = [[(holds(before), holds(after)) for before, after in fold] for fold in pairs]
    return {
        f"{name}_agreement": figure([[b == a for b, a in fold] for fold in answers]),
        f"{name}_recall": figure([[a for b, a in fold if b] for fold in answers]),
    }


def realism(
    folds: Sequence[Fold], stills: Sequence[Mapping[str, Judgement]], metric: str
) -> dict[str, Figure]:
    """Return Fréchet distances of the stills.

    ``to_originals`` compares with the originals of the same stills, as the paper does: it is 0 when
    nothing is changed. ``to_others`` compares with the originals of the other folds, as the
    :func:`floor` does, which is what real pictures of other people have.
    """
    after = [
        _features(judged, fold.probes, metric) for fold, judged in zip(folds, stills, strict=True)
    ]
    before = [_features(fold.judgements, fold.probes, metric) for fold in folds]
    n = sum(map(len, after))
    own = [frechet(a, b) for a, b in zip(before, after, strict=True)]
    return {"to_originals": plain(own, n), "to_others": plain(_crosswise(before, after), n)}


def floor(folds: Sequence[Fold], metric: str) -> Figure:
    """Return the Fréchet distance between originals of different folds: real against real."""
    before = [_features(fold.judgements, fold.probes, metric) for fold in folds]
    return plain(_crosswise(before, before), sum(map(len, before)))


def _crosswise(
    before: Sequence[NDArray[np.float64]], after: Sequence[NDArray[np.float64]]
) -> list[float]:
    """Return, for each fold, the distance to the originals of the next, in sets of equal size."""
    if len(before) < 2:
        return []
    size = min(map(len, before))
    following = [*before[1:], before[0]]
    return [frechet(b[:size], a[:size]) for b, a in zip(following, after, strict=True)]


def _features(
    judged: Mapping[str, Judgement], names: Sequence[str], metric: str
) -> NDArray[np.float64]:
    return np.stack([judged[name].features[metric] for name in names])
