"""Reads BGR from a picture's planes and blends BGR into them, region by region.

Only the pixels of a region are converted, so that the rest of the frame stays identical from
decoder to encoder, whatever its colour matrix, range, depth and subsampling.

Source of the coefficients: ITU-R BT.601-7, BT.709-6, BT.2020-2 (Kr, Kb) and BT.2100 (ranges).
"""

from functools import lru_cache
from math import ceil, floor

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.imaging.profiles import from_srgb, to_srgb
from streamanon.types import F32, U8, ColourSpace, Picture, Plane

_KR_KB = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}

Box = tuple[int, int, int, int]


@lru_cache(maxsize=16)
def _to_bgr(colour: ColourSpace) -> F32:
    """Return the (3, 4) affine map from 8 bit-scaled planes to BGR 0..255."""
    if colour.matrix == "rgb":
        return np.eye(3, 4, dtype=np.float32)
    kr, kb = _KR_KB[colour.matrix]
    kg = 1.0 - kr - kb
    y_gain, c_gain, y_floor = (1.0, 1.0, 0.0) if colour.full_range else (255 / 219, 255 / 224, 16.0)
    red, blue = 2 * (1 - kr) * c_gain, 2 * (1 - kb) * c_gain
    gain = np.array(
        [[y_gain, blue, 0], [y_gain, -blue * kb / kg, -red * kr / kg], [y_gain, 0, red]]
    )
    offset = -gain @ np.array([y_floor, 128.0, 128.0])
    return np.column_stack([gain, offset]).astype(np.float32)


@lru_cache(maxsize=16)
def _from_bgr(colour: ColourSpace) -> F32:
    """Return the (3, 4) affine map from BGR 0..255 to 8 bit-scaled planes."""
    forward = np.vstack([_to_bgr(colour), [0, 0, 0, 1]]).astype(np.float64)
    return np.linalg.inv(forward)[:3].astype(np.float32)


def clip_box(picture: Picture, box: tuple[float, float, float, float] | F32) -> Box:
    """Round a box outwards to whole chroma samples and clip it to the picture (may be empty)."""
    step_x, step_y = (1 << shift for shift in picture.colour.chroma_shift)
    x0, y0, x1, y1 = (float(edge) for edge in box)
    left = max(0, floor(x0 / step_x) * step_x)
    top = max(0, floor(y0 / step_y) * step_y)
    right = min(picture.width, ceil(x1 / step_x) * step_x)
    bottom = min(picture.height, ceil(y1 / step_y) * step_y)
    return left, top, max(left, right), max(top, bottom)


def _chroma(box: Box, colour: ColourSpace) -> tuple[slice, slice]:
    """Return the (rows, columns) of the chroma planes under an aligned box."""
    sx, sy = colour.chroma_shift
    x0, y0, x1, y1 = box
    return slice(y0 >> sy, -(-y1 >> sy)), slice(x0 >> sx, -(-x1 >> sx))


def _to_8_bit(plane: Plane, depth: int) -> U8:
    if depth == 8:
        return np.ascontiguousarray(plane, dtype=np.uint8)
    scaled = cv2.convertScaleAbs(np.ascontiguousarray(plane), alpha=1.0 / (1 << (depth - 8)))
    return np.asarray(scaled, np.uint8)


