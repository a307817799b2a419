"""The two discriminators: one sees image and condition, the other image and landmarks."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from streamanon.anonygan.config import IBUG_POINTS
from streamanon.anonygan.discriminators import PARTS, PatchDiscriminator, part_maps
from streamanon.anonygan.landmarks import point_maps
from training import losses
from training.augment import augment

if TYPE_CHECKING:
    from training.options import Options
    from training.view import View

Features = list[Tensor]
"""Of a discriminator, lowest layer first; last come the logits."""

SLOPE = 0.2
"""Of the discriminators' leaky ReLU."""

POLYGONS = 3
"""Maps of hole, eyes and mouth."""


class Judges(nn.Module):
    """Both discriminators, and what they are asked.

    Attributes:
        appearance: sees an image and the condition (the paper's D_app).
        landmark: sees an image and its landmarks (the paper's D_lm).
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        build = PatchDiscriminator.paper if options.whole else PatchDiscriminator.narrow
        self.appearance = build(3 + 3)
        self.landmark = build(3 + (IBUG_POINTS if options.whole else POLYGONS + len(PARTS)))
        if not options.whole:
            self.apply(_awaken)

    def verdict(self, view: View) -> dict[str, Tensor]:
        """Return the generator's terms: both adversarial ones, and feature matching."""
        options = self.options
        self.requires_grad_(requires_grad=False)
        made, real = self.on_condition(view, view.result, view.source)
        (placed,) = self.on_landmarks(view, view.result)
        self.requires_grad_(requires_grad=True)
        matched = slice(None) if options.whole else view.truth
        layers = [(ours[matched], theirs[matched]) for ours, theirs in zip(made, real, strict=True)]
        return {
            "appearance": losses.made_real(made[-1], options.objective),
            "landmark": losses.made_real(placed[-1], options.objective),
            "matching": losses.feature_matching(layers[options.lowest_layer : -1]),
        }

    def lessons(self, judged: View, known: View) -> dict[str, Tensor]:
        """Return the discriminators' own terms.

        Args:
            judged: samples with their made faces; not trained through.
            known: samples whose source and condition show one person: what is real. The same with
                another sample's condition, or landmarks, count as made.
        """
        terms = {}
        for name, ask in (("appearance", self.on_condition), ("landmark", self.on_landmarks)):
            real = ask(known, known.source)[0][-1]
            made = [ask(judged, judged.result.detach())[0][-1]]
            if not self.options.whole:
                made.append(ask(_mismatched(known), known.source)[0][-1])
            terms[name] = losses.told_apart(real, torch.cat(made), self.options.objective)
        return terms

    def penalty(self, known: View) -> Tensor:
        """Return R1 of both on real samples."""
        image = known.source.detach().requires_grad_()
        logits = (ask(known, image)[0][-1] for ask in (self.on_condition, self.on_landmarks))
        return torch.stack([losses.gradient_penalty(each, image) for each in logits]).sum()

    def on_condition(self, view: View, *images: Tensor) -> list[Features]:
        """Judge images beside their conditions, all augmented alike.

        Hair and background are the source's, so with another person's condition they never agree:
        unless the options want the whole image, as the paper has it, only the face is shown.
        """
        if not self.options.whole:
            images = tuple(0.5 + (image - 0.5) * view.hole for image in images)
        shown = self._shown([*images, view.condition], [])
        return [self.appearance(torch.cat([image, shown[-1]], 1)) for image in shown[: len(images)]]

    def on_landmarks(self, view: View, *images: Tensor) -> list[Features]:
        """Judge images beside their landmarks, all augmented alike."""
        if self.options.whole:
            beside = point_maps(view.points[:, :IBUG_POINTS], subpixel=False)
        else:
            beside = torch.cat([view.maps[:, :POLYGONS], part_maps(view.points)], 1)
        shown = self._shown(list(images), [beside])
        return [self.landmark(torch.cat([image, shown[-1]], 1)) for image in shown[: len(images)]]

    def _shown(self, images: list[Tensor], maps: list[Tensor]) -> list[Tensor]:
        """Return images in -1..1 and maps as the discriminators see them."""
        parts = [image * 2 - 1 for image in images] + maps
        if not self.options.augment:
            return parts
        augmented = augment(torch.cat(parts, 1), colours=3 * len(images))
        return list(torch.split(augmented, [part.shape[1] for part in parts], 1))


def _awaken(part: nn.Module) -> None:
    """Start a layer so that signals keep their size without normalisation (He et al., 2015)."""
    if isinstance(part, nn.Conv2d):
        nn.init.kaiming_normal_(part.weight, SLOPE)
        assert part.bias is not None
        nn.init.zeros_(part.bias)


def _mismatched(view: View) -> View:
    """Return samples with the next one's condition and landmarks."""
    others = {name: getattr(view, name).roll(1, 0) for name in ("condition", "points", "maps")}
    return dataclasses.replace(view, **others)
