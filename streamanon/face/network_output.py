"""The network's output for one face, applied to the warped portrait at any size.

How AnonyGAN layers its output (section 3.3 of the paper), over a portrait warped into place:
``attention * (saturated(portrait) * exp(gain) + bias) + (1 - attention) * face``. It is linear in
the portrait: factor and offset are computed on the crop and scaled up, while the portrait itself
is sampled at the frame's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face.warp import RASTER, saturated
from streamanon.types import F32, U8


@dataclass(frozen=True)
class GeneratorOutput:
    """The network's output for one face.

    Attributes:
        face: (n, n, 3) uint8 BGR generated pixels.
        attention: (n, n) float32 in 0..1, 1 where the portrait shows.
        saturation: factor of the portrait's saturation, 0..1.
        gain: (m, m, 3) float32 log of the factors of the portrait's B, G and R.
        bias: (m, m, 3) float32 offset added after the gain, in units of 255.
    """

    face: U8
    attention: F32
    saturation: float
    gain: F32
    bias: F32

    @property
    def finite(self) -> bool:
        """Whether all numbers are finite."""
        numbers = (self.attention, self.saturation, self.gain, self.bias)
        return all(bool(np.isfinite(part).all()) for part in numbers)

    def smoothed(
        self, last: GeneratorOutput, light_share: float, attention_share: float
    ) -> GeneratorOutput:
        """Return this output smoothed exponentially; the generated pixels are not smoothed.

        Args:
            last: smoothed output of the frame before.
            light_share: weight of this output's saturation, gain and bias, 0..1.
            attention_share: weight of this output's attention, 0..1.
        """
        return GeneratorOutput(
            self.face,
            _mixed(last.attention, self.attention, attention_share),
            last.saturation + light_share * (self.saturation - last.saturation),
            _mixed(last.gain, self.gain, light_share),
            _mixed(last.bias, self.bias, light_share),
        )

    def with_hues_of(self, portrait: U8, most: float) -> GeneratorOutput:
        """Return this output with generated pixels of about the hue that the portrait gets there.

        Args:
            portrait: (n, n, 3) uint8 BGR.
            most: levels by which a channel's distance from the grey of a pixel may differ.
        """
        lit = replace(self, attention=np.ones_like(self.attention)).colour_transform()
        wanted, given = (
            cv2.subtract(image, cv2.merge([grey] * 3), dtype=cv2.CV_32F)
            for image, grey in (
                (image, cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))
                for image in (lit.apply(portrait), self.face)
            )
        )
        bounded = cv2.min(cv2.max(given, wanted - most), wanted + most)
        face = cv2.add(self.face, bounded - given, dtype=cv2.CV_8U)
        return replace(self, face=np.asarray(face, np.uint8))

    def colour_transform(self) -> ColourTransform:
        """Return the transform that turns the portrait into the result."""
        size = self.face.shape[:2]
        gain, bias = (
            cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
            for part in (self.gain, self.bias)
        )
        attention = np.asarray(cv2.merge([self.attention] * 3), np.float32)
        scale = cv2.multiply(cv2.exp(gain), attention)
        offset = cv2.multiply(bias, attention, scale=255)
        covered = cv2.multiply(self.face, 1 - attention, dtype=cv2.CV_32F)
        offset = cv2.add(offset, covered)
        scale, offset = (np.asarray(part, np.float32) for part in (scale, offset))
        return ColourTransform(self.saturation, scale, offset)


@dataclass(frozen=True)
class ColourTransform:
    """A per-pixel linear transform of a portrait: ``saturated(portrait) * scale + offset``.

    Attributes:
        saturation: factor of the portrait's saturation, 0..1.
        scale: (n, n, 3) float32 factor.
        offset: (n, n, 3) float32 offset in 8 bit levels.
    """

    saturation: float
    scale: F32
    offset: F32

    def lit(self, light: F32, to_image: F32) -> ColourTransform:
        """Return this transform followed by a light field.

        Args:
            light: (m, m, 6) float32, see :func:`streamanon.face.shading.light_field`.
            to_image: (2, 3) affine from face space px to px of this transform.
        """
        cells = to_image.copy()
        cell = RASTER / light.shape[0]
        cells[:, 2] += cells[:, :2] @ np.full(2, (cell - 1) / 2, np.float32)
        cells[:, :2] *= np.float32(cell)
        size = self.scale.shape[:2]
        gain, bias = (_placed(part, cells, size) for part in np.split(light, 2, axis=2))
        return ColourTransform(self.saturation, gain * self.scale, gain * self.offset + bias)

    def resampled(self, to_image: F32, size: tuple[int, int]) -> ColourTransform:
        """Return this transform for an image of size (width, height), by a (2, 3) affine to its px.

        Rotating first, at the transform's own resolution, and scaling up afterwards costs a third
        of doing both at once.
        """
        times = max(1, int(np.hypot(to_image[0, 0], to_image[1, 0])))
        coarse = (-(-size[0] // times), -(-size[1] // times))
        to_coarse = to_image / np.float32(times)
        to_coarse[:, 2] -= (times - 1) / (2 * times)
        scale, offset = (
            _upscaled(_placed(part, to_coarse, coarse), times, size)
            for part in (self.scale, self.offset)
        )
        return ColourTransform(self.saturation, scale, offset)

    def apply(self, portrait: U8) -> U8:
        """Return the transformed portrait, (h, w, 3) uint8 BGR, for one of the same size."""
        portrait = saturated(portrait, self.saturation)
        scaled = cv2.multiply(portrait, self.scale, dtype=cv2.CV_32F)
        return np.asarray(cv2.add(scaled, self.offset, dtype=cv2.CV_8U), np.uint8)


def _placed(part: F32, to_image: F32, size: tuple[int, int]) -> F32:
    """Return a (h, w, 3) field in an image of a size, by a (2, 3) affine to its px."""
    four = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_BGR2BGRA)  # faster than three
    border = cv2.BORDER_REPLICATE
    placed = cv2.warpAffine(four, to_image, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(cv2.cvtColor(placed, cv2.COLOR_BGRA2BGR), np.float32)


def _upscaled(part: NDArray[Any], times: int, size: tuple[int, int]) -> F32:
    """Return a field scaled up by an integer factor and cut to size (width, height)."""
    full = (part.shape[1] * times, part.shape[0] * times)
    scaled = cv2.resize(part, full, interpolation=cv2.INTER_LINEAR)[: size[1], : size[0]]
    return np.asarray(scaled, np.float32)


def _mixed(last: F32, now: F32, share: float) -> F32:
    return np.asarray(cv2.addWeighted(now, share, last, 1 - share, 0), np.float32)
