"""Making a portrait belong to its new surroundings: light, sharpness and grain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from streamanon.types import F32, U8

GAIN_LIMITS = (0.55, 1.35)
"""How far light scales the portrait's contrast; what is left of the difference is added."""

MAX_BLUR_PX = 3.0
LEAST_GRAIN, MAX_GRAIN = 0.5, 5.0
"""Standard deviations below which grain is not seen, and that it never exceeds."""

NORMAL_MAD, FINE_SHARE = 0.6745, 0.87
"""Of a normal distribution: its median absolute deviation over its standard deviation, and the
share of white noise's deviation that a 1 px blur removes."""

LIT_SKIN_BGR = (110.0, 132.0, 178.0)
"""Mean colour of skin in the light the portraits were taken in."""

SHARPER = 1.2
"""How much more fine detail than the frame's face is let through: skin hides it, eyes need it."""

LIGHT_SIZE = 48
"""Side in px of the small face space on which light is compared."""


def light_transfer(source: U8, warped: U8, skin: F32, sigma_px: float) -> F32:
    """Return the gain and bias that put the portrait into the frame's light.

    Both faces are blurred far beyond their features (normalised convolution over the skin), so
    only the slow change of light and tone over the face moves from source to portrait.

    Args:
        source: (n, n, 3) uint8 BGR face of the frame.
        warped: (n, n, 3) uint8 BGR portrait in the same place.
        skin: (n, n) float32 weight, 1 on skin seen in both, 0 on eyes, mouth and background.
        sigma_px: standard deviation of the blur.

    Returns:
        (n, n, 6) float32: BGR gain, then BGR bias in 0..255, finite everywhere.
    """
    weight = skin[:, :, None]
    stack = np.concatenate([source * weight, warped * weight, weight], axis=2).astype(np.float32)
    # Far from skin the blur runs dry and leans on the mean of the whole face.
    slow = cv2.GaussianBlur(stack, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    slow = slow + 0.02 * stack.mean(axis=(0, 1)) + 1e-6
    wanted, given = slow[:, :, 0:3] / slow[:, :, 6:], slow[:, :, 3:6] / slow[:, :, 6:]
    gain = np.clip((wanted + 4.0) / (given + 4.0), *GAIN_LIMITS)
    return np.concatenate([gain, wanted - gain * given], axis=2).astype(np.float32)


def fine(image: U8) -> F32:
    """Return (h, w) float32: what a 1 px blur removes from the luma of a (h, w, 3) BGR image."""
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
    return np.asarray(luma - cv2.GaussianBlur(luma, (0, 0), 1.0), np.float32)


def fine_detail(removed: F32, mask: F32) -> float:
    """Return how much fine detail a face holds, as RMS in 8 bit levels.

    Args:
        removed: (h, w) float32, from :func:`fine`.
        mask: (h, w) float32 weight.
    """
    return float(np.sqrt((removed * removed * mask).sum() / max(float(mask.sum()), 1e-6)))


def noise(removed: F32, mask: F32) -> float:
    """Return the standard deviation of a face's noise, in 8 bit levels.

    Judged by the calmer half of it (the median absolute deviation), so that lashes, brows and
    whatever passes before a face do not count.

    Args:
        removed: (h, w) float32, from :func:`fine`.
        mask: (h, w) float32, above a half where the face is.
    """
    there = np.abs(removed[mask > 0.5])
    return float(np.median(there)) / (NORMAL_MAD * FINE_SHARE) if there.size else 0.0


def soften(image: U8, sigma_px: float) -> U8:
    """Blur an image; below a third of a pixel it is returned as it is."""
    if sigma_px < 0.34:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def refocused(blur_px: float, wanted: float, got: float) -> float:
    """Return the blur to use next in px, one step nearer to the frame's sharpness.

    Args:
        blur_px: standard deviation of the blur in use.
        wanted: fine detail of the frame's face (:func:`fine_detail`).
        got: fine detail of the portrait after that blur.
    """
    ratio = got / max(SHARPER * wanted, 0.3)
    step = float(np.clip(np.log2(max(ratio, 0.1)), -0.5, 0.5))
    return float(np.clip(blur_px + 0.6 * step, 0.0, MAX_BLUR_PX))


def grain(wanted: float, got: float) -> float:
    """Return the standard deviation of what makes a portrait as noisy as the frame, 8 bit levels.

    Args:
        wanted: the frame's (:func:`noise`).
        got: the portrait's.
    """
    lacking = min(float(np.sqrt(max(wanted * wanted - got * got, 0.0))), MAX_GRAIN)
    return lacking if lacking >= LEAST_GRAIN else 0.0
