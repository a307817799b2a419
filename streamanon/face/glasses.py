"""Draws glasses on a new face: somebody who wears some keeps on wearing some.

A portrait wears none, and the temples beside the face would be all that is left of the person's.
Those drawn are others: one of a few shapes, the same for an identity. They are lines in the space
of the canonical face, seen by the affine camera that fits the face's mesh best.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from streamanon.face.canonical_face import VERTICES
from streamanon.imaging.supersampling import SHIFT, SUPERSAMPLING, SupersampledRegion
from streamanon.types import F32, U8


@dataclass(frozen=True)
class Style:
    """Shape of lenses, in canonical cm: a superellipse.

    Attributes:
        width: half their width.
        height: half their height.
        roundness: 1 for an ellipse, nearer to 0 for a rectangle.
    """

    width: float
    height: float
    roundness: float


STYLES = (Style(2.65, 1.95, 0.75), Style(2.7, 1.75, 0.7), Style(2.45, 2.15, 0.95))

CENTRE = (3.3, 2.0)
"""Middle of the left lens, to the side and upwards."""

FRONT, WRAP = 5.7, 0.075
"""Distance of the lenses in front of the ears' axis, and how fast they recede to the sides."""

TEMPLE = ((6.4, 2.9, 2.4), (7.3, 2.9, 0.5), (7.9, 2.7, -2.5))
"""Points of the left temple behind its hinge."""

BRIDGE_RISE, BRIDGE_AT = 0.35, 2.5
"""How far the bridge is bent upwards, and its height."""

THICKNESS = (0.09, 0.17)
"""Thickness of lines that take no light, and of those that take all: bold frames are dark."""

SHADOW, SHADOW_BELOW, SHADOW_SOFTNESS = 0.33, 0.25, 0.25
"""Share of what a line takes of light that its shadow on the skin takes; its distance and blur."""

SOFTNESS, SOFTNESS_PX = 0.03, 0.5
"""Standard deviation of the blur of the lines, and the least of it, in px."""

_FITTED = (33, 133, 362, 263, 168, 6, 197, 127, 356, 162, 389, 234, 454, 50, 280, 70, 300, 46, 276)
"""Mesh points that hold still when a face moves its features, around the eyes."""

_KNOWN = np.column_stack([VERTICES[list(_FITTED)], np.ones(len(_FITTED), np.float32)])
"""Where they lie in the canonical face, in homogeneous coordinates."""


def style_of(name: str) -> Style:
    """Return the glasses of an identity."""
    return STYLES[zlib.crc32(name.encode()) % len(STYLES)]


def draw(image: U8, points: F32, style: Style, darkness: float) -> None:
    """Draw glasses on a face, in place.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 2 or 3) float32 mesh in px of the image.
        style: shape of the glasses.
        darkness: share of light that their lines take, 0..1.
    """
    camera = np.linalg.lstsq(_KNOWN, points[list(_FITTED), :2], rcond=None)[0].astype(np.float64)
    px = float(np.linalg.norm(camera[1]))
    lines = [
        ((line @ camera[:3] + camera[3]).astype(np.float32), closed)
        for line, closed in _frame(style)
    ]
    below, soft = round(SHADOW_BELOW * px), max(SHADOW_SOFTNESS * px, SOFTNESS_PX)
    height, width = image.shape[:2]
    outline = np.concatenate([line for line, _ in lines])
    region = SupersampledRegion.around(outline, below + 3 * soft + 1, (width, height))
    if region is None:
        return
    thickness = float(np.interp(darkness, (0, 1), THICKNESS))
    thick = max(1, round(thickness * px * SUPERSAMPLING))
    for line, closed in lines:
        drawn = [region.fixed_point(line)]
        cv2.polylines(region.canvas, drawn, closed, 255, thick, cv2.LINE_8, SHIFT)
    frame = cv2.GaussianBlur(region.downsampled(), (0, 0), max(SOFTNESS * px, SOFTNESS_PX))
    fallen = np.zeros_like(frame)
    fallen[below:] = frame[: len(frame) - below]
    shadow = cv2.GaussianBlur(fallen, (0, 0), soft)
    left = cv2.multiply(
        cv2.convertScaleAbs(frame, alpha=-darkness, beta=255),
        cv2.convertScaleAbs(shadow, alpha=-darkness * SHADOW, beta=255),
        scale=1 / 255,
    )
    target = image[region.place]
    cv2.multiply(target, cv2.merge([left, left, left]), dst=target, scale=1 / 255)


@cache
def _frame(style: Style) -> tuple[tuple[F32, bool], ...]:
    """Return the lines of glasses, (n, 3) float32 in canonical cm, and which are closed."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    along, up = (
        np.sign(part) * np.abs(part) ** style.roundness for part in (np.cos(turn), np.sin(turn))
    )
    x, y = CENTRE[0] + style.width * along, CENTRE[1] + style.height * up
    rim = np.column_stack([x, y, FRONT - WRAP * x * x])
    hinge = rim[np.argmax(x + 0.6 * y)]
    temple = np.concatenate([hinge[None], TEMPLE])
    inner = float(CENTRE[0] - style.width)
    across = np.linspace(-1, 1, 9)
    rise = BRIDGE_AT + BRIDGE_RISE * (1 - across**2)
    bridge = np.column_stack([inner * across, rise, np.full_like(across, FRONT)])
    lines = [(bridge, False)]
    for side in (-1, 1):
        lines += [(rim * (side, 1, 1), True), (temple * (side, 1, 1), False)]
    return tuple((line.astype(np.float32), closed) for line, closed in lines)
