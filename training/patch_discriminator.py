"""Patch discriminators, and the maps of landmarks that one of them sees."""

from typing import Self

import torch
from torch import Tensor, nn

from streamanon.anonygan.landmarks import gaussian_profiles
from streamanon.face.network_input import CROP

PAPER_WIDTHS = (64, 128, 256, 512, 512)
NARROW_WIDTHS = (32, 64, 128, 128)

PARTS = (
    range(17),
    range(17, 22),
    range(22, 27),
    range(27, 36),
    range(36, 42),
    range(42, 48),
    range(48, 60),
    range(60, 68),
    range(68, 70),
)
"""Landmarks of jaw, right and left brow, nose, right and left eye, outer and inner lips, irises."""


class PatchDiscriminator(nn.Module):
    """Scores overlapping patches of an image and its conditioning maps (equations 2 and 3).

    The appearance discriminator sees an image and the condition, the landmark discriminator an
    image and maps of the source's landmarks, stacked as channels. Without normalisation, a gradient
    penalty (R1) is needed to regularise it.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...], *, normalised: bool) -> None:
        super().__init__()
        layers = []
        for i, width in enumerate(widths):
            stride = 1 if i == len(widths) - 1 else 2
            layer: list[nn.Module] = [nn.Conv2d(inputs, width, 4, stride=stride, padding=1)]
            if normalised and i > 0:
                layer.append(nn.BatchNorm2d(width))
            layers.append(nn.Sequential(*layer, nn.LeakyReLU(0.2)))
            inputs = width
        self.layers = nn.ModuleList(layers)
        self.logits = nn.Conv2d(inputs, 1, 4, padding=1)

    @classmethod
    def paper(cls, inputs: int) -> Self:
        """Return the paper's discriminator."""
        return cls(inputs, PAPER_WIDTHS, normalised=True)

    @classmethod
    def narrow(cls, inputs: int) -> Self:
        """Return one a fiftieth as large as the paper's, for training the live generator."""
        return cls(inputs, NARROW_WIDTHS, normalised=False)

    def forward(self, stacked: Tensor) -> list[Tensor]:
        """Return the features after each layer, then the logits of real against generated.

        Args:
            stacked: (n, inputs, h, w), colours in -1..1.
        """
        results = [stacked]
        for layer in self.layers:
            results.append(layer(results[-1]))
        return [*results[1:], self.logits(results[-1])]


def part_maps(points: Tensor) -> Tensor:
    """Return one map for each part of the face with its landmarks drawn in it.

    Args:
        points: (n, 70, 2) float32 in crop px.

    Returns:
        (n, 9, 128, 128) float32 in 0..1, in the order of ``PARTS``.
    """
    across, down = gaussian_profiles(points, CROP, sigma=1.5)
    maps = [
        down[:, part.start : part.stop].transpose(1, 2) @ across[:, part.start : part.stop]
        for part in PARTS
    ]
    return torch.stack(maps, dim=1).clamp(max=1)
