"""How attention, paint and the warped portrait become one face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from streamanon.face.network_input import VISIBLE_STRETCH

if TYPE_CHECKING:
    from torch import Tensor

_LUMA = (0.114, 0.587, 0.299)
"""Shares of B, G and R in grey (ITU-R BT.601)."""

CONTRAST = (0.55, 1.0)
"""What light may scale the portrait's contrast by; what is left to do is added to all alike."""

TRUSTED = 0.25
"""Stretch from which the warped portrait is better than paint, 0..1."""

WITHHELD = 0.9
"""Share of the paint that does not show where the portrait is trusted."""

LIDS_PX = 6
"""How far around an eye's opening lids may be painted, in crop px."""

SATURATION = (0.15, 1.0)
"""What the portrait's colourfulness is scaled by: never raised."""

COMPLEXION = (0.4, 2.0)
"""How far a face as a whole is made darker or lighter, a channel."""

LEAST = 0.015
"""Added where something is divided by how light, or how much, skin there is."""


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


def matched(outputs: dict[str, Tensor], maps: Tensor, complexion: Tensor) -> dict[str, Tensor]:
    """Return the parts of a face in the colour of the skin it replaces, with its own contrast.

    Four things a network must not be free in, for other people's faces never tell it what is
    right. The mean of the skin is that of the frame's, and the portrait no more colourful. What the
    network says of the light at a place is said of the skin around it, blurred beyond all features,
    and nearly all of it becomes gain, which keeps the ratio of a feature to its skin: as bias it
    would lay haze over pupils, lashes and open mouths. Paint on the portrait takes the portrait's
    colour (:func:`held`). Little of it shows where the portrait can be seen (:func:`trusting`).

    Args:
        outputs: ``face``, ``attention``, ``gain`` and ``bias`` of a generator, and ``beneath``, the
            warped condition.
        maps: (n, 4, h, w) in 0..1, see :func:`streamanon.face.network_input.network_inputs`.
        complexion: (n, 3) BGR in 0..1, mean of the source's skin.
    """
    gain, bias = outputs["gain"].exp(), outputs["bias"]
    openings, stretch = maps[:, 1:3].amax(dim=1, keepdim=True), maps[:, 3:]
    skin = ((stretch > (VISIBLE_STRETCH + 0.5) / 255) & (openings == 0)).to(gain.dtype)
    weighed = torch.cat([outputs["beneath"] * skin, skin], dim=1)
    cells = nn.functional.avg_pool2d(weighed, maps.shape[3] // gain.shape[3])
    share = cells[:, 3:]
    mean = cells.mean(dim=(2, 3), keepdim=True)
    slow = nn.functional.avg_pool2d(cells, 3, stride=1, padding=1) + LEAST * mean
    given, least = slow[:, :3] / (slow[:, 3:] + 1e-6), mean[:, 3:] + 1e-6
    vivid = vividness(complexion) / vividness(mean[:, :3, 0, 0] / least[:, :, 0, 0])
    saturation = vivid.clamp(*SATURATION)
    given = saturated(given, saturation)
    wanted = gain * given + bias
    made = (wanted * share).mean(dim=(2, 3), keepdim=True) / least
    factor = ((complexion[:, :, None, None] + LEAST) / (made + LEAST)).clamp(*COMPLEXION)
    wanted = wanted * factor
    kept = ((wanted + LEAST) / (given + LEAST)).clamp(*CONTRAST)
    parts = outputs | {
        "saturation": saturation,
        "gain": kept.log(),
        "bias": wanted - kept * given,
        "attention": trusting(outputs["attention"], maps),
    }
    face = held(outputs["face"] * factor, corrected(parts))
    return parts | {"face": torch.lerp(outputs["face"], face, stretch.sign())}


def trusting(attention: Tensor, maps: Tensor) -> Tensor:
    """Return attention that leaves little to paint where the warped portrait holds the face.

    Paint is for lids, for what the portrait does not show, and for the seam around it. On cheeks,
    lips and chins it is a guess that is only ever blurred.

    Args:
        attention: (n, 1, h, w) in 0..1, 1 where the portrait shows.
        maps: (n, 4, h, w) in 0..1.
    """
    seen = maps[:, 3:].sign()
    lids = nn.functional.max_pool2d(maps[:, 1:2].sign(), 2 * LIDS_PX + 1, 1, LIDS_PX)
    trusted = (maps[:, 3:] / TRUSTED).clamp(max=1) * (1 - lids)
    smooth = nn.functional.avg_pool2d(torch.cat([trusted, seen], dim=1), 7, stride=1, padding=3)
    trusted = seen * smooth[:, :1] / (smooth[:, 1:] + 1e-6)
    return 1 - (1 - attention) * (1 - WITHHELD * trusted)


def vividness(colour: Tensor) -> Tensor:
    """Return (n, 1) how far (n, 3) BGR is from grey, as a share of how light it is."""
    grey = greyed(colour[:, :, None, None])[:, :, 0, 0]
    apart = torch.linalg.vector_norm(colour - grey, dim=1, keepdim=True)
    share: Tensor = (apart + LEAST) / (grey + LEAST)
    return share


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
    """Return paint that is as light as it was, in the colour of what lies beneath.

    Where it shows through a little, paint of any colour corrects a mean, and magenta lips and red
    lids come of it.

    Args:
        face: (n, 3, h, w) BGR in 0..1, the paint.
        lit: (n, 3, h, w) BGR, what lies beneath, as :func:`corrected` returns it.
    """
    return (greyed(face) + lit - greyed(lit)).clamp(0, 1)


def paste(generated: Tensor, source: Tensor, edge: Tensor) -> Tensor:
    """Return the source with the generated face in it, as the product shows it.

    Args:
        generated: (n, 3, h, w) in 0..1.
        source: (n, 3, h, w) in 0..1.
        edge: (n, 1, h, w) in 0..1, 1 where only the generated face shows.
    """
    return edge * generated + (1 - edge) * source
