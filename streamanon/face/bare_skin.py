"""Bare and evenly lit skin on a portrait: what a moving face may stretch or uncover.

A turned head shows much of one cheek, and stretches what a portrait holds there. Skin is predicted
by a low polynomial over the face, fitted to the skin well inside it; what differs from that and
touches the rim (hair, cloth, background, highlights of the sky) is replaced by the prediction, with
the tone of the skin beside it and its noise. What the light of a portrait leaves dark, between the
brows and beside the nose, is lifted towards the prediction: light in a frame comes from elsewhere.
Hues are evened between the middle of the face and its rim. A shut eye stretches the skin above it
over the lid (:mod:`streamanon.face.lids`): the shadow of the brow there is lifted to the
prediction. What shows between lips becomes lips: teeth that the mesh does not enclose would be a
ragged line in a shut mouth. And skin may be as smooth as the skin it replaces.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.face.irises import without_irises
from streamanon.types import F32, U8, Identity

INSIDE, DEEPEST = 0.22, 0.45
"""Distances from the outline in distances between the eyes: where skin is sure to begin, and how
far inwards something may reach."""

STRANGE, ABOVE_EYES = 4.0, 3.0
"""Distances from the predicted colour in standard deviations beyond which it is not skin: in all of
the face, and above the eyes, where there are no folds but the shadow of hair."""

COLD = 4.0
"""How much bluer than predicted (CIELAB) a highlight is not skin: another light than the face's."""

MIN_DEVIATION = np.array([3.0, 1.5, 1.5], np.float32)
"""Lower limit of the standard deviations of skin, in CIELAB."""

LAB_WEIGHTS = np.array([0.6, 0.8, 0.8], np.float32)
GROWTH, TONE, SOFTNESS = 0.05, 0.08, 0.02
"""How far what is found is grown, the blur of the tone that continues and of the edge of what is
painted, in distances between the eyes."""

BEYOND = 0.1
"""How far beyond the outline skin is painted: of a turned head the mesh reaches over it."""

GRAIN_PX = 2.0
"""Standard deviation of the blur that leaves only the grain of skin."""

FITS = 4
"""Rounds of the robust fit."""

FRECKLE, ALIKE = 0.06, 28.0
"""Standard deviations of the bilateral filter that leaves skin without texture: in distances
between the eyes, and in 8 bit levels."""

TAIL = 1.0
"""Share by which the outer end of a brow is cut off before it counts as brow: hair beside it is
as dark."""

LID_LIFT, LID_TONE, LID_SOFTNESS = 0.8, 0.03, 0.03
"""Share of the shadow above an eye that is lifted, the blur that leaves its tone, and of the edge
of what is lifted, in distances between the eyes."""

EVENING_LIMITS = (0.6, 1.7)
"""Range of the gain that takes light from one side out of a portrait."""

HUES_KEPT = 0.3
"""How much stays of what a portrait's hue differs between the middle and the rim of its face."""

_SIDEWAYS = (1, 5)
"""Terms of the polynomial by which the sides of a face differ."""

SHADOW, SHADOW_KEPT = 0.1, 0.5
"""How much darker than predicted, as a share, skin may be, and how much of what is beyond stays."""

SHADOW_BLUR, SHADOW_SOFTNESS = 0.05, 0.03
"""Blur that leaves shadows without wrinkles, and of the edge of what is lifted, in distances
between the eyes."""

LIPS_APART = 0.02
"""Gap between the lips of a portrait, in widths of its mouth, from which something shows there."""

PALE, TOOTH_LIGHT = 0.72, 1.1
"""Green over red, and brightness in that of lips, from which a pixel between them is a tooth."""

BETWEEN_GROWTH, LIP_TONE, LIP_SHADE = 0.025, 0.05, 0.35
"""How far what shows between lips is grown, the blur of the tone of lips, in widths of the mouth,
and how much darker it is where they meet."""

