"""How much of a face's fine structure another picture keeps."""

import cv2
import numpy as np

from streamanon.imaging.crop import crop_square
from streamanon.types import F32, Picture

_RASTER_PX = 64
"""Side of the raster on which the structure of a face box is compared."""

_BAND = (0.7, 3.0)
"""Standard deviations, raster px, between which structure lies: eyelids, nostrils, lips, beard."""

_HALVES = np.s_[14:30, 12:52], np.s_[34:54, 12:52]
"""Rows and columns of the eyes, and of nose and mouth: the inside of a box, without hair."""


def kept_structure(before: Picture, after: Picture, box: F32) -> float:
    """Return the share of a face's fine structure that is kept, -1..1; 1 is all of it.

    The structure is a band of the luma inside the box. Its kept part is ``2 cov / (var + var')``,
    the contrast and structure terms of SSIM (Wang et al., 2004) without their constants: 1 for the
    same pixels at any brightness, near 0 for other pixels, flat ones, and a blur that leaves only
    outlines. The greater value of two halves counts, eyes or nose and mouth: half a face is a leak.
    """
    first, second = (_structure(picture, box) for picture in (before, after))
    return max(_agreement(first[half], second[half]) for half in _HALVES)


def _structure(picture: Picture, box: F32) -> F32:
    """Return (_RASTER_PX, _RASTER_PX) float32: the band of a box that distinguishes faces."""
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0], [x1, y0], [x0, y1]], np.float32) - 0.5
    luma = cv2.cvtColor(crop_square(picture, corners, _RASTER_PX), cv2.COLOR_BGR2GRAY).astype(
        np.float32
    )
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in _BAND)
    return np.asarray(fine - coarse, np.float32)


def _agreement(a: F32, b: F32) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float((a * a).mean() + (b * b).mean())
    return 2 * float((a * b).mean()) / power if power > 0 else 1.0
