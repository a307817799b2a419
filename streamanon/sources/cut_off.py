"""Whether the end of a file is missing: what its outermost parts state against its size.

Sources: ISO/IEC 14496-12 (names of boxes); RFC 8794, section 4 (EBML); RIFF, "Multimedia
Programming Interface and Data Specifications 1.0" (IBM and Microsoft, 1991).
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from streamanon.media.file_types import box_header

_BOXES = frozenset(b"ftyp styp moov moof mdat mfra sidx meta uuid free skip wide".split())
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067


def missing_bytes(path: Path) -> int:
    """Return how many bytes of an mp4, mov, mkv, webm or avi are missing at least.

    It is 0 if none are, or the file does not state it.
    """
    if not path.is_file():
        return 0
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(12)
        if begin[4:8] in _BOXES:
            return max(_end_of_boxes(file, size) - size, 0)
        if int.from_bytes(begin[:4]) == _EBML:
            return max(_end_of_segment(file) - size, 0)
        if begin[:4] == b"RIFF" and begin[8:] == b"AVI ":
            (stated,) = struct.unpack("<I", begin[4:8])
            return int(max(stated + 8 - size, 0))
    return 0


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Return where the last box that begins in an ISO base media file ends."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        name, length = box_header(file.read(16))
        if length < 8 or name not in _BOXES:  # up to the end of the file, or no box
            return 0
        at += length
    return at


def _end_of_segment(file: BinaryIO) -> int:
    """Return where the segment of a Matroska file ends; 0 if it does not state it."""
    file.seek(0)
    while True:
        name, length = _number(file, marked=True), _number(file, marked=False)
        if name is None or length is None:
            return 0
        if name == _SEGMENT:
            return file.tell() + length
        file.seek(length, os.SEEK_CUR)


def _number(file: BinaryIO, *, marked: bool) -> int | None:
    """Read a variable-length number, with its length marker or without; None if it is not there."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(first + rest)
    unknown = (1 << (7 * (more + 1))) - 1
    if len(rest) < more:
        return None
    if marked:
        return value
    value &= unknown
    return None if value == unknown else value
