"""Crops a rotated square out of a picture, at a network's input size."""

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.imaging.picture import clip_box, shrink
from streamanon.types import F32, U8, Picture

_FINEST = 1.25
"""Most pixels read for each pixel of the result; finer texture would alias."""


def crop_square(picture: Picture, corners: F32, side_px: int) -> U8:
    """Return the (side_px, side_px, 3) BGR content of a square; only its pixels are converted.

    Outside the picture its edge is repeated.

    Args:
        picture: an upright picture.
        corners: (3, 2) float32 in frame px: where pixels (0, 0), (side_px, 0) and (0, side_px) of
            the result lie.
        side_px: side of the result.
    """
    corners = corners.astype(np.float64)
    ends = []
    for (start, right, below), length in zip(
        corners.T.tolist(), (picture.width, picture.height), strict=True
    ):
        outline = (start, right, below, right + below - start)
        low = min(max(min(outline) - 2, 0), length - 1)
        ends.append((low, min(max(max(outline) + 2, low + 1), length)))
    (left, right), (top, bottom) = ends
    x0, y0, x1, y1 = box = clip_box(picture, (left, top, right, bottom))
    scale = min(1.0, _FINEST * side_px / max(float(np.hypot(*(corners[1] - corners[0]))), 1e-3))
    size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
    # Scaling keeps the edges of the box in place; they lie half a pixel beyond pixel centres.
    ratio = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])
    inside = (corners - (x0, y0) + 0.5) * ratio - 0.5
    target = np.array([[0, 0], [side_px, 0], [0, side_px]], np.float32)
    result = cv2.warpAffine(
        cv2.cvtColor(shrink(picture, box, size), cv2.COLOR_BGR2BGRA),  # twice as fast as BGR
        cv2.getAffineTransform(inside.astype(np.float32), target),
        (side_px, side_px),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(cv2.cvtColor(result, cv2.COLOR_BGRA2BGR), np.uint8)


def template_square(points: F32, template: NDArray[np.float64], side_px: float) -> F32:
    """Return the corners of the square in which points lie on a template, for crop_square.

    The square is placed by the similarity that maps the template to the points with least squared
    error, in closed form with points as complex numbers.

    Args:
        points: (n, 2) float32 in frame px.
        template: (n, 2) float64, where they are to lie in the crop, px.
        side_px: side of the crop.

    Returns:
        (3, 2) float32 corners in frame px.
    """
    seen = points.astype(np.float64) @ (1, 1j)
    wanted = template @ (1, 1j)
    centred = wanted - wanted.mean()
    turn = np.vdot(centred, seen - seen.mean()) / np.vdot(centred, centred)
    corners = (np.array([0, side_px, side_px * 1j]) - wanted.mean()) * turn + seen.mean()
    return np.stack([corners.real, corners.imag], axis=1).astype(np.float32)


def to_blob(image: U8) -> F32:
    """Return an image as (1, 3, h, w) float32 in 0..255, in the same channel order."""
    blob = np.empty((1, 3, *image.shape[:2]), np.float32)
    for plane, target in zip(cv2.split(image), blob[0], strict=True):
        target[...] = plane
    return blob