_OVAL = list(lm.FACE_OVAL)
_EYE_CORNERS = (lm.RIGHT_EYE_OUTER, lm.LEFT_EYE_OUTER)
_NOSTRILS = (98, 327, 2, 97, 326)
_FEATURES = (lm.RIGHT_EYE, lm.LEFT_EYE, lm.OUTER_LIPS, _NOSTRILS)
_BROWS = (lm.RIGHT_BROW, lm.LEFT_BROW)
_BROW_TAILS = (((70, 46), (63, 53)), ((300, 276), (293, 283)))
"""Outer end of each brow, and the points beside it."""

_ABOVE_EYES = (
    (lm.RIGHT_LID_CREASE, lm.RIGHT_BROW_BONE),
    (lm.LEFT_LID_CREASE, lm.LEFT_BROW_BONE),
)
"""Crease of each upper lid and the brow bone, in the same direction."""


def bare_portrait(identity: Identity) -> U8:
    """Return the (h, w, 3) uint8 BGR portrait of an identity to be warped.

    It has skin up to its outline, shut lips, and no irises.
    """
    bearded = identity.p_female < 0.5
    points = identity.mesh.points
    bare = with_bare_skin(identity.portrait, points, bearded=bearded)
    return without_irises(with_lips_shut(bare, points), points)


def with_bare_skin(image: U8, points: F32, *, bearded: bool) -> U8:
    """Return a portrait whose face is skin up to its outline, and lit evenly above its eyes.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, its mesh.
        bearded: leave what lies below the nose: it may be a beard.
    """
    eye_px = lm.inter_ocular_px(points)
    oval = points[_OVAL, :2]
    face = _filled([oval], image.shape[:2])
    features = cv2.bitwise_or(
        cv2.dilate(_features(points, _FEATURES, image.shape), _disc(0.06 * eye_px)),
        cv2.dilate(_features(_without_tails(points), _BROWS, image.shape), _disc(0.015 * eye_px)),
    )
    depth = np.asarray(cv2.distanceTransform(face, cv2.DIST_L2, 5)) / eye_px
    plain = (face > 0) & (features == 0)
    smooth = cv2.GaussianBlur(image, (0, 0), SOFTNESS * eye_px).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_BGR2LAB), np.float32)
    basis = _basis(oval, image.shape[:2])
    terms, skin, distance = _predicted(lab, basis, plain & (depth > INSIDE))
    limit = np.full((len(image), 1), STRANGE, np.float32)
    limit[: int(points[list(_EYE_CORNERS), 1].min())] = ABOVE_EYES
    cold = skin[:, :, 2] - lab[:, :, 2] > COLD
    strange = ((distance > limit) | cold) & plain & (depth < DEEPEST)
    if bearded:
        strange[int(points[lm.NOSE_TIP, 1]) :] = False
    hidden = _touching((face == 0) | (depth < SOFTNESS), strange)
    hidden = np.asarray(cv2.dilate(hidden, _disc(GROWTH * eye_px)), np.uint8)
    hidden[(features > 0) | (cv2.dilate(face, _disc(BEYOND * eye_px)) == 0)] = 0
    colour = np.asarray(cv2.cvtColor(skin, cv2.COLOR_LAB2BGR), np.float32) * 255
    painted = _continued(image, colour, plain & (hidden == 0), TONE * eye_px)
    alpha = cv2.GaussianBlur(hidden.astype(np.float32), (0, 0), SOFTNESS * eye_px)[:, :, None]
    bare = np.asarray(np.clip(image * (1 - alpha) + painted * alpha, 0, 255), np.uint8)
    lit = _with_lit_lids(bare, points, skin, eye_px)
    terms[list(_SIDEWAYS)] = 0
    middle = basis @ terms
    terms[1:, 1:] *= HUES_KEPT
    terms[0, 1:] += (middle - basis @ terms)[plain].mean(axis=0)[1:]
    even = np.clip(basis @ terms, skin.min(axis=(0, 1)), skin.max(axis=(0, 1))).astype(np.float32)
    gain = (cv2.cvtColor(even, cv2.COLOR_LAB2BGR) + 0.02) / (colour / 255 + 0.02)
    lit = np.asarray(np.clip(lit * np.clip(gain, *EVENING_LIMITS), 0, 255), np.uint8)
    if bearded:
        plain[int(points[lm.NOSE_TIP, 1]) :] = False
    return _with_shadows_lifted(lit, np.asarray(even, np.float32), plain, eye_px)


