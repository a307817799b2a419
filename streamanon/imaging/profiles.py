"""ICC profiles of pictures: reduced to what defines colours, and conversion to and from sRGB.

A profile can name a device, its serial number and its owner, and can hold anything else. What is
kept is a new profile with nothing but the primaries, the white and the curves of the old one.

Source: ICC.1:2022, clauses 7.2 (header), 7.3 (tag table), 9.2 (tags), 10.15 (mluc).
"""

import io
import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

from streamanon.types import U8

_HEADER, _ENTRY = 128, 12
_PRIMARIES, _CURVES = (b"rXYZ", b"gXYZ", b"bXYZ"), (b"rTRC", b"gTRC", b"bTRC")
_TABLES = (b"A2B0", b"A2B1", b"A2B2", b"D2B0", b"D2B1", b"D2B2")
"""Tags that come before primaries and curves where a profile has both."""

_D50_XYZ = (0.9642, 1.0, 0.8249)
_D50 = struct.pack(">3i", 63190, 65536, 54061)
"""White of the profile connection space, also as 16.16 fixed-point numbers."""

_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
"""From XYZ to cones, for adaptation to another white (ICC.1:2022, annex E)."""

_LEAST_VOLUME = 1e-3
"""Of the primaries of real colours: their determinant in XYZ is well above."""

_SAME = 1
"""Levels of 255 by which the colours of a profile taken for sRGB may differ from it."""


def reduced_profile(icc: bytes) -> bytes | None:
    """Return a profile of R, G and B with the colours of another one, and nothing else of it.

    Args:
        icc: profile of an RGB or grey picture.

    Returns:
        The profile; b"" where it is sRGB; None where primaries and curves do not define it, so that
        the picture has to be converted.

    Raises:
        ValueError: it is not a profile that can be read.
    """
    tags = _tags(icc)
    space, connection = icc[16:20], icc[20:24]
    if connection != b"XYZ " or any(table in tags for table in _TABLES):
        return None
    if space == b"GRAY" and b"kTRC" in tags:
        standard = _tags(_srgb().tobytes())
        tags = {name: standard[name] for name in _PRIMARIES} | dict.fromkeys(_CURVES, tags[b"kTRC"])
    elif space != b"RGB " or any(name not in tags for name in (*_PRIMARIES, *_CURVES)):
        return None
    profile = _assembled({name: tags[name] for name in (*_PRIMARIES, *_CURVES)})
    try:
        levels = np.indices((6, 6, 6), np.uint8).reshape(3, 1, -1).transpose(1, 2, 0) * 51
        seen = to_srgb(np.ascontiguousarray(levels), profile)
        from_srgb(seen, profile)
    except ImageCms.PyCMSError as error:
        raise ValueError("curves or primaries of the profile make no sense") from error
    return b"" if np.abs(seen.astype(int) - levels).max() <= _SAME else profile


def matrix_profile(chromaticities: Sequence[float], gamma: float | None) -> bytes:
    """Return a profile from (8,) x and y (CIE 1931) of white, red, green and blue.

    Gamma is the exponent of all three curves; None for the curve of sRGB.

    Raises:
        ValueError: they are those of no colours.
    """
    x, y = np.reshape(chromaticities, (4, 2)).T
    if (y <= 0).any() or (gamma is not None and gamma <= 0):
        raise ValueError("chromaticities of no colours")
    white, *colours = np.stack([x / y, np.ones(4), (1 - x - y) / y], 1)
    columns = np.stack(colours, 1)
    if abs(np.linalg.det(columns)) < _LEAST_VOLUME:
        raise ValueError("primaries that are no three colours")
    columns = columns * np.linalg.solve(columns, white)
    seen = _BRADFORD @ np.array([_D50_XYZ, white]).T
    adapted = np.linalg.solve(_BRADFORD, (seen[:, 0] / seen[:, 1])[:, None] * _BRADFORD) @ columns
    fixed = np.rint(adapted.T * 65536).astype(">i4")
    tags = {
        name: b"XYZ \0\0\0\0" + one.tobytes() for name, one in zip(_PRIMARIES, fixed, strict=True)
    }
    curve = _tags(_srgb().tobytes())[_CURVES[0]]
    if gamma is not None:
        curve = b"para\0\0\0\0\0\0\0\0" + struct.pack(">i", round(gamma * 65536))
    return _assembled(tags | dict.fromkeys(_CURVES, curve))


def to_srgb(image: U8, profile: bytes) -> U8:
    """Return (h, w, 3) uint8 BGR in the colours of a profile as sRGB."""
    return _converted(image, _transforms(profile)[0])


def from_srgb(image: U8, profile: bytes) -> U8:
    """Return (h, w, 3) uint8 BGR in sRGB in the colours of a profile."""
    return _converted(image, _transforms(profile)[1])


def as_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """Return a picture of any number of channels, of 8 bits each, as sRGB.

    Raises:
        ValueError: the profile cannot be read, or is of another kind of picture.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, SyntaxError) as error:
        raise ValueError("the profile cannot be used") from error
    assert converted is not None  # only with inPlace
    return converted


def _converted(image: U8, transform: ImageCms.ImageCmsTransform) -> U8:
    rgb = Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    converted = ImageCms.applyTransform(rgb, transform)
    assert converted is not None  # only with inPlace
    return np.ascontiguousarray(np.asarray(converted, np.uint8)[:, :, ::-1])


@lru_cache(maxsize=8)
def _transforms(profile: bytes) -> tuple[ImageCms.ImageCmsTransform, ImageCms.ImageCmsTransform]:
    """Return the transforms of RGB to sRGB and back."""
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return (
        ImageCms.buildTransform(own, _srgb(), "RGB", "RGB"),
        ImageCms.buildTransform(_srgb(), own, "RGB", "RGB"),
    )


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _tags(icc: bytes) -> dict[bytes, bytes]:
    """Return the content of each tag by its signature."""
    if len(icc) < _HEADER + 4 or icc[36:40] != b"acsp":
        raise ValueError("not an ICC profile")
    (count,) = struct.unpack_from(">I", icc, _HEADER)
    if _HEADER + 4 + count * _ENTRY > len(icc):
        raise ValueError("the ICC profile is cut off")
    entries = struct.iter_unpack(">4sII", icc[_HEADER + 4 : _HEADER + 4 + count * _ENTRY])
    return {name: icc[start : start + size] for name, start, size in entries}


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, b"enUS", len(encoded), 28) + encoded


def _assembled(colours: dict[bytes, bytes]) -> bytes:
    """Return a display profile of version 4 from the tags of primaries and curves."""
    white = b"XYZ \0\0\0\0" + _D50
    tags = {b"desc": _text("RGB"), b"cprt": _text("CC0"), b"wtpt": white} | colours
    start, table, content = _HEADER + 4 + len(tags) * _ENTRY, b"", b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    size = start + len(content)
    header = struct.pack(">I4xI4s4s4s", size, 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    dated = struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp")
    header = (header + dated).ljust(68, b"\0") + _D50
    return header.ljust(_HEADER, b"\0") + struct.pack(">I", len(tags)) + table + content
