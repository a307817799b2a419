"""How attention, paint and the warped portrait become one face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.114, 0.587, 0.299)
"""Shares of B, G and R in grey (ITU-R BT.601)."""


def compose(outputs: dict[str, Tensor]) -> Tensor:
    """Return the generated image: what lies beneath, corrected, where attention uncovers it.

    ``A * (saturated(beneath) * exp(gain) + bias) + (1 - A) * face``: the composition as the paper's
    text prints it, with the condition first moved into place, its colourfulness corrected by the
    saturation, its light and skin tone by the low-frequency gain and bias. The paper's code
    composes with the blanked context instead.

    Args:
        outputs: of a generator.

    Returns:
        (n, 3, h, w) float32, nominally 0..1, not clamped.
    """
    beneath, attention = outputs["beneath"], outputs["attention"]
    side = list(beneath.shape[2:])
    gain, bias = (
        nn.functional.interpolate(outputs[name], size=side, mode="bilinear", align_corners=False)
        for name in ("gain", "bias")
    )
    corrected = saturated(beneath, outputs["saturation"]) * gain.exp() + bias
    return attention * corrected + (1 - attention) * outputs["face"]


def saturated(image: Tensor, saturation: Tensor) -> Tensor:
    """Return images whose colourfulness is scaled; 0 makes them grey.

    Args:
        image: (n, 3, h, w) BGR in 0..1.
        saturation: (n, 1).
    """
    share = image.new_tensor(_LUMA).reshape(1, 3, 1, 1)
    grey = (image * share).sum(dim=1, keepdim=True)
    return (grey + saturation[:, :, None, None] * (image - grey)).clamp(0, 1)


def paste(generated: Tensor, source: Tensor, edge: Tensor) -> Tensor:
    """Return the source with the generated face in it, as the product shows it.

    Args:
        generated: (n, 3, h, w) in 0..1.
        source: (n, 3, h, w) in 0..1.
        edge: (n, 1, h, w) in 0..1, 1 where only the generated face shows.
    """
    return edge * generated + (1 - edge) * source