def with_lips_shut(image: U8, points: F32) -> U8:
    """Return a portrait with lips in place of what shows between them.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 2 or 3) float32 px, its mesh.
    """
    corners = points[[lm.UPPER_INNER_LIP[0], lm.UPPER_INNER_LIP[-1]], :2]
    width = float(np.hypot(*(corners[1] - corners[0])))
    inner = np.rint(points[list(lm.INNER_LIPS), :2]).astype(np.int32)
    if cv2.contourArea(inner) < LIPS_APART * width * width / 2:
        return image
    between = cv2.fillPoly(np.zeros(image.shape[:2], np.uint8), [inner], 255)
    grown = cv2.dilate(between, _disc(BETWEEN_GROWTH * width))
    mouth = _features(points, (lm.OUTER_LIPS,), image.shape)
    blue, green, red = cv2.split(image.astype(np.float32))
    light = (blue + green + red) / 3
    lips = (mouth > 0) & (grown == 0)
    if not lips.any():
        return image
    tooth = (green > PALE * red) & (light > TOOTH_LIGHT * np.median(light[lips])) & (mouth > 0)
    near = cv2.dilate(between, _disc(4 * BETWEEN_GROWTH * width)) > 0
    found = cv2.dilate((tooth & near).astype(np.uint8) * 255, _disc(BETWEEN_GROWTH * width))
    hidden = np.asarray(cv2.bitwise_and(cv2.bitwise_or(grown, found), mouth), np.uint8)
    known = ((mouth > 0) & (hidden == 0)).astype(np.float32)
    tone = _blurred_within(image.astype(np.float32), known, LIP_TONE * width)
    soft_px = max(0.5 * BETWEEN_GROWTH * width, 0.5)
    meet, alpha = (
        cv2.GaussianBlur(part.astype(np.float32) / 255, (0, 0), soft_px)[:, :, None]
        for part in (between, hidden)
    )
    shut = image + alpha * (tone * (1 - LIP_SHADE * meet) - image)
    return np.asarray(np.clip(np.rint(shut), 0, 255), np.uint8)


def _with_shadows_lifted(image: U8, even: F32, plain: NDArray[np.bool_], eye_px: float) -> U8:
    """Return a portrait with less of the shadows of its light.

    Args:
        image: (h, w, 3) uint8 BGR.
        even: (h, w, 3) float32 CIELAB, its skin as predicted.
        plain: (h, w) where there is skin.
        eye_px: distance between the eyes.
    """
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)
    weight = plain.astype(np.float32)
    smooth = _blurred_within(lab, weight, SHADOW_BLUR * eye_px)
    missing = 1 - smooth[:, :, 0] / np.maximum(even[:, :, 0], 1) - SHADOW
    shaded = (missing > 0) & plain
    alpha = cv2.GaussianBlur(shaded.astype(np.float32), (0, 0), SHADOW_SOFTNESS * eye_px) * weight
    lift = alpha * (1 - SHADOW_KEPT) * np.maximum(missing, 0)
    gain = lift * even[:, :, 0] / np.maximum(smooth[:, :, 0], 1)
    lab[:, :, 0] *= 1 + np.minimum(gain, 1)
    lab[:, :, 1:] += np.minimum(4 * gain, 1)[:, :, None] * (even - smooth)[:, :, 1:]
    lit = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.float32)
    return np.asarray(np.clip(lit * 255, 0, 255), np.uint8)


