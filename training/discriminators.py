"""The two discriminators: one sees image and condition, the other image and landmarks."""

import dataclasses

import torch
from torch import Tensor, nn

from streamanon.anonygan.config import IBUG_POINTS
from streamanon.anonygan.landmarks import point_maps
from training import losses
from training.augment import augment
from training.options import Options
from training.patch_discriminator import PARTS, PatchDiscriminator, part_maps
from training.view import View

Features = list[Tensor]
"""Feature maps of a discriminator, lowest layer first, and its logits last."""

SLOPE = 0.2
"""Negative slope of the discriminators' leaky ReLU."""

POLYGONS = 3
"""Number of maps: hole, eyes and mouth."""


class Discriminators(nn.Module):
    """Both discriminators and their losses.

    Attributes:
        appearance: sees an image and the condition (the paper's D_app).
        landmark: sees an image and its landmarks (the paper's D_lm).
    """

    def __init__(self, options: Options) -> None:
        super().__init__()
        self.options = options
        build = PatchDiscriminator.paper if options.paper_losses else PatchDiscriminator.narrow
        self.appearance = build(3 + 3)
        self.landmark = build(3 + (IBUG_POINTS if options.paper_losses else POLYGONS + len(PARTS)))
        if not options.paper_losses:
            self.apply(_he_init)

    def generator_terms(self, view: View) -> dict[str, Tensor]:
        """Return the generator's adversarial losses and feature matching."""
        options = self.options
        self.requires_grad_(requires_grad=False)
        made, real = self.score_appearance(view, view.result, view.source)
        (placed,) = self.score_landmarks(view, view.result)
        self.requires_grad_(requires_grad=True)
        matched = slice(None) if options.paper_losses else view.truth
        layers = [(ours[matched], theirs[matched]) for ours, theirs in zip(made, real, strict=True)]
        return {
            "appearance": losses.generator_loss(made[-1], options.objective),
            "landmark": losses.generator_loss(placed[-1], options.objective),
            "matching": losses.feature_matching(layers[options.matching_from_layer : -1]),
        }

    def forward(self, generated: View, real: View, *, regularised: bool) -> dict[str, Tensor]:
        """Return the discriminators' losses.

        Args:
            generated: samples with generated faces, whose gradients stop there.
            real: samples whose source and condition show one person. With another sample's
                condition, or landmarks, they count as generated.
            regularised: whether to add the R1 penalty, ``r1``.
        """
        terms = {}
        for name, score in (
            ("appearance", self.score_appearance),
            ("landmark", self.score_landmarks),
        ):
            on_real = score(real, real.source)[0][-1]
            on_fake = [score(generated, generated.result.detach())[0][-1]]
            if not self.options.paper_losses:
                on_fake.append(score(_mismatched(real), real.source)[0][-1])
            terms[name] = losses.discriminator_loss(
                on_real, torch.cat(on_fake), self.options.objective
            )
        if regularised:
            with torch.autocast(real.source.device.type, enabled=False):
                terms["r1"] = self._r1(real)
        return terms

    def _r1(self, real: View) -> Tensor:
        """Return the R1 penalty of both on real samples."""
        image = real.source.detach().requires_grad_()
        logits = (
            score(real, image)[0][-1] for score in (self.score_appearance, self.score_landmarks)
        )
        return torch.stack([losses.r1_penalty(each, image) for each in logits]).sum()

    def score_appearance(self, view: View, *images: Tensor) -> list[Features]:
        """Return the features of images beside their conditions, all augmented alike.

        Hair and background are the source's and never match another person's condition: except with
        the paper's losses, everything beside the face is grey.
        """
        if not self.options.paper_losses:
            images = tuple(0.5 + (image - 0.5) * view.hole for image in images)
        inputs = self._inputs([*images, view.condition], [])
        return [
            self.appearance(torch.cat([image, inputs[-1]], 1)) for image in inputs[: len(images)]
        ]

    def score_landmarks(self, view: View, *images: Tensor) -> list[Features]:
        """Return the features of images beside their landmarks, all augmented alike."""
        if self.options.paper_losses:
            beside = point_maps(view.points[:, :IBUG_POINTS], subpixel=False)
        else:
            beside = torch.cat([view.maps[:, :POLYGONS], part_maps(view.points)], 1)
        inputs = self._inputs(list(images), [beside])
        return [self.landmark(torch.cat([image, inputs[-1]], 1)) for image in inputs[: len(images)]]

    def _inputs(self, images: list[Tensor], maps: list[Tensor]) -> list[Tensor]:
        """Return images in -1..1 and maps as input of the discriminators."""
        parts = [image * 2 - 1 for image in images] + maps
        if not self.options.augment:
            return parts
        augmented = augment(torch.cat(parts, 1), colours=3 * len(images))
        return list(torch.split(augmented, [part.shape[1] for part in parts], 1))


def _he_init(part: nn.Module) -> None:
    """Initialise a layer so that signals keep their variance (He et al., 2015)."""
    if isinstance(part, nn.Conv2d):
        nn.init.kaiming_normal_(part.weight, SLOPE)
        assert part.bias is not None
        nn.init.zeros_(part.bias)


def _mismatched(view: View) -> View:
    """Return samples with the next one's condition and landmarks."""
    others = {name: getattr(view, name).roll(1, 0) for name in ("condition", "points", "maps")}
    return dataclasses.replace(view, **others)
