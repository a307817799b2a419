"""How attention, generated pixels and the warped portrait become one face."""

import torch
from torch import Tensor, nn

from streamanon.face.network_input import VISIBLE_STRETCH

_LUMA = (0.114, 0.587, 0.299)
"""Weights of B, G and R in luma (ITU-R BT.601)."""

GAIN_RANGE = (0.55, 1.0)
"""Range of the gain on the portrait; the rest of the difference in light becomes bias."""

TRUSTED = 0.25
"""Stretch from which the warped portrait is better than generated pixels, 0..1."""

SUPPRESSED = 0.9
"""Share of the generated pixels that is suppressed where the portrait is trusted."""

LIDS_PX = 6
"""Distance from an eye's opening within which lids may be generated, in crop px."""

SATURATION_RANGE = (0.15, 1.0)
"""Range of the factor of the portrait's saturation: never raised."""

COMPLEXION_RANGE = (0.4, 2.0)
"""Range of the factor, per channel, that makes the face as a whole darker or lighter."""

EPSILON = 0.015
"""Added to denominators: brightness or area of skin."""


def blend(outputs: dict[str, Tensor]) -> Tensor:
    """Return the result: the colour-corrected underlay where attention is 1, else generated pixels.

    ``A * (saturated(underlay) * exp(gain) + bias) + (1 - A) * face``: the formula of the paper's
    text, with the condition first warped into place, its saturation corrected by the saturation
    factor, its light and skin tone by the low-frequency gain and bias. In the paper's code the
    underlay is the context with a masked hole instead.

    Returns:
        (n, 3, h, w) float32, nominally 0..1, not clamped.
    """
    attention = outputs["attention"]
    return attention * colour_corrected(outputs) + (1 - attention) * outputs["face"]


def colour_corrected(outputs: dict[str, Tensor]) -> Tensor:
    """Return the underlay in the frame's light: (n, 3, h, w), not clamped.

    Args:
        outputs: ``underlay``, ``saturation``, ``gain`` and ``bias`` of a generator.
    """
    underlay = outputs["underlay"]
    side = list(underlay.shape[2:])
    gain, bias = (
        nn.functional.interpolate(outputs[name], size=side, mode="bilinear", align_corners=False)
        for name in ("gain", "bias")
    )
    return saturated(underlay, outputs["saturation"]) * gain.exp() + bias


