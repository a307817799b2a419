"""Measuring and matching light, sharpness and noise between a portrait and a frame."""

import cv2
import numpy as np

from streamanon.types import F32, U8

GAIN_LIMITS = (0.55, 1.35)
"""Range of the gain on the portrait; the rest of the difference in light becomes bias."""

MAX_BLUR_PX = 3.0
MIN_GRAIN, MAX_GRAIN = 0.5, 5.0
"""Standard deviations below which no grain is added, and which it never exceeds."""

NORMAL_MAD, FINE_SHARE = 0.6745, 0.87
"""Median absolute deviation over standard deviation of a normal distribution, and the share of
white noise's standard deviation that a 1 px blur removes."""

LIT_SKIN_BGR = (110.0, 132.0, 178.0)
"""Mean colour of skin in the light the portraits were taken in."""

DETAIL_FACTOR = 1.2
"""Ratio of fine detail to the frame's face that is allowed: skin hides the excess, eyes need it."""

LIGHT_SIZE = 48
"""Side in px of the reduced face space on which light is compared."""


def light_transfer(source: U8, warped: U8, skin: F32, sigma_px: float) -> F32:
    """Return the gain and bias that put the portrait into the frame's light.

    Both faces are blurred far beyond their features (normalised convolution over the skin), so
    only the low frequencies of light and tone are transferred from source to portrait.

    Args:
        source: (n, n, 3) uint8 BGR face of the frame.
        warped: (n, n, 3) uint8 BGR portrait in the same place.
        skin: (n, n) float32 weight, 1 on skin visible in both, 0 on eyes, mouth and background.
        sigma_px: standard deviation of the blur.

    Returns:
        (n, n, 6) float32: BGR gain, then BGR bias in 0..255, finite everywhere.
    """
    weight = skin[:, :, None]
    stack = np.concatenate([source * weight, warped * weight, weight], axis=2).astype(np.float32)
    # Far from skin the weights vanish; there the mean of the whole face takes over.
    slow = cv2.GaussianBlur(stack, (0, 0), sigma_px, borderType=cv2.BORDER_CONSTANT)
    slow = slow + 0.02 * stack.mean(axis=(0, 1)) + 1e-6
    wanted, given = slow[:, :, 0:3] / slow[:, :, 6:], slow[:, :, 3:6] / slow[:, :, 6:]
    gain = np.clip((wanted + 4.0) / (given + 4.0), *GAIN_LIMITS)
    return np.concatenate([gain, wanted - gain * given], axis=2).astype(np.float32)


def high_pass(image: U8) -> F32:
    """Return (h, w) float32: luma of a (h, w, 3) BGR image, high-pass filtered by a 1 px blur."""
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
    return np.asarray(luma - cv2.GaussianBlur(luma, (0, 0), 1.0), np.float32)


def fine_detail(fine: F32, mask: F32) -> float:
    """Return the fine detail of a face, as RMS in 8 bit levels.

    Args:
        fine: (h, w) float32 from :func:`high_pass`.
        mask: (h, w) float32 weight.
    """
    return float(np.sqrt((fine * fine * mask).sum() / max(float(mask.sum()), 1e-6)))


def noise(fine: F32, mask: F32) -> float:
    """Return the standard deviation of a face's noise, in 8 bit levels.

    Estimated by the median absolute deviation, so that lashes, brows and occluders do not count.

    Args:
        fine: (h, w) float32 from :func:`high_pass`.
        mask: (h, w) float32, above a half where the face is.
    """
    there = np.abs(fine[mask > 0.5])
    return float(np.median(there)) / (NORMAL_MAD * FINE_SHARE) if there.size else 0.0


def soften(image: U8, sigma_px: float) -> U8:
    """Blur an image; below a third of a pixel it is returned unchanged."""
    if sigma_px < 0.34:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def next_blur_px(blur_px: float, wanted: float, got: float) -> float:
    """Return the next blur in px, one step nearer to the frame's sharpness.

    Args:
        blur_px: standard deviation of the blur in use.
        wanted: fine detail of the frame's face (:func:`fine_detail`).
        got: fine detail of the portrait after that blur.
    """
    ratio = got / max(DETAIL_FACTOR * wanted, 0.3)
    step = float(np.clip(np.log2(max(ratio, 0.1)), -0.5, 0.5))
    return float(np.clip(blur_px + 0.6 * step, 0.0, MAX_BLUR_PX))


def missing_grain(wanted: float, got: float) -> float:
    """Return the standard deviation of the noise that a portrait lacks, in 8 bit levels.

    Args:
        wanted: noise of the frame (:func:`noise`).
        got: noise of the portrait.
    """
    lacking = min(float(np.sqrt(max(wanted * wanted - got * got, 0.0))), MAX_GRAIN)
    return lacking if lacking >= MIN_GRAIN else 0.0
