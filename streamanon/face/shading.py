"""Measuring and matching light, sharpness and noise between a portrait and a frame."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.bare_skin import darkness
from streamanon.face.warp import RASTER, FaceSpace
from streamanon.types import F32, U8

GAIN_LIMITS = (0.55, 1.35)
"""Range of the gain on the portrait; the rest of the difference in light becomes bias."""

MAX_BLUR_PX = 3.0
MIN_GRAIN, MAX_GRAIN = 0.5, 16.0
"""Standard deviations below which no grain is added, and which it never exceeds."""

NORMAL_MAD, FINE_SHARE = 0.6745, 0.87
"""Median absolute deviation over standard deviation of a normal distribution, and the share of
white noise's standard deviation that a 1 px blur removes."""

CALM_PX, CALM, CALM_NORMAL = 8, 0.25, 0.75
"""Side of the cells that noise is measured in, share of them that is calm, and what the mean
absolute deviation of the last of these is of noise of unit standard deviation."""

FINENESS, COARSE, COARSEST_PX = (0.3, 0.6), 0.6, 0.6
"""Share of noise in the finest structure, in that of white noise, up to which it is pores and what
compression left (0.25 in photographs of LFW), and from which all of it is noise; how much of the
former a portrait gets, as all of it looks like freckles; and the blur of such grain, in px."""

BLURRED = 0.39
"""What :func:`noise` measures of white noise after a blur of COARSEST_PX."""

_FINEST = np.outer((1, -2, 1), (1, -2, 1)).astype(np.float32) / 6
"""Sees noise and hardly any structure (J. Immerkaer, "Fast Noise Variance Estimation", Computer
Vision and Image Understanding 64(2), 1996); of unit gain for white noise."""

DETAIL_FACTOR = 1.2
"""Ratio of fine detail to the frame's face that is allowed: skin hides the excess, eyes need it."""

TEXTURE_SIZE, TEXTURE_BAND_PX = 96, (0.8, 3.0)
"""Side to which the middle of a face is scaled before the texture of its skin is measured, and the
standard deviations of the blurs between which texture lies, in px of that."""

SMOOTHNESS, SMOOTHING = (0.0, 0.5, 1.0), 2.0
"""Shares of a portrait's texture that may be left out, few as each needs a copy of the portrait;
and what share is needed for each share of texture too much, as lines of a face stay."""

SLOW = 0.25
"""Standard deviation of the blur that leaves only light, in eye distances."""

CONTRAST_LIMITS = (0.4, 1.1)
"""Range of the factor that gives a portrait the contrast of the frame's face, or less of it where
brows are pale, lips are, or skin has no lines."""

CONTRAST_SPREAD, CONTRAST_PRIOR = 0.15, 0.05
"""How far around a place its contrast is measured, in eye distances, and the weight of the whole
face's."""

PALEST_BROWS, BROWS_GROWN, BROWS_DARKEST = 0.35, 0.1, 0.25
"""Least share of its brows' contrast that a portrait keeps; by how much brows are grown to find the
frame's, in eye distances, as those lie elsewhere; and the share of that which is taken for hair."""

SKIN_FROM, RIM_TO = 0.08, 0.2
"""Distances from the edge, in eye distances, where skin is sure to begin and the rim ends."""

RIM_LEVELS, RIM_SPREAD, RIM_PRIOR = 30.0, 0.12, 0.1
"""What differs at the rim by many more levels is hair or cloth and counts no more; how far the rest
is spread inwards, in eye distances; the weight with which nothing is changed."""

HAIRY, LEAST_WEIGHT, LEAST_SKIN_PX = 2.0, 0.15, 100
"""Distance from skin, in standard deviations, at which a darker pixel of a new face tells little of
its light, as beards and brows are dark in any; the weight it keeps, as it may be in a shadow; and
px of skin without which that is not judged."""

LIGHT_SIZE = 48
"""Side in px of the reduced face space on which light is compared."""

HIDDEN, LEAST_SEEN, SEEN_SPREAD = 0.3, 1e-4, 2.0
"""Probability that something is in front from which on a place says nothing of the light; the
weight it keeps, so that a face behind something gets some light; and how far what is known of a
point of the mesh reaches, in px of the reduced face space."""