def _with_lit_lids(image: U8, points: F32, skin: F32, eye_px: float) -> U8:
    """Return a portrait without the shadow between its eyes and brows.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, its mesh.
        skin: (h, w, 3) float32 CIELAB, predicted.
        eye_px: distance between its eyes.
    """
    band = np.zeros(image.shape[:2], np.float32)
    for crease, bone in _ABOVE_EYES:
        outline = np.concatenate([points[list(crease), :2], points[list(bone), :2][::-1]])
        cv2.fillPoly(band, [np.rint(outline).astype(np.int32)], 1.0)
    lab = np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB), np.float32)
    tone = _blurred_within(lab, band, LID_TONE * eye_px)
    soft = cv2.GaussianBlur(band, (0, 0), LID_SOFTNESS * eye_px)
    lab += LID_LIFT * np.minimum(2 * soft, 1)[:, :, None] * (skin - tone)
    lit = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR), np.float32) * 255
    return np.where(soft[:, :, None] > 0.01, np.clip(lit, 0, 255), image).astype(np.uint8)


def _blurred_within(values: F32, mask: F32, sigma_px: float) -> F32:
    """Return (h, w, 3) float32 values, blurred over (h, w) mask only; its mean far from it."""
    weight = mask[:, :, None] + 1e-6
    blurred = cv2.GaussianBlur(np.concatenate([values * weight, weight], axis=2), (0, 0), sigma_px)
    mean = (values * weight).sum(axis=(0, 1)) / weight.sum()
    return np.asarray((blurred[:, :, :3] + 1e-4 * mean) / (blurred[:, :, 3:] + 1e-4), np.float32)


def _without_tails(points: F32) -> F32:
    """Return a mesh whose brows end earlier."""
    cut = points.copy()
    for ends, beside in _BROW_TAILS:
        cut[list(ends)] += TAIL * (points[list(beside)] - points[list(ends)])
    return cut


