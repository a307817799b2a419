"""The placeholder shown while a stream has no picture."""

from collections.abc import Sequence

import cv2
import numpy as np

from streamanon.imaging.picture import blank_picture, blend_bgr
from streamanon.types import ColourSpace, Picture

_BACKGROUND, _HEADLINE, _TEXT = (48, 40, 36), (235, 235, 235), (160, 160, 160)
"""BGR."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAP_PX = 22.0
"""Height of a capital letter at scale 1."""


def draw_placeholder(size: tuple[int, int], colour: ColourSpace, lines: Sequence[str]) -> Picture:
    """Draw lines of ASCII text, the headline first, in the middle of a picture of a size in px."""
    width, height = size
    image = np.full((height, width, 3), _BACKGROUND, np.uint8)
    pitch = height / 7
    top = (height - pitch * (len(lines) - 1)) / 2
    for index, line in enumerate(lines):
        tint, share = (_HEADLINE, 0.45) if index == 0 else (_TEXT, 0.3)
        scale = pitch * share / _CAP_PX
        thickness = max(1, round(2.5 * scale))
        (wide, high), _ = cv2.getTextSize(line, _FONT, scale, thickness)
        if wide > 0.9 * width:
            scale *= 0.9 * width / wide
            (wide, high), _ = cv2.getTextSize(line, _FONT, scale, thickness)
        origin = (round((width - wide) / 2), round(top + index * pitch + high / 2))
        cv2.putText(image, line, origin, _FONT, scale, tint, thickness, cv2.LINE_AA)
    picture = blank_picture(size, colour)
    blend_bgr(picture, (0, 0, width, height), image, np.ones((height, width), np.float32))
    return picture
