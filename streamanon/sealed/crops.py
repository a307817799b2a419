"""Which pixels of a frame were changed, whose they are, and the crops that hold them.

A frame is divided into blocks of 16 x 16 px. A block with a changed pixel belongs to the subject
whose cover is nearest, so that no face lies in the crops of another person. All of that is
read off the raw and the safe picture: nothing an anonymiser did can be missed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamanon.types import F32, ColourSpace, Picture, Plane

BLOCK_PX = 16
_MARGIN, _STEP = 2, 4
"""Blocks by which a crop is larger than what it holds, so that it need not move at once, and of
which its sides are multiples."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a crop lies, in blocks.

    Attributes:
        column: left edge; blocks beyond the right and lower edge of the frame are empty.
        row: upper edge.
        columns: width.
        rows: height.
    """

    column: int
    row: int
    columns: int
    rows: int

    def holds(self, mask: Mask) -> bool:
        """Tell whether every block of a mask of the frame lies inside."""
        inside = mask[self.row : self.row + self.rows, self.column : self.column + self.columns]
        return int(inside.sum()) == int(mask.sum())

    def moved_to(self, mask: Mask) -> Place | None:
        """Return the place of the same size around a mask, or None when it is too small."""
        top, bottom, left, right = _edges(mask)
        if bottom - top > self.rows or right - left > self.columns:
            return None
        row = max(0, (top + bottom - self.rows) // 2)
        column = max(0, (left + right - self.columns) // 2)
        return Place(column, row, self.columns, self.rows)

    def cut(self, mask: Mask) -> Mask:
        """Return the part of a mask of the frame that lies inside, in full size."""
        found = np.zeros((self.rows, self.columns), np.bool_)
        part = mask[self.row : self.row + self.rows, self.column : self.column + self.columns]
        found[: part.shape[0], : part.shape[1]] = part
        return found


def place_around(mask: Mask) -> Place:
    """Return a place with some room around the blocks of a mask, one at least."""
    top, bottom, left, right = _edges(mask)
    rows = -(-min(bottom - top + 2 * _MARGIN, mask.shape[0]) // _STEP) * _STEP
    columns = -(-min(right - left + 2 * _MARGIN, mask.shape[1]) // _STEP) * _STEP
    found = Place(0, 0, columns, rows).moved_to(mask)
    assert found
    return found


def changed_blocks(raw: Picture, safe: Picture) -> Mask:
    """Return (rows, columns), True for each block in which a sample differs."""
    rows, columns = -(-raw.height // BLOCK_PX), -(-raw.width // BLOCK_PX)
    found = np.zeros((rows, columns), np.bool_)
    for number, (before, after) in enumerate(zip(raw.planes, safe.planes, strict=True)):
        height, width = _block(raw.colour, number)
        differs = np.zeros((rows * height, columns * width), np.bool_)
        inside = differs[: before.shape[0], : before.shape[1]]
        np.not_equal(before, after, out=inside)
        lines = np.logical_or.reduce(differs.reshape(rows, height, -1), axis=1)
        found |= lines.reshape(rows, columns, width).any(axis=2)
    return found


def owners(changed: Mask, covers: Sequence[F32]) -> NDArray[np.intp]:
    """Return (rows, columns), the index of the cover in px that is nearest to each block.

    Distance is measured in half sides of a cover from its middle; -1 where nothing was changed.
    """
    rows, columns = np.indices(changed.shape)
    x, y = ((index + 0.5) * BLOCK_PX for index in (columns, rows))
    away = [
        np.maximum(
            np.abs(2 * x - box[0] - box[2]) / max(box[2] - box[0], 1),
            np.abs(2 * y - box[1] - box[3]) / max(box[3] - box[1], 1),
        )
        for box in covers
    ]
    return np.where(changed, np.argmin(away, axis=0), -1)


def cut_out(picture: Picture, place: Place, mask: Mask) -> tuple[Plane, ...]:
    """Return the planes of a crop; grey but in the (rows, columns) blocks of its mask."""
    grey = 1 << (picture.colour.depth - 1)
    crop = []
    for number, plane in enumerate(picture.planes):
        height, width = _block(picture.colour, number)
        made = np.full((place.rows * height, place.columns * width), grey, plane.dtype)
        part = _part(plane, place, (height, width))
        shown = _grown(mask, (height, width))[: part.shape[0], : part.shape[1]]
        np.copyto(made[: part.shape[0], : part.shape[1]], part, where=shown)
        crop.append(made)
    return tuple(crop)


def paste_back(picture: Picture, place: Place, mask: Mask, crop: Sequence[Plane]) -> None:
    """Put the blocks of a crop into a writable picture; see :func:`cut_out`."""
    for number, plane in enumerate(picture.planes):
        size = _block(picture.colour, number)
        part = _part(plane, place, size)
        shown = _grown(mask, size)[: part.shape[0], : part.shape[1]]
        np.copyto(part, crop[number][: part.shape[0], : part.shape[1]], where=shown)


def packed_mask(mask: Mask) -> bytes:
    """Return a mask as bytes."""
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def unpacked_mask(data: bytes, shape: tuple[int, int]) -> Mask:
    """Return the mask of (rows, columns) in bytes."""
    bits = np.frombuffer(zlib.decompress(data), np.uint8)
    return np.unpackbits(bits, count=shape[0] * shape[1]).reshape(shape).astype(np.bool_)


def _edges(mask: Mask) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the blocks of a mask, the far ones exclusive."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def _block(colour: ColourSpace, number: int) -> tuple[int, int]:
    """Return height and width of a block in samples of a plane."""
    shift_x, shift_y = colour.chroma_shift if number else (0, 0)
    return BLOCK_PX >> shift_y, BLOCK_PX >> shift_x


def _part(plane: Plane, place: Place, block: tuple[int, int]) -> Plane:
    """Return the samples of a plane under a crop."""
    height, width = block
    rows = slice(place.row * height, (place.row + place.rows) * height)
    return plane[rows, place.column * width : (place.column + place.columns) * width]


def _grown(mask: Mask, block: tuple[int, int]) -> Mask:
    """Return a mask of samples."""
    return np.repeat(np.repeat(mask, block[0], axis=0), block[1], axis=1)