def smooth_skin(image: U8, points: F32, smoothness: float) -> U8:
    """Return a portrait with less of the texture of its skin; its features stay sharp.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 2 or 3) float32 px, its mesh.
        smoothness: share of the texture that is left out, 0..1.
    """
    if smoothness == 0:
        return image
    eye_px = lm.inter_ocular_px(points)
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    plain = cv2.bilateralFilter(half, -1, ALIKE, FRECKLE * eye_px / 2)
    texture = cv2.subtract(half, plain, dtype=cv2.CV_32F)
    texture = cv2.resize(texture, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    features = _features(points, (*_FEATURES, *_BROWS), image.shape)
    kept = cv2.dilate(features, _disc(0.04 * eye_px)).astype(np.float32) / 255
    skin = 1 - np.asarray(cv2.GaussianBlur(kept, (0, 0), SOFTNESS * eye_px))
    smooth = image - np.float32(smoothness) * skin[:, :, None] * texture
    return np.asarray(np.clip(smooth, 0, 255), np.uint8)


def darkness(image: F32, inside: U8) -> F32:
    """Return (h, w) float32: how far from skin what is darker is, in standard deviations; else 0.

    Args:
        image: (h, w, 3) float32 BGR 0..255, a face.
        inside: (h, w), more than 0 where the face is.
    """
    rows, columns = np.nonzero(inside)
    corners = [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]
    basis = _basis(np.array(corners, np.float32), image.shape[:2])
    lab = np.asarray(cv2.cvtColor(np.clip(image / 255, 0, 1), cv2.COLOR_BGR2LAB), np.float32)
    _, skin, distance = _predicted(lab, basis, np.asarray(inside > 0, np.uint8))
    return np.where(lab[:, :, 0] < skin[:, :, 0], distance, 0).astype(np.float32)


def _basis(oval: F32, shape: tuple[int, ...]) -> F32:
    """Return (h, w, 6) float32 polynomials over the place in the face."""
    y, x = (np.arange(side, dtype=np.float32) for side in shape[:2])
    centre, radius = oval.mean(axis=0), np.ptp(oval, axis=0) / 2
    x, y = (x - centre[0]) / radius[0], ((y - centre[1]) / radius[1])[:, None]
    basis = np.empty((*shape[:2], 6), np.float32)
    for at, part in enumerate((np.float32(1), x, y, x * x, y * y, x * y)):  # see _SIDEWAYS
        basis[:, :, at] = part
    return basis


def _predicted(lab: F32, basis: F32, inside: U8) -> tuple[F32, F32, F32]:
    """Return the polynomial of skin, skin, and how far the picture is from it.

    In this order (n, 3) float32, (h, w, 3) float32 CIELAB and (h, w) standard deviations. Skin
    beyond what was looked at has no colour that is not found there.

    Args:
        lab: (h, w, 3) float32 CIELAB.
        basis: (h, w, n) float32, see :func:`_basis`.
        inside: (h, w) bool, where to look at.
    """
    shape = lab.shape
    used = there = inside.ravel() > 0
    lab, basis = lab.reshape(-1, 3), basis.reshape(-1, basis.shape[2])
    for _ in range(FITS):
        rows = basis.compress(used, axis=0)  # a quarter of the time that it takes by index
        ridge = 1e-3 * len(rows) * np.eye(rows.shape[1], dtype=np.float32)
        terms = np.linalg.solve(rows.T @ rows + ridge, rows.T @ lab.compress(used, axis=0))
        skin = basis @ terms
        off = np.abs(lab - skin)
        deviation = np.maximum(1.48 * np.median(off.compress(used, axis=0), axis=0), MIN_DEVIATION)
        distance = np.sqrt((np.minimum(off / deviation, 9) ** 2) @ LAB_WEIGHTS)
        used = there & (distance < 0.75 * STRANGE)
    known = skin.compress(used, axis=0)
    skin = np.minimum(np.maximum(skin, known.min(axis=0)), known.max(axis=0)).astype(np.float32)
    return terms, skin.reshape(shape), np.asarray(distance, np.float32).reshape(shape[:2])


def _touching(rim: U8, strange: U8) -> U8:
    """Return (h, w) uint8, 1 where something strange hangs together with the rim."""
    either = np.asarray(rim | strange, np.uint8)
    labels = np.asarray(cv2.connectedComponents(either, connectivity=4)[1])
    return np.asarray(np.isin(labels, np.unique(labels[rim])) & (strange | rim), np.uint8)


def _continued(image: U8, skin: F32, known: U8, sigma_px: float) -> F32:
    """Return predicted skin with the tone and the grain of what is known beside it.

    Args:
        image: (h, w, 3) uint8 BGR.
        skin: (h, w, 3) float32 BGR 0..255, predicted.
        known: (h, w) bool, where the picture shows skin.
        sigma_px: how far its tone reaches.
    """
    weight = known.astype(np.float32)[:, :, None]
    ratio = weight * image / np.maximum(skin, 8)
    blurred = cv2.GaussianBlur(np.concatenate([ratio, weight], axis=2), (0, 0), sigma_px)
    tone = (blurred[:, :, :3] + 0.05) / (blurred[:, :, 3:] + 0.05)
    noise = np.random.default_rng(0).standard_normal(known.shape).astype(np.float32)
    grain, own = (
        part - cv2.GaussianBlur(part, (0, 0), GRAIN_PX)
        for part in (noise, np.ascontiguousarray(image[:, :, 1]).astype(np.float32))
    )
    grain *= 1.48 * float(np.median(np.abs(own[known]))) if known.any() else 0.0
    return np.asarray(skin * np.clip(tone, 0.75, 1.25) + grain[:, :, None], np.float32)


def _features(points: F32, parts: Sequence[Sequence[int]], shape: tuple[int, ...]) -> U8:
    return _filled([points[list(part), :2] for part in parts], shape[:2])


def _filled(outlines: list[F32], shape: tuple[int, ...]) -> U8:
    """Return (h, w) uint8, 255 in the convex hulls of some outlines."""
    drawn = np.zeros(shape, np.uint8)
    for outline in outlines:
        hull = cv2.convexHull(np.asarray(outline, np.float32))
        cv2.fillConvexPoly(drawn, np.rint(hull).astype(np.int32), 255)
    return drawn


def _disc(radius_px: float) -> U8:
    side = 2 * max(1, round(radius_px)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
