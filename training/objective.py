"""The generator's objective: which terms, on which samples of a batch."""

import torch
from torch import Tensor, nn

from streamanon.anonygan.layering import blend
from training import losses, stability
from training.discriminators import Discriminators
from training.options import Options
from training.recogniser import NodeFinder, Recogniser
from training.view import View

Terms = dict[str, Tensor]


class Objective(nn.Module):
    """Computes the generator's losses; holds the frozen networks that they need."""

    def __init__(self, options: Options) -> None:
        """Load the networks of the terms that the options include."""
        super().__init__()
        self.options = options
        identity = options.weights.pull or options.weights.push
        self.recogniser = Recogniser() if identity else None
        self.node_finder = NodeFinder() if options.weights.pose else None

    def terms(self, view: View, discriminators: Discriminators, step: int) -> Terms:
        """Return the unweighted terms for a batch.

        Costly ones are computed on the first samples only; pairs of different people come first.
        """
        rows = self.options.rows
        terms = self._against_truth(view)
        if step >= self.options.adversarial_from:
            terms |= discriminators.generator_terms(view.rows(slice(rows.discriminator)))
        if self.node_finder is not None:
            some = view.rows(slice(rows.pose))
            found = self.node_finder(some.result, some.points)
            terms["pose"] = losses.landmarks(found, some.points)
        if self.recogniser is not None:
            terms |= self._identity(view.rows(slice(rows.identity)))
        return terms

    def _against_truth(self, view: View) -> Terms:
        """Return the terms that compare with known pixels of the result."""
        same = view.rows(view.truth)
        if self.options.paper_losses:
            return {"reconstruction": losses.plain_l1(same.result, same.source)}
        beside = losses.context_ring(view.image, view.source, view.ring)
        return {
            "reconstruction": losses.reconstruction(
                same.result, same.source, same.edge, same.openings
            ),
            "ring": beside + losses.seam(view.image, view.source, view.edge),
            "trust": losses.trust(view.attention, view.trusted * view.edge),
            "roughness": losses.roughness(view.attention),
        }

    def _identity(self, view: View) -> Terms:
        """Return the terms of identity, on pairs of different people."""
        assert self.recogniser is not None
        view = view.rows(~view.truth)
        if not len(view.truth):
            return {}
        made = self.recogniser(view.result, view.points)
        with torch.no_grad():
            images = torch.cat([view.condition, view.source])
            points = torch.cat([view.condition_points, view.points])
            condition, source = self.recogniser(images, points).chunk(2)
        return {
            "pull": losses.identity_pull(made, condition),
            "push": losses.identity_push(made, source),
        }

    def consistency(
        self, network: nn.Module, batch: dict[str, Tensor], view: View, step: int
    ) -> Terms:
        """Run a few samples again, moved or with noise in turn, and compare the outputs."""
        count = min(self.options.rows.consistency, len(view.truth))
        if step < self.options.consistency_from or not count:
            return {}
        chosen = (torch.arange(count, device=view.edge.device) + step * count) % len(view.truth)
        some, before = {name: array[chosen] for name, array in batch.items()}, view.rows(chosen)
        if step % 2:
            image = blend(network(stability.noisy(some)))
            return {"noise": losses.consistency(image, before.image, before.edge)}
        moves = stability.random_moves(count).to(view.edge.device)
        image = blend(network(stability.moved(some, moves)))
        expected, where = (
            stability.move_image(part, moves) for part in (before.image, before.edge)
        )
        return {"equivariance": losses.consistency(image, expected, where)}