@dataclass(frozen=True)
class Areas:
    """Where what is on a face, as weights of 0 to 1, (n, n) float32 each.

    Attributes:
        skin: skin visible in both faces; 0 on eyes, mouth and background.
        face: the face with its features.
        rim: the rim of the face.
        brows: the brows and close to them.
    """

    skin: F32
    face: F32
    rim: F32
    brows: F32


def light_field(
    space: FaceSpace,
    depth: F32,
    source: U8,
    given: U8,
    in_front: F32 | None,
) -> F32:
    """Return the gain and bias that put a new face into the frame's light and contrast.

    Args:
        space: face space of the source.
        depth: (RASTER, RASTER) float32 distance from the face's edge in px.
        source: (RASTER, RASTER, 3) uint8 BGR frame, in face space.
        given: (RASTER, RASTER, 3) uint8 BGR new face, in face space.
        in_front: (468,) float32 probability that a hand or a thing is in front of each point of the
            mesh, which says nothing of the light on the face; None where that is not known.

    Returns:
        (LIGHT_SIZE, LIGHT_SIZE, 6) float32 as of :func:`light_transfer`.
    """
    inside = depth / space.eye_distance
    skin = np.asarray(inside > SKIN_FROM, np.uint8)
    _fill(skin, space, (lm.INNER_LIPS, lm.RIGHT_EYE, lm.LEFT_EYE), 0)
    weights = (skin, inside > SKIN_FROM, (inside > 0) & (inside < RIM_TO))
    bare, face, rim = map(_shrunk, weights)
    if in_front is not None:
        seen = _seen(space, in_front)
        bare, face, rim = bare * seen, face * seen, rim * seen
    frame, drawn = _shrunk(source), _shrunk(given)
    bald = without_hair(drawn, bare) * without_hair(frame, bare)
    bare, rim = bare * bald, rim * bald
    eye_px = space.eye_distance * LIGHT_SIZE / depth.shape[0]
    areas = Areas(bare, face, rim, _shrunk(_brows(space)) * face)
    return light_transfer(frame, drawn, areas, eye_px=eye_px)


def _brows(space: FaceSpace) -> U8:
    """Return (RASTER, RASTER) uint8: 1 on the brows and close to them, but not on the eyes."""
    mask = np.zeros((RASTER, RASTER), np.uint8)
    grown = 2 * round(BROWS_GROWN * space.eye_distance) + 1
    _fill(mask, space, (lm.RIGHT_BROW, lm.LEFT_BROW), 1)
    mask = np.asarray(cv2.dilate(mask, np.ones((grown, grown), np.uint8)), np.uint8)
    _fill(mask, space, (lm.RIGHT_EYE, lm.LEFT_EYE), 0)
    return mask


