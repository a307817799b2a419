"""Corners of the mouth in a portrait, moved to where the picture shows them.

The mesh places them a few percent of the mouth's width beside the ends of the dark line between the
lips, and not by as much on both sides. Moved with the face, the rest of the line becomes a streak
beside the new mouth.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.types import F32, U8

ALONG = np.arange(-0.16, 0.16, 0.008)
ACROSS = np.arange(-0.08, 0.081, 0.008)
"""Where the picture is looked at, from a corner outwards and downwards, in widths of the mouth."""

SKIN = 3
"""Outer samples of ACROSS on either side that stand for the skin above and below the line."""

INSIDE = (-0.14, -0.04)
"""Where the line is looked at to know how dark it is."""

FROM = -0.08
"""Where the search for its end begins."""

STILL_LINE = 0.4
"""Share of its darkness down to which it goes on."""

LEAST_DARKNESS = 8.0
"""Levels below which it looks like skin: the corner stays where it is."""

OUT, UP_DOWN = (-0.06, 0.1), 0.03
"""Most that a corner moves, in widths of the mouth."""

REACH = 0.22
"""Distance, in widths of the mouth, over which the face around a corner follows it."""


def with_true_corners(portrait: U8, points: F32) -> F32:
    """Return a mesh whose mouth ends where the portrait's does.

    Args:
        portrait: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 mesh in portrait px.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), (0, 0), 1)
    moved, flat = points.copy(), points[:, :2].astype(np.float64)
    corners = (lm.RIGHT_MOUTH_CORNER, lm.LEFT_MOUTH_CORNER)
    for here, there in (corners, corners[::-1]):
        outwards = flat[here] - flat[there]
        shift = _shift(np.asarray(grey, np.uint8), flat[here], outwards)
        width = max(float(np.hypot(*outwards)), 1e-3)
        near = np.hypot(*(flat - flat[here]).T) / (REACH * width)
        moved[:, :2] += (np.exp(-(near**2))[:, None] * shift).astype(np.float32)
    return moved


def _shift(
    grey: U8, corner: NDArray[np.float64], outwards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far, in px, the end of the line between the lips is from a corner of the mesh.

    It is looked for in a (h, w) uint8 grey portrait, along the (2,) px outwards.
    """
    axes = np.stack([outwards, (-outwards[1], outwards[0])])
    at = corner + np.stack(np.meshgrid(ALONG, ACROSS, indexing="ij"), axis=2) @ axes
    x, y = np.moveaxis(at.astype(np.float32), 2, 0)
    seen = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    seen = seen.astype(np.float32)
    middle = seen[:, SKIN:-SKIN]
    dark = (seen[:, :SKIN].mean(axis=1) + seen[:, -SKIN:].mean(axis=1)) / 2 - middle.min(axis=1)
    usual = float(np.median(dark[(INSIDE[0] < ALONG) & (INSIDE[1] > ALONG)]))
    if usual < LEAST_DARKNESS:
        return np.zeros(2)
    start = int(np.searchsorted(ALONG, FROM))
    beyond = np.flatnonzero(dark[start + 1 :] <= STILL_LINE * usual)
    end = start + int(beyond[0]) if len(beyond) else len(ALONG) - 1
    along = np.clip(ALONG[end], *OUT)
    across = np.clip(ACROSS[SKIN + int(middle[end].argmin())], -UP_DOWN, UP_DOWN)
    return np.asarray((along, across) @ axes, np.float64)
