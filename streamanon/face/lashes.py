"""Lashes of shut eyes: the dark line along which the lids meet.

A portrait has its eyes open, and its lashes stretched over a shut eye leave a bright, ragged slit.
Of 60 photographs with shut eyes from folds that nothing is tested on, 50 of the faces ``anonygan``
gave them are seen to have shut eyes with this line, 41 without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face.lids import EYES, opening
from streamanon.imaging.supersampling import FINER, SHIFT, CloseUp

if TYPE_CHECKING:
    from streamanon.types import F32, U8

SHUT, AJAR = 0.04, 0.10
"""Openings (:func:`streamanon.face.lids.opening`) at and below which the line is darkest, and from
which there is none."""

THICKNESS = 0.045
"""Of the line, in widths of the eye."""

DARKENS = np.array([0.75, 0.71, 0.64], np.float32)
"""Share of blue, green and red that a full line takes away."""

LOW = 0.65
"""Where between the upper lid, 0, and the lower, 1, the line runs while they are apart."""


def draw(image: U8, points: F32, to_image: F32, blur_px: float) -> None:
    """Darken where lids meet, in place.

    Args:
        image: (h, w, 3) uint8 BGR face.
        points: (478, 2) float32 mesh, any scale.
        to_image: (2, 3) float32 affine from there to px of the image.
        blur_px: standard deviation of the blur with which the frame shows a face.
    """
    for outline, _, _ in EYES:
        eye = points[list(outline)]
        strength = float(np.clip((AJAR - opening(eye)) / (AJAR - SHUT), 0, 1))
        if strength > 0:
            _draw_one(image, eye @ to_image[:, :2].T + to_image[:, 2], strength, blur_px)


def _draw_one(image: U8, eye: F32, strength: float, blur_px: float) -> None:
    """Darken where the lids of one eye meet; eye is its (16, 2) outline in px."""
    between = eye[1:8] + LOW * (eye[:8:-1] - eye[1:8])
    line = np.concatenate([eye[:1], between, eye[8:9]])
    thick = max(THICKNESS * float(np.hypot(*(eye[8] - eye[0]))), 1 / FINER)
    soft = max(float(np.hypot(thick / 2, blur_px)), 0.5)
    height, width = image.shape[:2]
    close = CloseUp.around(line, thick + 3 * soft, (width, height))
    if close is None:
        return
    fixed, px = [close.fixed(line)], max(1, round(thick * FINER))
    cv2.polylines(close.canvas, fixed, isClosed=False, color=255, thickness=px, shift=SHIFT)
    share = cv2.GaussianBlur(close.averaged().astype(np.float32), (0, 0), soft) * (strength / 255)
    target = image[close.place]
    target[...] = target * (1 - share[:, :, None] * DARKENS)
