"""Lashes of shut eyes: the dark line along which the lids meet.

A portrait has its eyes open, and its lashes stretched over a shut eye leave a bright, ragged slit.
Of 60 photographs with shut eyes, from folds that no test uses, 50 of the results of ``anonygan``
are detected as having shut eyes with this line, 41 without.
"""

import cv2
import numpy as np

from streamanon.face.lids import EYES, opening
from streamanon.imaging.supersampling import SHIFT, SUPERSAMPLING, SupersampledRegion
from streamanon.types import F32, U8

SHUT, AJAR = 0.04, 0.10
"""Openings (:func:`streamanon.face.lids.opening`) at and below which the line is darkest, and from
which no line is drawn."""

THICKNESS = 0.045
"""Thickness of the line, in widths of the eye."""

DARKENS = np.array([0.75, 0.71, 0.64], np.float32)
"""Share of blue, green and red that a line of full strength removes."""

LOW = 0.65
"""Position of the line between the upper lid, 0, and the lower, 1, while they are apart."""


def draw(image: U8, points: F32, to_image: F32, blur_px: float) -> None:
    """Darken the line where lids meet, in place.

    Args:
        image: (h, w, 3) uint8 BGR face.
        points: (478, 2) float32 mesh, any scale.
        to_image: (2, 3) float32 affine from the mesh's coordinates to px of the image.
        blur_px: standard deviation of the blur of the face in the frame.
    """
    for outline, _, _ in EYES:
        eye = points[list(outline)]
        strength = float(np.clip((AJAR - opening(eye)) / (AJAR - SHUT), 0, 1))
        if strength > 0:
            low = LOW * strength
            _draw_one(image, eye @ to_image[:, :2].T + to_image[:, 2], strength, low, blur_px)


def _draw_one(image: U8, eye: F32, strength: float, low: float, blur_px: float) -> None:
    """Darken the line where the lids of one eye meet; eye is its (16, 2) outline in px."""
    between = eye[1:8] + low * (eye[:8:-1] - eye[1:8])
    line = np.concatenate([eye[:1], between, eye[8:9]])
    thick = max(THICKNESS * float(np.hypot(*(eye[8] - eye[0]))), 1 / SUPERSAMPLING)
    soft = max(float(np.hypot(thick / 2, blur_px)), 0.5)
    height, width = image.shape[:2]
    region = SupersampledRegion.around(line, thick + 3 * soft, (width, height))
    if region is None:
        return
    drawn, px = [region.fixed_point(line)], max(1, round(thick * SUPERSAMPLING))
    cv2.polylines(region.canvas, drawn, isClosed=False, color=255, thickness=px, shift=SHIFT)
    share = cv2.GaussianBlur(region.downsampled().astype(np.float32), (0, 0), soft) * (
        strength / 255
    )
    target = image[region.place]
    target[...] = target * (1 - share[:, :, None] * DARKENS)
