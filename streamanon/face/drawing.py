"""Drawing a portrait over a face of a frame: region, sharpness and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
import numpy as np

from streamanon.face import shading
from streamanon.face.warp import MARGIN, RASTER, SKIN_POINTS, Condition, FaceSpace
from streamanon.imaging.boxes import bounds
from streamanon.imaging.picture import Box, clip_box, read_bgr
from streamanon.types import F32, U8, Patch, Picture

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", float, F32)

SMALLEST_SIDE_PX = 8
"""Regions with a shorter side hold next to nothing of a face and are not drawn."""

MEASURE_EVERY, MEASURE_LIGHT_EVERY = 4, 3
"""Frames of a track between two measurements of the frame's sharpness, and of its light."""

LIGHT_TAU_S = 0.4
"""Time constant with which light follows the frame's while that is steady."""

COLOUR_PX = 16
"""Side to which the middle of a face is scaled before its colour is measured."""

STEADY, JUMP = 12.0, 48.0
"""Levels by which a face's colour may differ from what it was lately. In twelve clips in steady
light it is less than 11, whatever heads and hands do; from the second on, light has jumped."""


@dataclass(frozen=True)
class FaceRegion:
    """The part of a frame that one face is drawn on.

    Attributes:
        picture: frame.
        box: bounding box of the region in frame px.
        to_patch: (2, 3) float32 affine from face space px to px of the patch.
        face_px: height of the face in frame px.
    """

    picture: Picture
    box: Box
    to_patch: F32
    face_px: float

    @classmethod
    def of(cls, picture: Picture, space: FaceSpace) -> FaceRegion | None:
        """Return the region of a face in a frame; None when it lies outside the picture.

        It holds the pixels whose middles are nearest to the points.
        """
        skin = np.column_stack([space.points[:SKIN_POINTS], np.ones(SKIN_POINTS, np.float32)])
        low, high = bounds(skin @ space.to_frame.T)
        around = np.concatenate([low, high + 0.5])
        x0, y0, x1, y1 = box = clip_box(picture, np.asarray(around, np.float32))
        if min(x1 - x0, y1 - y0) < SMALLEST_SIDE_PX:
            return None
        to_patch = affine_to_box(space.to_frame, box)
        return cls(picture, box, to_patch, RASTER / MARGIN * space.scale_px)

    @cached_property
    def source(self) -> U8:
        """(h, w, 3) uint8 BGR pixels of the frame."""
        return read_bgr(self.picture, self.box)

    @property
    def middle(self) -> tuple[slice, slice]:
        """Rows and columns of the middle of the region: the face without its outline."""
        width, height = self.size
        return slice(height // 4, height - height // 4), slice(width // 4, width - width // 4)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the patch in px."""
        x0, y0, x1, y1 = self.box
        return x1 - x0, y1 - y0

    def resampled(self, lookup: F32, alpha: F32) -> tuple[F32, F32, F32]:
        """Bring where the pixels of a face come from, and their opacity, from face space to px.

        Args:
            lookup: (RASTER, RASTER, 2) float32 px of a portrait.
            alpha: (RASTER, RASTER) float32 opacity, 0 at the rim.

        Returns:
            x, y and opacity, (h, w) float32; 0 outside face space.
        """
        parts = cv2.merge([*cv2.split(lookup), alpha, alpha])  # faster than one, two or three
        placed = cv2.warpAffine(parts, self.to_patch, self.size, flags=cv2.INTER_LINEAR)
        x, y, opacity, _ = (np.asarray(part, np.float32) for part in cv2.split(placed))
        return x, y, opacity

    def patch(self, image: U8, alpha: F32) -> Patch:
        """Return an image of the region's size as a patch of the frame."""
        return Patch(self.box[0], self.box[1], image, alpha)


def affine_to_box(to_frame: F32, box: Box) -> F32:
    """Return a (2, 3) affine to frame px as one to px of a box of the frame."""
    moved = to_frame.copy()
    moved[:, 2] -= box[:2]
    return moved


class Follower(Generic[T]):
    """A value that follows another one exponentially, beginning at the first it is given.

    Attributes:
        tau_s: time constant.
    """

    def __init__(self, tau_s: float) -> None:
        self.tau_s, self._time_s = tau_s, 0.0
        self._value: T | None = None

    def follow(self, wanted: T, time_s: float) -> T:
        """Return the value at a time, between the last one and the one that is wanted."""
        share = 1 - exp(-abs(time_s - self._time_s) / self.tau_s)
        last = wanted if self._value is None else self._value
        self._value, self._time_s = last + share * (wanted - last), time_s
        return self._value


class LightFollower:
    """Light on a portrait that follows that of the frame, one per track.

    It follows slowly while light is steady, and the faster the more a face's colour changes.
    """

    def __init__(self) -> None:
        self._light: Follower[F32] = Follower(LIGHT_TAU_S)
        self._colour: Follower[F32] = Follower(LIGHT_TAU_S)
        self._lately: F32 | None = None
        self._wanted: F32 | None = None
        self._lit = 0

    @property
    def tau_s(self) -> float:
        """The time constant at the moment."""
        return self._light.tau_s

    @property
    def is_steady(self) -> bool:
        """Whether the newest face has about the colour that it had lately."""
        return self.tau_s == LIGHT_TAU_S

    def has_jumped(self, source: U8, time_s: float) -> bool:
        """Look at the face of a frame, (h, w, 3) uint8 BGR; return whether its light jumped."""
        small = cv2.resize(source, (COLOUR_PX, COLOUR_PX), interpolation=cv2.INTER_AREA)
        colour = np.median(small.reshape(-1, 3), axis=0).astype(np.float32)
        lately = colour if self._lately is None else self._lately
        change = float(np.abs(colour - lately).max())
        tau_s = LIGHT_TAU_S * min(1.0, STEADY / max(change, 1.0)) ** 2
        self._light.tau_s = self._colour.tau_s = tau_s
        self._lately = self._colour.follow(colour, time_s)
        return change > JUMP

    def follow(self, measure: Callable[[], F32], time_s: float) -> F32:
        """Return the light for a frame, (n, n, 6) float32.

        It is measured every few frames while it is steady.
        """
        if self._wanted is None or self._lit % MEASURE_LIGHT_EVERY == 0 or not self.is_steady:
            self._wanted = measure()
        self._lit += 1
        return self._light.follow(self._wanted, time_s)


@dataclass
class SharpnessMatcher:
    """Samples a portrait as smooth, sharp and noisy as the frame; one per track.

    Attributes:
        smoothness: share of the skin's texture that is left out, decided in the first frame.
        blur_px: standard deviation of the blur in use.
        grain: standard deviation of the noise that the portrait lacks, in 8 bit levels.
        white: share of it that is white.
        drawn: number of frames the portrait was drawn in.
    """

    smoothness: float = 0.0
    blur_px: float = 0.0
    grain: float = 0.0
    white: float = 1.0
    drawn: int = 0

    def sampled(self, condition: Condition, x: F32, y: F32, region: FaceRegion, alpha: F32) -> U8:
        """Return a portrait as smooth and as sharp as the frame's face in a region.

        Args:
            condition: the portrait.
            x: (h, w) float32 portrait px for each pixel of the region.
            y: the same.
            region: region that the portrait is drawn on.
            alpha: (h, w) float32 opacity of the portrait.
        """
        middle = region.middle
        image = condition.sample(x, y, region.face_px, self.smoothness)
        first = self.drawn == 0
        self.drawn += 1
        if first:
            wanted, got = (
                shading.skin_texture(face[middle], alpha[middle]) for face in (region.source, image)
            )
            self.smoothness = shading.next_smoothness(wanted, got)
            image = condition.sample(x, y, region.face_px, self.smoothness)
        if self.drawn % MEASURE_EVERY == 1:
            portrait, weight = image[middle], alpha[middle]
            source = shading.high_pass(region.source[middle])
            wanted = shading.fine_detail(source, weight)
            for _ in range(4 if first else 1):
                soft = shading.high_pass(shading.soften(portrait, self.blur_px))
                got = shading.fine_detail(soft, weight)
                self.blur_px = shading.next_blur_px(self.blur_px, wanted, got)
            level = shading.noise(source, weight)
            self.grain = shading.missing_grain(level, shading.noise(soft, weight))
            if self.grain:
                self.white = shading.whiteness(source, weight, level)
        return shading.soften(image, self.blur_px)

    def with_grain(self, image: U8) -> U8:
        """Return a portrait with the noise that it lacks."""
        if self.grain == 0:
            return image
        noise = shading.grain(image.shape[:2], self.grain, self.white)
        noisy = cv2.add(image, cv2.merge([noise, noise, noise]), dtype=cv2.CV_8U)
        return np.asarray(noisy, np.uint8)
