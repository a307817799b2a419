"""Cheap figures that rank the networks of a run, beside those of the warp alone.

They come from people who were not trained on, but from the networks that the losses used: what is
published comes from ``python -m benchmarks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from streamanon.anonygan.composition import paste
from streamanon.core.aligned import EYE_DISTANCE
from training.data.dataset import PairDataset, collate, kept_for_validation
from training.losses import weighted_mean
from training.recogniser import NodeFinder, Recogniser
from training.view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from streamanon.anonygan.network import AnonyGan
    from training.data.shards import Faces

BATCH = 16

SAME_PERSON = 0.33
"""Cosine above which two faces count as one person's: 0.1 % of strangers exceed it (LFW)."""

EYES, MOUTH = slice(36, 48), slice(48, 68)

MIX = (0.0, 0.5, 0.5)
"""No photograph is its own condition: that would be too easy."""

Figures = dict[str, float]


def measure(
    networks: Sequence[AnonyGan], faces: Faces, share: float, count: int
) -> tuple[Figures, list[Figures]]:
    """Measure the warp and some networks on the same pairs.

    Args:
        networks: to measure.
        faces: prepared ones.
        share: of people to measure on, those that training leaves out first.
        count: pairs.

    Returns:
        What the warp comes to, and what each network comes to: ``error`` L1 in 1/255 where the
        truth is known; of pairs of strangers ``to_source`` and ``to_condition``, cosines,
        ``recognised``, the share still recognised as the source, and ``pose``, ``eyes`` and
        ``mouth``, mean distance of the nodes from the source's in eye distances; ``attention``.
    """
    rows = kept_for_validation(faces, share)
    pairs = PairDataset(faces, mix=MIX, seed=1, rows=rows)
    witness = _Witness()
    warp: list[dict[str, Tensor]] = []
    found: list[list[dict[str, Tensor]]] = [[] for _ in networks]
    with torch.no_grad():
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            arrays = collate([pairs[number] for number in numbers])
            batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
            for network, rows_of in zip(networks, found, strict=True):
                parts = network(batch)
                view = View.of(batch, parts)
                rows_of.append(witness.look(view, view.result))
            warp.append(witness.look(view, paste(parts["beneath"].float(), view.source, view.edge)))
    return _mean(warp), [_mean(rows_of) for rows_of in found]


class _Witness:
    """The networks that look at results."""

    def __init__(self) -> None:
        self._recogniser, self._nodes = Recogniser(), NodeFinder()

    def look(self, view: View, result: Tensor) -> dict[str, Tensor]:
        """Return figures of each sample, NaN where one does not apply."""
        differences = (result.clamp(0, 1) - view.source).abs() * 255
        pairs = zip(differences, view.edge, strict=True)
        error = torch.stack([weighted_mean(each[None], edge[None]) for each, edge in pairs])
        made = self._recogniser(result, view.points)
        to_source, to_condition = (
            (made * self._recogniser(image, points)).sum(1)
            for image, points in (
                (view.source, view.points),
                (view.condition, view.condition_points),
            )
        )
        reference = self._nodes(view.source, view.points)
        apart = torch.linalg.vector_norm(self._nodes(result, view.points) - reference, dim=2)
        apart = apart / EYE_DISTANCE
        of_strangers = {
            "to_source": to_source,
            "to_condition": to_condition,
            "recognised": (to_source > SAME_PERSON).float(),
            "pose": apart.mean(1),
            "eyes": apart[:, EYES].mean(1),
            "mouth": apart[:, MOUTH].mean(1),
        }
        nothing = torch.full_like(error, torch.nan)
        trust = (view.attention * view.edge).sum((1, 2, 3)) / view.edge.sum((1, 2, 3))
        return {
            "error": torch.where(view.truth, error, nothing),
            **{n: torch.where(view.truth, nothing, value) for n, value in of_strangers.items()},
            "attention": trust,
        }


def _mean(looks: Sequence[dict[str, Tensor]]) -> Figures:
    joined = {name: torch.cat([look[name] for look in looks]).numpy() for name in looks[0]}
    return {name: float(np.nanmean(values)) for name, values in joined.items()}