def _fill(mask: U8, space: FaceSpace, outlines: Iterable[Sequence[int]], value: int) -> None:
    """Draw the hulls of points of the mesh into a (RASTER, RASTER) mask, in place."""
    for outline in outlines:
        hull = cv2.convexHull(np.rint(space.points[list(outline)]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, value)


def _seen(space: FaceSpace, in_front: F32) -> F32:
    """Return (LIGHT_SIZE, LIGHT_SIZE) float32: where a face is seen, 0..1, by its points."""
    cell = RASTER / LIGHT_SIZE
    at = np.clip((space.points[: len(in_front)] / cell).astype(np.int64), 0, LIGHT_SIZE - 1)
    stack = np.zeros((LIGHT_SIZE, LIGHT_SIZE, 2), np.float32)
    np.add.at(stack, (at[:, 1], at[:, 0]), np.column_stack([in_front, np.ones_like(in_front)]))
    near = cv2.GaussianBlur(stack, (0, 0), SEEN_SPREAD)
    hidden = near[:, :, 0] / (near[:, :, 1] + 1e-6)
    return np.asarray(np.clip(1 - hidden / HIDDEN, LEAST_SEEN, 1), np.float32)


def without_hair(given: F32, skin: F32) -> F32:
    """Return (n, n) float32 weight: less where a face has a beard, a brow or other hair.

    Args:
        given: (n, n, 3) float32 BGR face.
        skin: (n, n) float32 weight of what may be skin.
    """
    inside = np.asarray(skin > 0.5, np.uint8)
    if inside.sum() < LEAST_SKIN_PX:
        return np.ones_like(skin)
    weight = np.exp(-((darkness(given, inside) / HAIRY) ** 2))
    return np.asarray(np.maximum(weight, LEAST_WEIGHT), np.float32)


def _shrunk(image: NDArray[Any]) -> F32:
    small = cv2.resize(
        image.astype(np.float32), (LIGHT_SIZE, LIGHT_SIZE), interpolation=cv2.INTER_AREA
    )
    return np.asarray(small, np.float32)


def light_transfer(source: F32, given: F32, areas: Areas, *, eye_px: float) -> F32:
    """Return the gain and bias that put the portrait into the frame's light and contrast.

    Both faces are blurred far beyond their features (normalised convolution over the skin), so
    only the low frequencies of light and tone are transferred from source to portrait, and how
    strong the contrast of features is around a place. What still differs at the rim is spread
    inwards.

    Args:
        source: (n, n, 3) float32 BGR face of the frame.
        given: (n, n, 3) float32 BGR portrait in the same place.
        areas: where skin, rim and brows are.
        eye_px: distance between the eyes.

    Returns:
        (n, n, 6) float32: BGR gain, then BGR bias in 0..255, finite everywhere.
    """
    weight = areas.skin[:, :, None]
    stack = np.concatenate([source * weight, given * weight, weight], axis=2).astype(np.float32)
    # Far from skin the weights vanish; there the mean of the whole face takes over.
    slow = cv2.GaussianBlur(stack, (0, 0), SLOW * eye_px, borderType=cv2.BORDER_CONSTANT)
    slow = slow + 0.02 * stack.mean(axis=(0, 1)) + 1e-6
    wanted, had = slow[:, :, 0:3] / slow[:, :, 6:], slow[:, :, 3:6] / slow[:, :, 6:]
    gain = np.clip((wanted + 4.0) / (had + 4.0), *GAIN_LIMITS)
    contrasts = [
        (_mean(image - low) ** 2) * areas.face
        for image, low in ((source, wanted), (gain * given, gain * had))
    ]
    whole = float(np.sqrt(contrasts[0].sum() / max(float(contrasts[1].sum()), 1e-3)))
    near, drawn = (
        cv2.GaussianBlur(one, (0, 0), CONTRAST_SPREAD * eye_px) + CONTRAST_PRIOR * one.mean() + 1e-3
        for one in contrasts
    )
    contrast = np.clip(np.minimum(np.sqrt(near / drawn), max(whole, 1.0)), *CONTRAST_LIMITS)
    darker = [_mean(low - image) for image, low in ((source, wanted), (given, had))]
    paler = _contrast_of_brows(darker[0], _mean(gain) * darker[1], areas.brows)
    contrast += areas.brows * (np.minimum(contrast, paler) - contrast)
    gain *= contrast[:, :, None]
    bias = wanted - gain * had
    left = source - (gain * given + bias)
    sure = areas.rim * np.exp(-((_mean(left) / RIM_LEVELS) ** 2))
    sure = np.asarray(sure, np.float32)[:, :, None]
    spread = cv2.GaussianBlur(
        np.concatenate([left * sure, sure], axis=2), (0, 0), RIM_SPREAD * eye_px
    )
    bias += spread[:, :, :3] / (spread[:, :, 3:] + RIM_PRIOR)
    return np.concatenate([gain, bias], axis=2).astype(np.float32)


def _mean(image: F32) -> F32:
    """Return the (n, n) mean of the channels of (n, n, 3): an eighth of the time of NumPy's."""
    return np.asarray(
        (image[:, :, 0] + image[:, :, 1] + image[:, :, 2]) / np.float32(3), np.float32
    )


def _contrast_of_brows(wanted: F32, given: F32, brows: F32) -> float:
    """Return the factor that gives a portrait's brows no more contrast than the frame's have.

    Args:
        wanted: (n, n) float32 levels by which the frame's face is darker than its skin around.
        given: (n, n) float32 of the portrait.
        brows: (n, n) float32 weight of where brows may be.
    """
    there = brows > 0.5
    if not there.any():
        return 1.0
    hair = 1 - BROWS_DARKEST / 2
    darkest = [max(float(np.quantile(one[there], hair)), 1.0) for one in (wanted, given)]
    return float(np.clip(darkest[0] / darkest[1], PALEST_BROWS, 1.0))


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

    Noise is everywhere, wrinkles, lashes and beards are not: what counts is how much there is in
    the calmest quarter of a face (after Immerkaer, below; the median of all took stubble for it).

    Args:
        fine: (h, w) float32 from :func:`high_pass`.
        mask: (h, w) float32, above a half where the face is.
    """
    size = (max(fine.shape[1] // CALM_PX, 1), max(fine.shape[0] // CALM_PX, 1))
    inside = np.asarray(mask > 0.5, np.float32)
    found, share = (
        np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)
        for part in (np.abs(fine) * inside, inside)
    )
    there = found[share > 0.5] / share[share > 0.5]
    return float(np.quantile(there, CALM)) / (CALM_NORMAL * FINE_SHARE) if there.size else 0.0


def whiteness(fine: F32, mask: F32, level: float) -> float:
    """Return the share of a face's noise that is white, 0..1; the rest is coarser.

    Args:
        fine: (h, w) float32 from :func:`high_pass`.
        mask: (h, w) float32, above a half where the face is.
        level: how strong the noise is (:func:`noise`).
    """
    finest = np.abs(np.asarray(cv2.filter2D(fine, -1, _FINEST))[mask > 0.5])
    if not finest.size:
        return 1.0
    fineness = float(np.median(finest)) / NORMAL_MAD / max(level, 1e-6)
    return float(np.interp(fineness, FINENESS, (0, 1)))


def grain(size: tuple[int, ...], level: float, white: float) -> F32:
    """Return (h, w) float32 noise in 8 bit levels, a share of it white."""
    made: F32 = np.empty(size, np.float32)
    cv2.randn(made, np.zeros(1), np.full(1, level))
    if white == 1:
        return made
    coarse = cv2.GaussianBlur(made, (0, 0), COARSEST_PX)
    return np.asarray(white * made + (1 - white) * COARSE / BLURRED * coarse, np.float32)


def skin_texture(image: U8, mask: F32) -> float:
    """Return how much texture a face's skin has, as a share of its lightness.

    A band of frequencies between pores and shapes, by its median, so that features do not count.

    Args:
        image: (h, w, 3) uint8 BGR face.
        mask: (h, w) float32, above a half where the face is.
    """
    size = (TEXTURE_SIZE, TEXTURE_SIZE)
    luma = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY)
    luma = luma.astype(np.float32)
    there = np.asarray(cv2.resize(mask, size)) > 0.5
    if not there.any():
        return 0.0
    fine, coarse = (cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in TEXTURE_BAND_PX)
    band = np.abs(np.asarray(fine - coarse)[there])
    return float(np.median(band)) / max(float(np.median(luma[there])), 8.0)


def soften(image: U8, sigma_px: float) -> U8:
    """Blur an image; below a third of a pixel it is returned unchanged."""
    if sigma_px < 0.34:
        return image
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px), np.uint8)


def next_smoothness(wanted: float, got: float) -> float:
    """Return the share of a portrait's texture to leave out, one of :data:`SMOOTHNESS`.

    Args:
        wanted: texture of the frame's face (:func:`skin_texture`).
        got: texture of the portrait.
    """
    needed = SMOOTHING * (1 - wanted / max(got, 1e-6))
    return min(SMOOTHNESS, key=lambda share: abs(share - needed))


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
    """Return the standard deviation of the noise that a portrait lacks, in 8 bit levels."""
    lacking = min(float(np.sqrt(max(wanted * wanted - got * got, 0.0))), MAX_GRAIN)
    return lacking if lacking >= MIN_GRAIN else 0.0
