"""Cheap figures that rank the networks of a run, beside those of the warp alone.

They are measured on people outside the training set, but by the networks that the losses use.
Published figures come from ``python -m benchmarks``.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from streamanon.anonygan.layering import blend, paste
from streamanon.anonygan.network import AnonyGan
from streamanon.face.network_input import EYE_DISTANCE
from training import stability
from training.data.dataset import PairDataset, collate, kept_for_validation
from training.data.shards import Faces
from training.losses import weighted_mean
from training.recogniser import NodeFinder, Recogniser
from training.view import View

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
        networks: networks to measure.
        faces: prepared faces.
        share: share of people to measure on, starting with those that training leaves out.
        count: number of pairs.

    Returns:
        The figures of the warp and of each network: ``error`` L1 in 1/255 where the target is
        known; of pairs of different people ``to_source`` and ``to_condition``, cosines,
        ``recognised``, the share still recognised as the source, and ``pose``, ``eyes`` and
        ``mouth``, mean distance of the nodes from the source's in eye distances; ``attention``;
        ``unsteady`` L1 in 1/255 between the outputs for a face and for the same one with noise.
    """
    torch.manual_seed(0)
    rows = kept_for_validation(faces, share)
    pairs = PairDataset(faces, mix=MIX, seed=1, rows=rows)
    recogniser, node_finder = Recogniser(), NodeFinder()
    warp: list[dict[str, Tensor]] = []
    found: list[list[dict[str, Tensor]]] = [[] for _ in networks]
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        arrays = collate([pairs[number] for number in numbers])
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        with torch.no_grad():
            answers = [network(batch) for network in networks]
            views = [View.of(batch, parts) for parts in answers]
            reference = _Reference(recogniser, node_finder, views[0])
            again = stability.noisy(batch)
            for network, view, figures in zip(networks, views, found, strict=True):
                changed = (blend(network(again)).float() - view.image).abs() * 255
                figures.append(reference.figures(view, view.result, changed))
            underlay = answers[0]["underlay"].float()
            pasted = paste(underlay, views[0].source, views[0].edge)
            alone = replace(views[0], attention=torch.ones_like(views[0].attention))
            warp.append(reference.figures(alone, pasted, torch.zeros_like(pasted)))
    return _mean(warp), [_mean(figures) for figures in found]


class _Reference:
    """Embeddings and landmarks of a batch, with which results are compared."""

    def __init__(self, recogniser: Recogniser, node_finder: NodeFinder, view: View) -> None:
        """Compute them for the sources and conditions of a batch."""
        self._recogniser, self._node_finder = recogniser, node_finder
        self._source = recogniser(view.source, view.points)
        self._condition = recogniser(view.condition, view.condition_points)
        self._nodes = node_finder(view.source, view.points)

    def figures(self, view: View, result: Tensor, changed: Tensor) -> dict[str, Tensor]:
        """Return figures of each result, NaN where one does not apply.

        Args:
            view: view of the batch.
            result: (N, 3, 128, 128) crops with the generated faces.
            changed: (N, 3, 128, 128) difference of the outputs for noisy inputs, in 1/255.
        """
        error = _over_faces((result.clamp(0, 1) - view.source).abs() * 255, view)
        made = self._recogniser(result, view.points)
        to_source = (made * self._source).sum(1)
        found = self._node_finder(result, view.points)
        apart = torch.linalg.vector_norm(found - self._nodes, dim=2) / EYE_DISTANCE
        of_strangers = {
            "to_source": to_source,
            "to_condition": (made * self._condition).sum(1),
            "recognised": (to_source > SAME_PERSON).float(),
            "pose": apart.mean(1),
            "eyes": apart[:, EYES].mean(1),
            "mouth": apart[:, MOUTH].mean(1),
        }
        nothing = torch.full_like(error, torch.nan)
        trust = (view.attention * view.edge).sum((1, 2, 3)) / view.edge.sum((1, 2, 3))
        return {
            "error": torch.where(view.truth, error, nothing),
            **{name: torch.where(view.truth, nothing, each) for name, each in of_strangers.items()},
            "attention": trust,
            "unsteady": _over_faces(changed, view),
        }


def _over_faces(values: Tensor, view: View) -> Tensor:
    """Return the mean over each face, (N,)."""
    pairs = zip(values, view.edge, strict=True)
    return torch.stack([weighted_mean(each[None], edge[None]) for each, edge in pairs])


def _mean(figures: Sequence[dict[str, Tensor]]) -> Figures:
    joined = {name: torch.cat([one[name] for one in figures]).numpy() for name in figures[0]}
    return {name: float(np.nanmean(values)) for name, values in joined.items()}
