"""Drawing a portrait over a face of a frame: on which pixels, how sharp and how grainy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import shading
from streamanon.face.warp import MARGIN, RASTER, SKIN_POINTS, FaceSpace
from streamanon.imaging.picture import clip_box, read_bgr
from streamanon.types import Patch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.imaging.picture import Box
    from streamanon.types import F32, U8, Picture

SMALLEST_SIDE_PX = 8
"""Below this there is next to nothing of a face in the picture."""

FOCUS_EVERY = 4
"""Frames between two looks at how sharp the frame is."""


@dataclass(frozen=True)
class Canvas:
    """The pixels of a frame that one face is drawn on.

    Attributes:
        picture: the frame.
        box: around them.
        to_patch: (2, 3) float32 affine from face space px to px of the patch.
        face_px: height of the face in frame px.
    """

    picture: Picture
    box: Box
    to_patch: F32
    face_px: float

    @classmethod
    def under(cls, picture: Picture, space: FaceSpace) -> Canvas | None:
        """Return the canvas for a face; None when it is outside the picture.

        Args:
            picture: the frame.
            space: of the face, in frame px.
        """
        skin = np.column_stack([space.points[:SKIN_POINTS], np.ones(SKIN_POINTS, np.float32)])
        where = skin @ space.to_frame.T
        around = np.concatenate([where.min(axis=0), where.max(axis=0)])
        x0, y0, x1, y1 = box = clip_box(picture, np.asarray(around, np.float32))
        if min(x1 - x0, y1 - y0) < SMALLEST_SIDE_PX:
            return None
        to_patch = in_box(space.to_frame, box)
        return cls(picture, box, to_patch, RASTER / MARGIN * space.scale_px)

    @cached_property
    def source(self) -> U8:
        """(h, w, 3) uint8 BGR, what is there."""
        return read_bgr(self.picture, self.box)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the patch in px."""
        x0, y0, x1, y1 = self.box
        return x1 - x0, y1 - y0

    def spread(self, raster: F32, *, border: int = cv2.BORDER_REPLICATE) -> F32:
        """Scale a face space raster to the patch."""
        scaled = cv2.warpAffine(
            raster, self.to_patch, self.size, flags=cv2.INTER_LINEAR, borderMode=border
        )
        return np.asarray(scaled, np.float32)

    def patch(self, image: U8, alpha: F32) -> Patch:
        """Return an image of the canvas' size as a patch of the frame."""
        return Patch(self.box[0], self.box[1], image, alpha)


def in_box(to_frame: F32, box: Box) -> F32:
    """Return a (2, 3) affine to frame px as one to the px of a box."""
    moved = to_frame.copy()
    moved[:, 2] -= box[:2]
    return moved


@dataclass
class Focus:
    """How sharp a portrait is drawn, following the frame step by step: one a track.

    Attributes:
        blur_px: standard deviation of the blur in use.
        grain: standard deviation of the noise that the portrait lacks, in 8 bit levels.
        drawn: how often the portrait was drawn.
    """

    blur_px: float = 0.0
    grain: float = 0.0
    drawn: int = 0

    def softened(self, image: U8, canvas: Canvas, alpha: F32) -> U8:
        """Return a portrait as sharp as the frame, where it was too sharp.

        Args:
            image: (h, w, 3) uint8 BGR portrait on the canvas.
            canvas: what it is drawn on.
            alpha: (h, w) float32, how much of it shows.
        """
        first = self.drawn == 0
        self.drawn += 1
        if self.drawn % FOCUS_EVERY == 1:
            width, height = canvas.size
            middle = tuple(slice(side // 4, side - side // 4) for side in (height, width))
            portrait, weight = image[middle], alpha[middle]
            source = shading.fine(canvas.source[middle])
            wanted = shading.fine_detail(source, weight)
            for _ in range(4 if first else 1):
                soft = shading.fine(shading.soften(portrait, self.blur_px))
                got = shading.fine_detail(soft, weight)
                self.blur_px = shading.refocused(self.blur_px, wanted, got)
            self.grain = shading.grain(shading.noise(source, weight), shading.noise(soft, weight))
        return shading.soften(image, self.blur_px)

    def grained(self, image: U8) -> U8:
        """Return a portrait as noisy as the frame, where it was too clean."""
        if self.grain == 0:
            return image
        noise: NDArray[np.int16] = np.empty(image.shape[:2], np.int16)
        cv2.randn(noise, np.zeros(1), np.full(1, self.grain))
        grained = cv2.add(image, cv2.merge([noise, noise, noise]), dtype=cv2.CV_8U)
        return np.asarray(grained, np.uint8)
