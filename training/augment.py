"""Differentiable augmentation of discriminator inputs (DiffAugment, Zhao et al., NeurIPS 2020).

Real and generated images are augmented alike, so that a discriminator cannot overfit to the few
thousand real ones. The image, its maps and its condition move together.
"""

import torch
from torch import Tensor
from torch.nn import functional

SHIFT = 1 / 8
"""Largest translation, in sides."""

CUTOUT = 1 / 3
"""Side of the square that is cut out, in sides; the authors take half, which here is the face."""


def augment(stacked: Tensor, colours: int) -> Tensor:
    """Change colours, move and cut out, each sample in its own way.

    Args:
        stacked: (N, c, h, w) images and maps.
        colours: number of the first channels that are images in -1..1, three each.

    Returns:
        The augmented channels; differentiable.
    """
    images = _recolour(torch.unflatten(stacked[:, :colours], 1, (-1, 3))).flatten(1, 2)
    return _cut_out(_shift(torch.cat([images, stacked[:, colours:]], 1)))


def _random(count: int, like: Tensor) -> Tensor:
    """Return (count, 1, 1, 1, 1) uniform in -0.5..0.5."""
    return torch.rand(count, 1, 1, 1, 1, device=like.device) - 0.5


def _recolour(images: Tensor) -> Tensor:
    """Change brightness, saturation and contrast of (N, images, 3, h, w), alike within a sample."""
    count = len(images)
    images = images + _random(count, images)
    grey = images.mean(2, keepdim=True)
    images = grey + (images - grey) * (1 + 2 * _random(count, images))
    middle = images.mean((2, 3, 4), keepdim=True)
    return middle + (images - middle) * (1 + _random(count, images))


def _shift(joined: Tensor) -> Tensor:
    """Translate by whole pixels, padding with 0."""
    count, _, height, width = joined.shape
    reach = round(SHIFT * height)
    moves = torch.randint(-reach, reach + 1, (2, count, 1), device=joined.device)
    rows = torch.arange(height, device=joined.device) + moves[0] + reach
    columns = torch.arange(width, device=joined.device) + moves[1] + reach
    padded = functional.pad(joined, (reach,) * 4).permute(0, 2, 3, 1)
    sample = torch.arange(count, device=joined.device)[:, None, None]
    return padded[sample, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _cut_out(joined: Tensor) -> Tensor:
    """Set one square per sample to 0."""
    count, _, height, width = joined.shape
    half = round(CUTOUT * height) // 2
    centre = torch.rand(2, count, 1, device=joined.device)
    rows = (torch.arange(height, device=joined.device) - centre[0] * height).abs() < half
    columns = (torch.arange(width, device=joined.device) - centre[1] * width).abs() < half
    hidden = rows[:, None, :, None] & columns[:, None, None, :]
    return joined * ~hidden
