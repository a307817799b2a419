"""From a coarse mask to a soft one at the frame's resolution, by a guided filter.

Source: He et al., "Guided image filtering", 2010; the coefficients are found in the crop and scaled
up, as in He and Sun, "Fast guided filter", 2015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from streamanon.types import F32, U8

RADIUS_PX, SMOOTHNESS = 2, 30.0
"""Of the filter, in px of the crop and squared 8 bit levels."""


def refined(
    mask: F32, cues: tuple[F32, F32], crop: U8, full: U8, to_full: F32
) -> tuple[F32, F32, F32]:
    """Return a mask whose edges are those of the picture, and two that are only scaled up.

    Args:
        mask: (h, w) float32 0..1 in the crop.
        cues: the other two, of the same kind.
        crop: (h, w) uint8 grey.
        full: (H, W) uint8 grey pixels to make the masks for.
        to_full: (2, 3) affine from px of the crop to px of ``full``.

    Returns:
        (H, W) float32 0..1 each.
    """
    size = (2 * RADIUS_PX + 1,) * 2
    grey = crop.astype(np.float32)
    means = [cv2.blur(part, size) for part in (grey, mask, grey * grey, grey * mask)]
    variance = means[2] - means[0] ** 2
    slope = (means[3] - means[0] * means[1]) / (variance + SMOOTHNESS)
    shift = means[1] - slope * means[0]
    slope, shift = cv2.blur(slope, size), cv2.blur(shift, size)
    wide = cv2.warpAffine(
        cv2.merge([slope, shift, *cues]),  # four channels are much faster than two and two
        to_full,
        (full.shape[1], full.shape[0]),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    slope, shift, *others = cv2.split(wide)
    found = cv2.add(cv2.multiply(slope, full, dtype=cv2.CV_32F), shift)
    first, second, third = (np.asarray(one, np.float32) for one in (np.clip(found, 0, 1), *others))
    return first, second, third
