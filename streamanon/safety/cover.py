"""Plain covers: they hide a face when nothing better can be trusted, and are three of the methods.

A cover is computed from the mean colours of a few cells across the face, so that it contains no
more information about the face than these, however it is processed afterwards.
"""

from dataclasses import replace

import cv2
import numpy as np

from streamanon.imaging.picture import clip_box, shrink
from streamanon.types import F32, U8, Patch, Picture

FACE_CELLS = 8
"""Cells across a cover box; a face fills about three quarters of it, which is about 6 x 6."""

FRAME_CELLS = 10
"""Cells across the shorter side of a frame that is covered whole."""

MIN_CELL_PX = 4
"""Side of the smallest cell; smaller ones would come close to single pixels."""


def cell_means(
    picture: Picture, box: tuple[int, int, int, int], across: tuple[float, float], cells: int
) -> U8:
    """Return the mean colours of a grid over an aligned, clipped box.

    Args:
        picture: any picture.
        box: aligned box (:func:`streamanon.imaging.picture.clip_box`) that is not empty.
        across: width and height in px of the whole cover, including parts outside the picture.
        cells: number of cells along the shorter side of the cover.

    Returns:
        (rows, columns, 3) uint8 BGR.
    """
    x0, y0, x1, y1 = box
    side = max(MIN_CELL_PX, int(min(across)) // cells)
    size = (max(1, (x1 - x0) // side), max(1, (y1 - y0) // side))
    return shrink(picture, box, size)


def _patch(box: tuple[int, int, int, int], image: U8) -> Patch:
    x0, y0, x1, y1 = box
    return Patch(x0, y0, image, np.ones((y1 - y0, x1 - x0), np.float32))


def mosaic(picture: Picture, box: F32, cells: int = FACE_CELLS) -> Patch | None:
    """Return flat square cells over a box, or None where it does not touch the picture."""
    return _from_cells(picture, box, cells, cv2.INTER_NEAREST)


def blur(picture: Picture, box: F32) -> Patch | None:
    """Return a smooth field through the cell means of a box, or None outside the picture."""
    return _from_cells(picture, box, FACE_CELLS, cv2.INTER_CUBIC)


def solid(picture: Picture, box: F32) -> Patch | None:
    """Return black over a box, or None where it does not touch the picture."""
    x0, y0, x1, y1 = clipped = clip_box(picture, box)
    if x1 <= x0 or y1 <= y0:
        return None
    return _patch(clipped, np.zeros((y1 - y0, x1 - x0, 3), np.uint8))


def whole_frame(picture: Picture) -> Patch:
    """Return cells over the whole picture."""
    box = (0, 0, picture.width, picture.height)
    means = cell_means(picture, box, box[2:], FRAME_CELLS)
    image = cv2.resize(means, box[2:], interpolation=cv2.INTER_NEAREST)
    return _patch(box, np.asarray(image, np.uint8))


def _from_cells(picture: Picture, box: F32, cells: int, interpolation: int) -> Patch | None:
    x0, y0, x1, y1 = clipped = clip_box(picture, box)
    if x1 <= x0 or y1 <= y0:
        return None
    width, height = (box[2:] - box[:2]).tolist()
    means = cell_means(picture, clipped, (width, height), cells)
    image = cv2.resize(means, (x1 - x0, y1 - y0), interpolation=interpolation)
    return _patch(clipped, np.asarray(image, np.uint8))


def faded_into(patch: Patch, cover: Patch, share: float) -> Patch:
    """Return a patch in which so large a share, 0..1, is the cover; as opaque as it is, or more."""
    both = (patch, cover)
    x0, y0 = min(one.x for one in both), min(one.y for one in both)
    width = max(one.x + one.alpha.shape[1] for one in both) - x0
    height = max(one.y + one.alpha.shape[0] for one in both) - y0
    images = np.zeros((2, height, width, 3), np.uint8)
    over, there = alphas = np.zeros((2, height, width), np.float32)
    for one, image, alpha in zip(both, images, alphas, strict=True):
        rows, columns = one.alpha.shape
        here = np.s_[one.y - y0 : one.y - y0 + rows, one.x - x0 : one.x - x0 + columns]
        image[here], alpha[here] = one.image, one.alpha
    there *= share
    opacity = there + over * (1 - there)
    weight = there / np.maximum(opacity, 1e-6)
    image = np.asarray(cv2.blendLinear(images[0], images[1], 1 - weight, weight), np.uint8)
    return replace(patch, x=x0, y=y0, image=image, alpha=opacity)
