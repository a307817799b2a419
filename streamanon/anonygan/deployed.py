"""The networks as the product runs them: plain arrays in, plain arrays out."""

import torch
from torch import Tensor, nn

INPUTS = (
    "context",
    "maps",
    "warped",
    "complexion",
    "points",
    "lookup",
    "condition_points",
    "features",
    "nodes",
)
OUTPUTS = ("face", "attention", "saturation", "gain", "bias")


PAPER_INPUTS = (
    *("context", "maps", "warped", "complexion", "points"),
    *("condition", "condition_points"),
)
"""Inputs of a generator in the paper's wiring, which is benchmarked but never shipped."""


class DeployedGenerator(nn.Module):
    """A generator with its inputs in order and 8 bit images out."""

    def __init__(self, generator: nn.Module, names: tuple[str, ...] = INPUTS) -> None:
        super().__init__()
        self.generator, self.names = generator, names

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return ``OUTPUTS``.

        Returns:
            face (n, 128, 128, 3) uint8 BGR, attention (n, 128, 128) uint8, saturation (n, 1), gain
            and bias (n, 3, 16, 16) float32.
        """
        parts = self.generator(dict(zip(self.names, inputs, strict=True)))
        face = as_bytes(parts["face"].permute(0, 2, 3, 1))
        attention = as_bytes(parts["attention"][:, 0])
        return face, attention, parts["saturation"], parts["gain"], parts["bias"]


def as_bytes(image: Tensor) -> Tensor:
    """Return uint8 for values in 0..1."""
    return (image.clamp(0, 1) * 255 + 0.5).to(torch.uint8)
