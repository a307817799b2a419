"""The terms of the objective; images are (N, 3, h, w) BGR in 0..1, each term a mean.

Equations are those of AnonyGAN (Dall'Asen et al., ICIAP 2021). Its full objective, equation 5, is
``L_app + L_lm + L_wFM + 5 L_rec``; the presets of :mod:`training.options` hold the weights.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from streamanon.face.network_input import EYE_DISTANCE

PUSH_MARGIN = 0.1
"""Cosine to the source below which the loss treats a generated face as another person's."""

FEATURE = 2.0
"""Additional weight of errors in the eyes and the mouth."""

POOLED_PX = (4, 8)
"""Cells over which the mean colour is compared too."""


def generator_loss(logits: Tensor, kind: str) -> Tensor:
    """Adversarial term of the generator (equations 2 and 3).

    Args:
        logits: logits of a discriminator for generated images.
        kind: "bce", the paper's: non-saturating cross entropy (the printed E[1 - log D] stands for
            E[log(1 - D)]); or "hinge" (Lim and Ye, 2017).
    """
    if kind == "hinge":
        return -logits.float().mean()
    return functional.softplus(-logits.float()).mean()


def discriminator_loss(real: Tensor, made: Tensor, kind: str) -> Tensor:
    """Adversarial term of a discriminator (equations 2 and 3), half for each side."""
    real, made = real.float(), made.float()
    if kind == "hinge":
        return 0.5 * (functional.relu(1 - real).mean() + functional.relu(1 + made).mean())
    return 0.5 * (functional.softplus(-real).mean() + functional.softplus(made).mean())


def r1_penalty(logits: Tensor, image: Tensor) -> Tensor:
    """R1 (Mescheder et al., ICML 2018): squared gradient of the mean logit of real images.

    Args:
        logits: (N, 1, h, w) logits of the patches of the images.
        image: (N, 3, h, w) images that the logits were computed from.
    """
    score = logits.float().mean((1, 2, 3)).sum()
    (gradient,) = torch.autograd.grad(score, image, create_graph=True)
    return gradient.float().square().sum((1, 2, 3)).mean()


def feature_matching(layers: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Weak feature matching (equation 4): L1 of a discriminator's features.

    Args:
        layers: features of generated and of real images. It is weak without the lowest layers,
            which see texture and position (SimSwap, Chen et al., ACM MM 2020).
    """
    terms = [(made - real.detach()).float().abs() for made, real in layers]
    return torch.stack([term.sum() / max(term.numel(), 1) for term in terms]).mean()


def reconstruction(image: Tensor, target: Tensor, face: Tensor, features: Tensor) -> Tensor:
    """L1 where the target is known (the L_rec of equation 5), by pixel and pooled.

    Args:
        image: generated image.
        target: target image.
        face: (N, 1, h, w) weight of each pixel, 0..1.
        features: (N, 1, h, w), 1 in eyes and mouth, whose weight is ``FEATURE`` higher.
    """
    difference = image - target
    weight = face * (1 + FEATURE * features)
    terms = [weighted_mean(difference.abs(), weight)]
    for cell in POOLED_PX:
        blurred = functional.avg_pool2d(difference * face, cell).abs()
        terms.append(weighted_mean(blurred, functional.avg_pool2d(face, cell)))
    return torch.stack(terms).sum()


def plain_l1(image: Tensor, target: Tensor) -> Tensor:
    """L1 over the whole image: the paper's L_rec (equation 5)."""
    return (image - target).abs().sum() / max(image.numel(), 1)


def weighted_mean(values: Tensor, weight: Tensor) -> Tensor:
    """Return the mean of (N, c, h, w), weighted by (N, 1, h, w); 0 if all weights are."""
    total = (values.float() * weight).sum() / values.shape[1]
    return total / weight.float().sum().clamp_min(1.0)


def context_ring(image: Tensor, target: Tensor, ring: Tensor) -> Tensor:
    """L1 on the ring around the face, where the target is known for every pair.

    Args:
        image: generated image, before blending into the frame.
        target: frame.
        ring: (N, 1, h, w) weight of each pixel.
    """
    return weighted_mean((image - target).abs(), ring)


def seam(image: Tensor, target: Tensor, edge: Tensor) -> Tensor:
    """Difference of image and frame within the soft edge, pooled over 4 px."""
    weight = 4 * edge * (1 - edge)
    pooled = functional.avg_pool2d((image - target) * weight, 4).abs()
    return weighted_mean(pooled, functional.avg_pool2d(weight, 4))


def identity_pull(made: Tensor, condition: Tensor) -> Tensor:
    """1 - cosine of (N, 128) unit embeddings of generated faces and of their conditions."""
    return (1 - (made * condition).sum(1)).mean()


def identity_push(made: Tensor, source: Tensor) -> Tensor:
    """Excess of the cosine to the source's embedding over ``PUSH_MARGIN``."""
    return functional.relu((made * source).sum(1) - PUSH_MARGIN).mean()


def landmarks(found: Tensor, reference: Tensor) -> Tensor:
    """Distance of (N, 70, 2) nodes in eye distances, eyes and mouth twice, linear far away.

    Args:
        found: nodes that the landmark network finds in the result, crop px.
        reference: target positions, crop px.
    """
    weight = found.new_ones(found.shape[1])
    weight[36:] = 2.0
    error = functional.smooth_l1_loss(found, reference, reduction="none", beta=0.5).sum(2)
    return (error * weight).mean() / EYE_DISTANCE


def trust(attention: Tensor, trusted: Tensor) -> Tensor:
    """Share of generated pixels where the warp can be trusted.

    Args:
        attention: (N, 1, h, w) share of the warped condition in the result.
        trusted: (N, 1, h, w), 1 where the warp is not stretched, and beside eyes and mouth.
    """
    return weighted_mean(1 - attention, trusted)


def roughness(attention: Tensor) -> Tensor:
    """Total variation of the attention."""
    across = (attention[..., 1:] - attention[..., :-1]).abs().mean()
    down = (attention[..., 1:, :] - attention[..., :-1, :]).abs().mean()
    return across + down


def consistency(again: Tensor, before: Tensor, where: Tensor) -> Tensor:
    """L1 between two outputs for the same face: equivariance and noise invariance.

    Args:
        again: output for the moved or noisy input.
        before: output for the first input, moved alike; detached.
        where: (N, 1, h, w) weight of each pixel.
    """
    return weighted_mean((again - before.detach()).abs(), where)
