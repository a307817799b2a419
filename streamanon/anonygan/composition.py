"""How attention, paint and the warped portrait become one face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.114, 0.587, 0.299)
"""Shares of B, G and R in grey (ITU-R BT.601)."""

MOST_TINTED = 0.06
"""How far the colour of paint may be from the colour of the portrait beneath it, a channel."""


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
    attention = outputs["attention"]
    return attention * corrected(outputs) + (1 - attention) * outputs["face"]


def corrected(outputs: dict[str, Tensor]) -> Tensor:
    """Return what lies beneath in the frame's light: (n, 3, h, w), not clamped.

    Args:
        outputs: ``beneath``, ``saturation``, ``gain`` and ``bias`` of a generator.
    """
    beneath = outputs["beneath"]
    side = list(beneath.shape[2:])
    gain, bias = (
        nn.functional.interpolate(outputs[name], size=side, mode="bilinear", align_corners=False)
        for name in ("gain", "bias")
    )
    return saturated(beneath, outputs["saturation"]) * gain.exp() + bias


def saturated(image: Tensor, saturation: Tensor) -> Tensor:
    """Return images whose colourfulness is scaled; 0 makes them grey.

    Args:
        image: (n, 3, h, w) BGR in 0..1.
        saturation: (n, 1).
    """
    grey = greyed(image)
    return (grey + saturation[:, :, None, None] * (image - grey)).clamp(0, 1)


def greyed(image: Tensor) -> Tensor:
    """Return (n, 1, h, w) for (n, 3, h, w) BGR."""
    blue, green, red = (share * image[:, at : at + 1] for at, share in enumerate(_LUMA))
    return blue + green + red


def held(face: Tensor, lit: Tensor) -> Tensor:
    """Return paint that is as light as it was, and about as colourful as what lies beneath.

    Where it shows through a little, paint of any colour corrects a mean, and magenta lips and red
    lids come of it.

    Args:
        face: (n, 3, h, w) BGR in 0..1, the paint.
        lit: (n, 3, h, w) BGR, what lies beneath, as :func:`corrected` returns it.
    """
    grey, wanted = greyed(face), lit - greyed(lit)
    apart = (face - grey - wanted).clamp(-MOST_TINTED, MOST_TINTED)
    return (grey + wanted + apart).clamp(0, 1)


def paste(generated: Tensor, source: Tensor, edge: Tensor) -> Tensor:
    """Return the source with the generated face in it, as the product shows it.

    Args:
        generated: (n, 3, h, w) in 0..1.
        source: (n, 3, h, w) in 0..1.
        edge: (n, 1, h, w) in 0..1, 1 where only the generated face shows.
    """
    return edge * generated + (1 - edge) * source