def scaled(plane: Plane, size: tuple[int, int]) -> Plane:
    """Scale a plane, or an image of several channels, to size (width, height), keeping its type.

    Shrinking halves by area averaging as often as possible and interpolates the rest: it aliases no
    more than averaging areas of fractional size, at a tenth of the cost.
    """
    small = plane
    while small.shape[1] >= 2 * size[0] and small.shape[0] >= 2 * size[1]:
        small = _resize_once(small, (small.shape[1] // 2, small.shape[0] // 2), cv2.INTER_AREA)
    return small if small.shape[1::-1] == size else _resize_once(small, size, cv2.INTER_LINEAR)


def _resize_once(plane: Plane, size: tuple[int, int], interpolation: int) -> Plane:
    resized = cv2.resize(plane, size, interpolation=interpolation)
    if plane.dtype == np.uint8:
        return np.asarray(resized, np.uint8)
    return np.asarray(resized, np.uint16)


def _assemble(luma: U8, chroma: tuple[U8, U8], colour: ColourSpace) -> U8:
    """Join 8 bit planes into BGR; chroma is scaled to the luma's size when it differs."""
    size = (luma.shape[1], luma.shape[0])
    first, second = (part if part.shape == luma.shape else scaled(part, size) for part in chroma)
    joined = cv2.merge([luma, first, second])
    if colour.matrix != "rgb":
        joined = cv2.transform(joined, _to_bgr(colour))
    image = np.asarray(joined, np.uint8)
    return to_srgb(image, colour.profile) if colour.profile else image


def read_bgr(picture: Picture, box: Box) -> U8:
    """Return the pixels of an aligned, clipped box (see :func:`clip_box`), (h, w, 3) uint8 BGR."""
    x0, y0, x1, y1 = box
    depth = picture.colour.depth
    rows, columns = _chroma(box, picture.colour)
    luma = _to_8_bit(picture.planes[0][y0:y1, x0:x1], depth)
    first, second = (_to_8_bit(plane[rows, columns], depth) for plane in picture.planes[1:])
    return _assemble(luma, (first, second), picture.colour)


def whole_bgr(picture: Picture) -> U8:
    """Return the whole picture as (h, w, 3) uint8 BGR."""
    return read_bgr(picture, (0, 0, picture.width, picture.height))


def shrink(picture: Picture, box: Box, size: tuple[int, int]) -> U8:
    """Return an aligned, clipped box scaled to size (width, height) px, as uint8 BGR.

    It is scaled before colour conversion, which costs a fraction of converting it at full size.
    """
    x0, y0, x1, y1 = box
    rows, columns = _chroma(box, picture.colour)
    luma, first, second = (
        _to_8_bit(scaled(part, size), picture.colour.depth)
        for part in (
            picture.planes[0][y0:y1, x0:x1],
            picture.planes[1][rows, columns],
            picture.planes[2][rows, columns],
        )
    )
    return _assemble(luma, (first, second), picture.colour)


def thumbnail(picture: Picture, size: tuple[int, int]) -> U8:
    """Return the whole picture scaled to size (width, height) px, as uint8 BGR."""
    return shrink(picture, (0, 0, picture.width, picture.height), size)


def as_picture(image: U8) -> Picture:
    """Return (h, w, 3) uint8 BGR as a picture in planes of B, G and R."""
    blue, green, red = (np.asarray(plane, np.uint8) for plane in cv2.split(image))
    return Picture((blue, green, red), ColourSpace("rgb", full_range=True, chroma_shift=(0, 0)))


def blank_picture(size: tuple[int, int], colour: ColourSpace, grey: int = 0) -> Picture:
    """Return a picture of width and height in px, of one 8 bit grey level; 0 is black."""
    width, height = size
    shift_x, shift_y = colour.chroma_shift
    chroma = (-(-height >> shift_y), -(-width >> shift_x))
    levels = np.rint(_from_bgr(colour) @ np.array([grey, grey, grey, 1])).astype(int).tolist()
    dtype = np.uint8 if colour.depth == 8 else np.uint16
    planes = tuple(
        np.full(shape, level << (colour.depth - 8), dtype)
        for shape, level in zip(((height, width), chroma, chroma), levels, strict=True)
    )
    return Picture(planes, colour)


def copy_picture(picture: Picture) -> Picture:
    """Return a copy of a picture with contiguous planes."""
    return Picture(tuple(plane.copy(order="C") for plane in picture.planes), picture.colour)


def blend_bgr(picture: Picture, box: Box, image: U8, alpha: F32) -> None:
    """Blend BGR pixels into the planes of a picture, in place.

    Args:
        picture: picture with writable planes.
        box: aligned, clipped box (see :func:`clip_box`).
        image: (h, w, 3) uint8 BGR of the box's size.
        alpha: (h, w) float32 in 0..1; where it is 0 the planes keep their exact values.
    """
    colour = picture.colour
    x0, y0, x1, y1 = box
    if colour.profile:
        image = from_srgb(image, colour.profile)
    planar = image if colour.matrix == "rgb" else cv2.transform(image, _from_bgr(colour))
    rows, columns = _chroma(box, colour)
    places = ((slice(y0, y1), slice(x0, x1)), (rows, columns), (rows, columns))
    covered = cv2.countNonZero(alpha)
    whole = cv2.sumElems(alpha)[0] == covered  # no pixel is mixed
    mask = np.asarray(alpha > 0, np.uint8) if whole else None
    opaque = whole and covered == alpha.size
    for plane, new, where in zip(picture.planes, cv2.split(planar), places, strict=True):
        target = plane[where]
        size = (target.shape[1], target.shape[0])
        weight, value = alpha, np.asarray(new, np.uint8)
        if target.shape != alpha.shape:
            value = np.asarray(cv2.resize(value, size, interpolation=cv2.INTER_AREA), np.uint8)
            if not opaque:
                small = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
                weight = np.asarray(small, np.float32)
        if opaque:
            target[...] = value if colour.depth == 8 else _deeper(value, colour.depth)
        elif colour.depth == 8 and mask is not None and weight is alpha:
            cv2.copyTo(value, mask, target)
        elif colour.depth == 8:
            target[...] = blended(np.asarray(target, np.uint8), value, weight)
        else:
            old = target.astype(np.float32)
            mixed = old + (_deeper(value, colour.depth) - old) * weight
            np.copyto(target, np.rint(mixed), casting="unsafe")


def blended(below: U8, above: U8, alpha: F32) -> U8:
    """Return an 8 bit image, or plane, with another one laid over it.

    Args:
        below: (h, w) or (h, w, 3) uint8.
        above: uint8 of the same shape.
        alpha: (h, w) float32 opacity of what lies above, 0..1.
    """
    change = cv2.subtract(above, below, dtype=cv2.CV_32F)
    share = alpha if below.ndim == 2 else cv2.merge([alpha] * below.shape[2])
    change = cv2.multiply(change, share, dst=change)
    return np.asarray(cv2.add(below, change, dtype=cv2.CV_8U), np.uint8)


def _deeper(plane: U8, depth: int) -> NDArray[np.uint16]:
    """Scale 8 bit samples to more bits."""
    return plane.astype(np.uint16) << np.uint16(depth - 8)
