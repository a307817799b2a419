"""The projection of 360 degree video, put into a finished mp4 or mov, which PyAV cannot ask for.

Source: Google, Spherical Video V2 RFC (boxes st3d and sv3d); ISO/IEC 14496-12 (stsd, stco, co64).
"""

import struct
from collections.abc import Iterator
from pathlib import Path

from streamanon.types import ContainerTags

_EQUIRECTANGULAR, _CUBEMAP, _TILE = 0, 1, 2
_STEREO_MODES = {0: 0, 1: 2, 2: 1}
"""Modes of st3d by FFmpeg's AVStereo3DType: one picture, side by side, top and bottom."""

_WAY_TO_ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_WAY_TO_OFFSETS = _WAY_TO_ENTRY[:-1]
_ENTRY_LIST = 16
"""Bytes of stsd before its entries."""

_BLOCK = 1 << 20

Box = tuple[bytes, int, int]


def projection_boxes(tags: ContainerTags) -> bytes:
    """Return the boxes of a video's projection; b"" where there is none or it has no box."""
    if tags.spherical is None:
        return b""
    kind, yaw, pitch, roll, left, top, right, bottom, padding = tags.spherical
    if kind in (_EQUIRECTANGULAR, _TILE):
        shape = _box(b"equi", struct.pack(">4x4I", top, bottom, left, right))
    elif kind == _CUBEMAP:
        shape = _box(b"cbmp", struct.pack(">4x2I", 0, padding))
    else:
        return b""
    pose = _box(b"prhd", struct.pack(">4x3i", yaw, pitch, roll))
    source = _box(b"svhd", bytes(5))
    boxes = _box(b"sv3d", source + _box(b"proj", pose + shape))
    if tags.stereo in _STEREO_MODES:
        boxes = _box(b"st3d", struct.pack(">4xB", _STEREO_MODES[tags.stereo])) + boxes
    return boxes


def insert(path: Path, boxes: bytes) -> None:
    """Append boxes to the description of the video in an mp4 or mov whose index comes first.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("r+b") as file:
        size = path.stat().st_size
        head = file.read(_BLOCK)
        at, end = next(place for name, *place in _boxes(head, 0, len(head)) if name == b"moov")
        file.seek(at)
        index = bytearray(file.read(end - at))
        ways = [
            way for way in _ways(index, _WAY_TO_ENTRY) if b"vide" in index[way[1][1] : way[1][2]]
        ]
        if not ways:
            return
        for name, step in ((b"stco", ">I"), (b"co64", ">Q")):
            for *_, (_, start, _) in _ways(index, (*_WAY_TO_OFFSETS, name)):
                _shift(index, start, step, len(boxes))
        entry = ways[0][-1][1] + _ENTRY_LIST
        (length,) = struct.unpack_from(">I", index, entry)
        for _, start, _ in (*ways[0], (b"", entry, 0)):
            (old,) = struct.unpack_from(">I", index, start)
            struct.pack_into(">I", index, start, old + len(boxes))
        index[entry + length : entry + length] = boxes
        for block in range(size - _BLOCK, end - _BLOCK, -_BLOCK):
            first = max(end, block)
            file.seek(first)
            moved = file.read(block + _BLOCK - first)
            file.seek(first + len(boxes))
            file.write(moved)
        file.seek(at)
        file.write(index)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _boxes(data: bytes | bytearray, start: int, end: int) -> Iterator[Box]:
    """Yield name, start and end of the boxes in a range; of an unfinished one, too."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        if size < 8:
            return
        yield name, start, start + size
        start += size


def _ways(
    index: bytearray, names: tuple[bytes, ...], start: int = 0, end: int | None = None
) -> Iterator[list[Box]]:
    """Yield the boxes on each way into an index."""
    for box in _boxes(index, start, len(index) if end is None else end):
        if box[0] == names[0]:
            deeper = _ways(index, names[1:], box[1] + 8, box[2]) if len(names) > 1 else [[]]
            for way in deeper:
                yield [box, *way]


def _shift(index: bytearray, start: int, step: str, distance: int) -> None:
    """Move the chunk offsets of a stco or co64 box."""
    (count,) = struct.unpack_from(">I", index, start + 12)
    width = struct.calcsize(step)
    for at in range(start + 16, start + 16 + count * width, width):
        (offset,) = struct.unpack_from(step, index, at)
        struct.pack_into(step, index, at, offset + distance)
