"""What an open picture says of itself beside its pixels: colours, depth, a film behind it.

Source: ITU-T H.273, tables 2 and 3 (code points); ISO/IEC 14496-12 (colr, ftyp); PNG (Third
Edition), 11.3.2 (cHRM, gAMA, sRGB, cICP); AV1 in ISOBMFF, 2.3.3 (av1C); ISO/IEC 15444-1, A.5.1
(SIZ of JPEG 2000); TIFF 6.0 (BitsPerSample).
"""

import re
from contextlib import suppress
from typing import IO

from PIL import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from streamanon.imaging.profiles import matrix_profile

_SEARCHED_BYTES = 1 << 16
"""How far headers are searched for: they come before the pictures."""
_NCLX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_CICP = re.compile(rb"\x00\x00\x00\x04cICP(.)(.)", re.DOTALL)

_AV1C = re.compile(rb"av1C\x81.(.)", re.DOTALL)
_SIZ = re.compile(rb"\xff\x4f\xff\x51.{38}(.)", re.DOTALL)
_BITS = 258
_FILM = re.compile(rb"\0\0\0.ftyp(?:isom|mp4|qt  )|\0.{3}mpvd", re.DOTALL)
"""How the film of a motion photo begins, behind a JPEG picture or within HEIC."""

_D65 = (0.3127, 0.329)
_SRGB = (*_D65, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_PRIMARIES = {
    5: (*_D65, 0.64, 0.33, 0.29, 0.6, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
"""x and y of white, red, green and blue where they are not those of sRGB."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
"""Exponents of transfer characteristics. Those of video are shown with the curve of sRGB."""
_HDR = {16: "PQ", 18: "HLG"}
_USUAL_GAMMA, _NEAR = 1 / 2.2, 0.01
"""What PNG files say that mean sRGB."""


def stated_profile(image: ImageFile.ImageFile, file: IO[bytes]) -> bytes:
    """Return an ICC profile of the colours that a picture states; b"" for those of sRGB.

    Raises:
        ValueError: they are HDR, which no picture that is written here can say.
    """
    info = image.info
    if info.get("icc_profile"):
        return bytes(info["icc_profile"])
    if codes := _codes(image, file):
        primaries, transfer = codes
        if transfer in _HDR:
            raise ValueError(f"its colours are HDR ({_HDR[transfer]}): convert it to SDR first")
        stated, gamma = _PRIMARIES.get(primaries, _SRGB), _GAMMAS.get(transfer)
    elif "srgb" in info:
        return b""
    else:
        stated = info.get("chromaticity", _SRGB)
        encoded = info.get("gamma") or _USUAL_GAMMA
        gamma = None if abs(encoded - _USUAL_GAMMA) < _NEAR else 1 / encoded
    if (stated, gamma) == (_SRGB, None):
        return b""
    with suppress(ValueError):  # of no colours, which viewers take for sRGB
        return matrix_profile(stated, gamma)
    return b""


def _codes(image: ImageFile.ImageFile, file: IO[bytes]) -> tuple[int, int] | None:
    """Return the code points of primaries and transfer that a file states."""
    pattern = {"PNG": _CICP, "AVIF": _NCLX, "HEIF": _NCLX}.get(image.format or "")
    if pattern is None:
        return None
    head = _read(file, _SEARCHED_BYTES)
    found = pattern.search(head.partition(b"IDAT")[0] if image.format == "PNG" else head)
    return (int.from_bytes(found[1], "big"), int.from_bytes(found[2], "big")) if found else None


def stored_bits(image: ImageFile.ImageFile, file: IO[bytes]) -> int:
    """Return the bits a channel of a picture that is not loaded; 8 if it does not say."""
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(_BITS, (1,))))
    if image.format == "HEIF":
        return int(image.info["bit_depth"])
    if image.format == "PNG":
        return 16 if any(";16" in str(tile.args) for tile in image.tile) else 8
    head = _read(file, _SEARCHED_BYTES)
    if image.format == "AVIF" and (found := _AV1C.search(head)):
        flags = found[1][0]
        return (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    if image.format == "JPEG2000" and (found := _SIZ.search(head)):
        return (found[1][0] & 0x7F) + 1
    return 8


def has_film(image: ImageFile.ImageFile, file: IO[bytes]) -> bool:
    """Tell whether a film is kept in the file of a picture, as phones do."""
    return image.format in ("JPEG", "MPO", "HEIF") and bool(_FILM.search(_read(file, -1)))


def _read(file: IO[bytes], size: int) -> bytes:
    """Return the beginning of a file, or all of it, for a size of -1; its position stays."""
    at = file.tell()
    file.seek(0)
    found = file.read(size)
    file.seek(at)
    return found
