"""How attention, paint and the warped portrait become one face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


def compose(outputs: dict[str, Tensor]) -> Tensor:
    """Return the generated image: what lies beneath, corrected, where attention uncovers it.

    ``A * (beneath * exp(gain) + bias) + (1 - A) * face``: the composition as the paper's text
    prints it, with the condition first moved into place, and its light and skin tone corrected by
    the low-frequency gain and bias. The paper's code composes with the blanked context instead.

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
    corrected = beneath * gain.exp() + bias
    return attention * corrected + (1 - attention) * outputs["face"]


def paste(generated: Tensor, source: Tensor, edge: Tensor) -> Tensor:
    """Return the source with the generated face in it, as the product shows it.

    Args:
        generated: (n, 3, h, w) in 0..1.
        source: (n, 3, h, w) in 0..1.
        edge: (n, 1, h, w) in 0..1, 1 where only the generated face shows.
    """
    return edge * generated + (1 - edge) * source