def match_skin_tone(
    outputs: dict[str, Tensor], maps: Tensor, complexion: Tensor
) -> dict[str, Tensor]:
    """Return outputs that give a face the colour of the skin it replaces, with its own contrast.

    Four constraints on the network, since there is no target for other people's faces. The mean of
    the skin is the frame's, and the portrait's saturation no higher. The network's light at a place
    applies to the skin around it, blurred beyond all features, and nearly all of it becomes gain,
    which keeps the ratio of a feature to its skin: as bias it would lay haze over pupils, lashes
    and open mouths. Generated pixels take the portrait's colour (:func:`recoloured`). Few of them
    show where the portrait is visible (:func:`limit_generated`).

    Args:
        outputs: ``face``, ``attention``, ``gain`` and ``bias`` of a generator, and ``underlay``,
            the warped condition.
        maps: (n, 4, h, w) in 0..1, see :func:`streamanon.face.network_input.network_inputs`.
        complexion: (n, 3) BGR in 0..1, mean of the source's skin.
    """
    gain, bias = outputs["gain"].exp(), outputs["bias"]
    openings, stretch = maps[:, 1:3].amax(dim=1, keepdim=True), maps[:, 3:]
    skin = ((stretch > (VISIBLE_STRETCH + 0.5) / 255) & (openings == 0)).to(gain.dtype)
    weighed = torch.cat([outputs["underlay"] * skin, skin], dim=1)
    cells = nn.functional.avg_pool2d(weighed, maps.shape[3] // gain.shape[3])
    share = cells[:, 3:]
    mean = cells.mean(dim=(2, 3), keepdim=True)
    slow = nn.functional.avg_pool2d(cells, 3, stride=1, padding=1) + EPSILON * mean
    given, least = slow[:, :3] / (slow[:, 3:] + 1e-6), mean[:, 3:] + 1e-6
    vivid = relative_chroma(complexion) / relative_chroma(mean[:, :3, 0, 0] / least[:, :, 0, 0])
    saturation = vivid.clamp(*SATURATION_RANGE)
    given = saturated(given, saturation)
    wanted = gain * given + bias
    made = (wanted * share).mean(dim=(2, 3), keepdim=True) / least
    factor = ((complexion[:, :, None, None] + EPSILON) / (made + EPSILON)).clamp(*COMPLEXION_RANGE)
    wanted = wanted * factor
    kept = ((wanted + EPSILON) / (given + EPSILON)).clamp(*GAIN_RANGE)
    parts = outputs | {
        "saturation": saturation,
        "gain": kept.log(),
        "bias": wanted - kept * given,
        "attention": limit_generated(outputs["attention"], maps),
    }
    face = recoloured(outputs["face"] * factor, colour_corrected(parts))
    return parts | {"face": torch.lerp(outputs["face"], face, stretch.sign())}


def limit_generated(attention: Tensor, maps: Tensor) -> Tensor:
    """Return attention raised where the warped portrait shows the face.

    Generated pixels are for lids, for what the portrait does not show, and for the seam around it.
    On cheeks, lips and chins they only blur.

    Args:
        attention: (n, 1, h, w) in 0..1, 1 where the portrait shows.
        maps: (n, 4, h, w) in 0..1.
    """
    seen = maps[:, 3:].sign()
    lids = nn.functional.max_pool2d(maps[:, 1:2].sign(), 2 * LIDS_PX + 1, 1, LIDS_PX)
    trusted = (maps[:, 3:] / TRUSTED).clamp(max=1) * (1 - lids)
    smooth = nn.functional.avg_pool2d(torch.cat([trusted, seen], dim=1), 7, stride=1, padding=3)
    trusted = seen * smooth[:, :1] / (smooth[:, 1:] + 1e-6)
    return 1 - (1 - attention) * (1 - SUPPRESSED * trusted)


def relative_chroma(colour: Tensor) -> Tensor:
    """Return (n, 1): distance of (n, 3) BGR from grey, relative to the brightness."""
    grey = greyscale(colour[:, :, None, None])[:, :, 0, 0]
    apart = torch.linalg.vector_norm(colour - grey, dim=1, keepdim=True)
    share: Tensor = (apart + EPSILON) / (grey + EPSILON)
    return share


def saturated(image: Tensor, saturation: Tensor) -> Tensor:
    """Return images with scaled saturation; 0 makes them grey.

    Args:
        image: (n, 3, h, w) BGR in 0..1.
        saturation: (n, 1) factor.
    """
    grey = greyscale(image)
    return (grey + saturation[:, :, None, None] * (image - grey)).clamp(0, 1)


def greyscale(image: Tensor) -> Tensor:
    """Return the luma (n, 1, h, w) of (n, 3, h, w) BGR."""
    blue, green, red = (share * image[:, at : at + 1] for at, share in enumerate(_LUMA))
    return blue + green + red


def recoloured(face: Tensor, lit: Tensor) -> Tensor:
    """Return generated pixels of unchanged luma, in the colour of the underlay.

    Otherwise generated pixels that show through a little learn any colour that corrects a mean,
    such as magenta lips and red lids.

    Args:
        face: (n, 3, h, w) BGR in 0..1, generated pixels.
        lit: (n, 3, h, w) BGR underlay, colour-corrected (:func:`colour_corrected`).
    """
    return (greyscale(face) + lit - greyscale(lit)).clamp(0, 1)


def paste(generated: Tensor, source: Tensor, edge: Tensor) -> Tensor:
    """Return the source with the generated face blended in, as the product shows it.

    Args:
        generated: (n, 3, h, w) in 0..1.
        source: (n, 3, h, w) in 0..1.
        edge: (n, 1, h, w) in 0..1, opacity of the generated face.
    """
    return edge * generated + (1 - edge) * source
