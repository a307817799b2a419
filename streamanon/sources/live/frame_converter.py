"""Converts the pictures of a live stream to the size and colours of its first one."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from streamanon.imaging.orientation import Orientation, from_display_matrix
from streamanon.imaging.picture import blank_picture
from streamanon.sources.planar import (
    colour_space,
    display_matrix,
    matrix_code,
    planes_of,
    range_code,
)
from streamanon.types import ColourSpace, ContainerTags, Matrix, Plane

_LAYOUT = "yuv420p"
"""Pixel format of all live pictures, which every encoder, browser and virtual camera takes."""

_AS_THEY_ARE = ("yuv420p", "yuvj420p", "gray")
_SHIFTS = (0, 1, 1)
"""log2 of the subsampling of each plane, horizontally and vertically."""

_CODES: dict[Matrix, int] = {"bt709": 1, "bt601": 5, "bt2020": 9}
"""ITU-T H.273 table 4."""
_RANGES = {False: 1, True: 2}
"""Studio and full, as FFmpeg counts."""


class FrameConverter:
    """Converts any pictures to upright 8 bit 4:2:0 planes of one size and one colour space.

    The first picture decides. Later ones of another size are letterboxed.

    Attributes:
        width: upright width in pixels, even.
        height: upright height in pixels, even.
        colour: colour space of the planes.
        tags: container tags for outputs.
    """

    def __init__(self, first: VideoFrame, aspect: Fraction | None) -> None:
        """Take size and colours of the first picture; ``aspect`` is that of its stored pixels."""
        sideways = _orientation(first).sideways
        self._aspect = aspect or Fraction(1)
        width, height = (first.width & ~1, first.height & ~1)
        self.width, self.height = (height, width) if sideways else (width, height)
        self.colour = _colour(first)
        self.tags = ContainerTags(
            track=0,
            pixel_format=_LAYOUT,
            sample_aspect=1 / aspect if aspect and sideways else aspect,
            primaries=first.color_primaries,
            transfer=first.color_trc,
            matrix=matrix_code(first),
            colour_range=range_code(first),
        )

    def planes(self, frame: VideoFrame, aspect: Fraction | None) -> tuple[Plane, ...]:
        """Return the planes of any picture, as copies; ``aspect`` is that of its stored pixels."""
        orientation = _orientation(frame)
        width, height = self.width, self.height
        stored = (height, width) if orientation.sideways else (width, height)
        if (frame.width & ~1, frame.height & ~1) == stored:
            planes = self._converted(frame, (frame.width, frame.height))
        else:
            planes = self._letterboxed(frame, aspect or Fraction(1), stored)
        luma, *chroma = (orientation.upright(plane) for plane in planes)
        # an odd last row or column is cut off
        return (
            np.ascontiguousarray(luma[:height, :width], np.uint8),
            *(
                np.ascontiguousarray(plane[: height // 2, : width // 2], np.uint8)
                for plane in chroma
            ),
        )

    def _converted(self, frame: VideoFrame, size: tuple[int, int]) -> tuple[Plane, ...]:
        """Return the planes of a picture at a size, in the colour space of the first."""
        found = _colour(frame)
        as_it_is = frame.format.name in _AS_THEY_ARE and found == self.colour
        if as_it_is and (frame.width, frame.height) == size:
            return planes_of(frame, _LAYOUT)
        # ranges are explicit: by default swscale converts yuvj422p to studio range
        scaled = frame.reformat(
            *size,
            format=_LAYOUT,
            src_colorspace=_CODES[found.matrix],
            dst_colorspace=_CODES[self.colour.matrix],
            src_color_range=_RANGES[found.full_range],
            dst_color_range=_RANGES[self.colour.full_range],
        )
        return planes_of(scaled, _LAYOUT)

    def _letterboxed(
        self, frame: VideoFrame, aspect: Fraction, size: tuple[int, int]
    ) -> tuple[Plane, ...]:
        """Scale a picture into the middle of a black picture of another size."""
        shape = Fraction(frame.width, frame.height) * aspect / self._aspect
        width = max(2, min(size[0], round(size[1] * shape)) & ~1)
        height = max(2, min(size[1], round(size[0] / shape)) & ~1)
        x, y = (size[0] - width) // 2 & ~1, (size[1] - height) // 2 & ~1
        planes = blank_picture(size, self.colour).planes
        inner = self._converted(frame, (width, height))
        for shift, plane, part in zip(_SHIFTS, planes, inner, strict=True):
            rows, columns = part.shape
            plane[y >> shift :, x >> shift :][:rows, :columns] = part
        return planes


def _orientation(frame: VideoFrame) -> Orientation:
    return from_display_matrix(display_matrix(frame))


def _colour(frame: VideoFrame) -> ColourSpace:
    return replace(colour_space(frame), depth=8, chroma_shift=(1, 1))
