"""What the network made of a face, laid over the warped portrait at any size.

The composition of AnonyGAN as its text prints it (section 3.3), over a portrait moved into place:
``attention * (saturated(portrait) * exp(gain) + bias) + (1 - attention) * face``. It is linear in
the portrait, whose factor and remainder are worked out on the crop and scaled up: the portrait
itself keeps every pixel of the frame's resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from streamanon.face.warp import saturated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8


@dataclass(frozen=True)
class Painted:
    """What the network made of one face.

    Attributes:
        face: (n, n, 3) uint8 BGR, painted.
        attention: (n, n) float32 in 0..1, 1 where the portrait shows.
        saturation: what the portrait's colourfulness is scaled by, 0..1.
        gain: (m, m, 3) float32, log of what the portrait's B, G and R are scaled by.
        bias: (m, m, 3) float32, what is then added to them, in units of 255.
    """

    face: U8
    attention: F32
    saturation: float
    gain: F32
    bias: F32

    @property
    def finite(self) -> bool:
        """Whether all its numbers are."""
        numbers = (self.attention, self.saturation, self.gain, self.bias)
        return all(bool(np.isfinite(part).all()) for part in numbers)

    def following(self, last: Painted, light_pace: float, attention_pace: float) -> Painted:
        """Return this with its slow parts as they follow from those of the frame before.

        Args:
            last: what was shown then.
            light_pace: share of the way saturation, gain and bias go, 0..1.
            attention_pace: share of the way attention goes, 0..1.
        """
        return Painted(
            self.face,
            _between(last.attention, self.attention, attention_pace),
            last.saturation + light_pace * (self.saturation - last.saturation),
            _between(last.gain, self.gain, light_pace),
            _between(last.bias, self.bias, light_pace),
        )

    def wash(self) -> Wash:
        """Return what is to be done to the portrait."""
        size = self.face.shape[:2]
        gain, bias = (
            cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
            for part in (self.gain, self.bias)
        )
        attention = np.asarray(cv2.merge([self.attention] * 3), np.float32)
        scale = cv2.multiply(cv2.exp(gain), attention)
        paint = cv2.multiply(bias, attention, scale=255)
        covered = cv2.multiply(self.face, 1 - attention, dtype=cv2.CV_32F)
        paint = cv2.add(paint, covered)
        scale, paint = (np.asarray(part, np.float32) for part in (scale, paint))
        return Wash(self.saturation, scale, paint)


@dataclass(frozen=True)
class Wash:
    """What turns a portrait into the result: ``saturated(portrait) * scale + paint``.

    Attributes:
        saturation: 0..1.
        scale: (n, n, 3) float32.
        paint: (n, n, 3) float32 in units of the 8 bit image.
    """

    saturation: float
    scale: F32
    paint: F32

    def placed(self, to_image: F32, size: tuple[int, int]) -> Wash:
        """Return this on an image of size (width, height) px, by a (2, 3) affine to its px.

        It is turned at its own resolution, and then scaled up, which costs a third.
        """
        times = max(1, int(np.hypot(to_image[0, 0], to_image[1, 0])))
        coarse = (-(-size[0] // times), -(-size[1] // times))
        to_coarse = to_image / np.float32(times)
        to_coarse[:, 2] -= (times - 1) / (2 * times)
        scale, paint = (
            _grown(
                cv2.warpAffine(
                    part, to_coarse, coarse, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                ),
                times,
                size,
            )
            for part in (self.scale, self.paint)
        )
        return Wash(self.saturation, scale, paint)

    def over(self, portrait: U8) -> U8:
        """Return the result for a portrait of the same size, (h, w, 3) uint8 BGR."""
        portrait = saturated(portrait, self.saturation)
        scaled = cv2.multiply(portrait, self.scale, dtype=cv2.CV_32F)
        return np.asarray(cv2.add(scaled, self.paint, dtype=cv2.CV_8U), np.uint8)


def _grown(part: NDArray[Any], times: int, size: tuple[int, int]) -> F32:
    """Return a field times as large, cut to size (width, height) px."""
    full = (part.shape[1] * times, part.shape[0] * times)
    grown = cv2.resize(part, full, interpolation=cv2.INTER_LINEAR)[: size[1], : size[0]]
    return np.asarray(grown, np.float32)


def _between(last: F32, now: F32, pace: float) -> F32:
    return np.asarray(cv2.addWeighted(now, pace, last, 1 - pace, 0), np.float32)
