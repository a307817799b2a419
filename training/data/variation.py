"""Augmentations that make one photograph look like another one of the same face."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face.canonical_face import VERTICES
from streamanon.face.network_input import (
    CROP,
    AlignedFace,
    crop_to_frame,
    inverse_affine,
    transformed,
)
from streamanon.face.warp import sample_at, saturated
from streamanon.types import F32, U8

_IRIS_MIRROR = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)

BEND_PX = 2.5
"""Standard deviation of the shifts that bend a face, in crop px."""

BEND_KNOTS = 5
"""Knots of the shifts across the crop."""

LIGHT_KNOTS = 3
"""Knots of uneven light across the crop."""


def _mirror_table() -> NDArray[np.int64]:
    """Return (478,) int64: the mirrored point of each point.

    MediaPipe's canonical face is symmetric; the points of the irises are not in it.
    """
    vertices = VERTICES.astype(np.float64)
    apart = np.square(vertices[:, None] * (-1, 1, 1) - vertices).sum(axis=2)
    return np.concatenate([apart.argmin(axis=1), _IRIS_MIRROR])


MIRROR = _mirror_table()


def mirrored(face: AlignedFace) -> AlignedFace:
    """Return the mirrored face; its "frame" is its own crop."""
    points = face.points[MIRROR]
    points[:, 0] = CROP - 1 - points[:, 0]
    image = np.ascontiguousarray(face.image[:, ::-1])
    return AlignedFace(image, points, np.eye(2, 3, dtype=np.float32))


def bent(face: AlignedFace, random: np.random.Generator) -> AlignedFace:
    """Return the face with another shape, both picture and mesh, aligned again."""
    knots = random.normal(0, BEND_PX, (BEND_KNOTS, BEND_KNOTS, 2)).astype(np.float32)
    shift = np.asarray(cv2.resize(knots, (CROP, CROP), interpolation=cv2.INTER_CUBIC), np.float32)
    flat = face.points[:, :2]
    at = flat
    for _ in range(3):  # the bent picture shows at ``at`` what the picture shows at ``at + shift``
        at = flat - _look_up(shift, at[:, None])[:, 0]
    points = np.column_stack([at, face.points[:, 2]]).astype(np.float32)
    back = crop_to_frame(points)
    steps = np.arange(CROP, dtype=np.float32)
    grid = np.dstack(np.meshgrid(steps, steps)) @ back[:, :2].T + back[:, 2]
    lookup = np.asarray(grid, np.float32)
    image = sample_at(face.image, *np.moveaxis(lookup + _look_up(shift, lookup), 2, 0))
    return AlignedFace(
        image, transformed(points, inverse_affine(back)), np.eye(2, 3, dtype=np.float32)
    )


def _look_up(field: F32, lookup: F32) -> F32:
    """Return (h, w, 2) float32: a field of shifts sampled at a (h, w, 2) lookup, bilinear."""
    x, y = cv2.split(lookup)
    found = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def relit(image: U8, random: np.random.Generator, strength: float) -> U8:
    """Return the image relit: exposure, contrast, tint, saturation and uneven light.

    Args:
        image: (128, 128, 3) uint8 BGR.
        random: random generator.
        strength: 1 for the usual difference of two photographs of one person.
    """
    level = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(random.normal(0, 0.2 * strength))
    gain = np.exp(random.normal(-0.1, 0.1, 1) * strength + random.normal(0, 0.05, 3) * strength)
    table = np.clip(level[:, None] ** gamma * gain * 255, 0, 255).astype(np.uint8)
    image = np.asarray(cv2.LUT(image, table[None]), np.uint8)
    colour = float(np.clip(np.exp(random.normal(-0.2, 0.45) * strength), 0.1, 1.6))
    image = saturated(image, colour)
    light = random.normal(0, 0.15 * strength, (LIGHT_KNOTS, LIGHT_KNOTS)).astype(np.float32)
    light = np.exp(cv2.resize(light, (CROP, CROP), interpolation=cv2.INTER_CUBIC))
    steps = np.clip(np.rint(light * 128), 0, 255).astype(np.uint8)
    return np.asarray(cv2.multiply(image, cv2.merge([steps] * 3), scale=1 / 128), np.uint8)


def refocused(image: U8, random: np.random.Generator) -> U8:
    """Return the image softer or sharper than it was."""
    amount = random.uniform(-1, 1)
    if amount < 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.3 - 1.2 * amount), np.uint8)
    soft = cv2.GaussianBlur(image, (0, 0), 1.0)
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def worn(image: U8, random: np.random.Generator) -> U8:
    """Return the image with one of four degradations of bad cameras and connections."""
    fault = random.integers(4)
    if fault == 0:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 80))]
        stored = cv2.imencode(".jpg", image, quality)[1]
        return np.asarray(cv2.imdecode(stored, cv2.IMREAD_COLOR), np.uint8)
    if fault == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 1.8)), np.uint8)
    if fault == 2:
        dark = random.uniform(0.25, 0.7)
        image = np.asarray(cv2.convertScaleAbs(image, alpha=dark), np.uint8)
    noise = random.normal(0, random.uniform(2, 8), image.shape).astype(np.float32)
    return np.asarray(np.clip(image + noise, 0, 255), np.uint8)
