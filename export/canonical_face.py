"""Write ``streamanon/face/canonical_face.py`` from MediaPipe's face_landmarker.task.

    python export/canonical_face.py face_landmarker.task

Needs numpy only. The task file is a zip; its ``geometry_pipeline_metadata_landmarks.binarypb`` is a
protobuf: field 1 the mesh (field 3 vertices x, y, z, u, v; field 4 triangle indices), field 2 the
weighted points that tell the head's pose.
"""

from __future__ import annotations

import struct
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).parent.parent / "streamanon" / "face" / "canonical_face.py"

HEADER = '''"""The canonical face of MediaPipe's face mesh, written by ``export/canonical_face.py``.

Source: ``geometry_pipeline_metadata_landmarks.binarypb`` in Google's face_landmarker.task
(float16/1), Apache-2.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32


def _table(columns: int, numbers: str) -> F32:
    return np.array(numbers.split(), np.float32).reshape(-1, columns)


'''


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at a position and the position after it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield (field number, value) of a protobuf message; only what this file uses is understood."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        else:
            size, at = (4, at) if key & 7 == 5 else _varint(data, at)
            yield key >> 3, data[at : at + size]
            at += size


def _block(name: str, columns: int, note: str, numbers: list[str]) -> str:
    """Return one array as a literal of wrapped numbers."""
    body = "\n".join(textwrap.wrap(" ".join(numbers), 99))
    kind, cast = ("NDArray[np.int32]", ".astype(np.int32)") if name == "TRIANGLES" else ("F32", "")
    call = f'_table(\n    {columns},\n    """\n{body}\n""",\n)'
    return f'{name}: {kind} = {call}{cast}\n"""{note}"""\n'


def main() -> None:
    """Write the module."""
    with zipfile.ZipFile(sys.argv[1]) as task:
        data = task.read("geometry_pipeline_metadata_landmarks.binarypb")
    top = list(_fields(data))
    mesh = list(_fields(next(v for k, v in top if k == 1 and isinstance(v, bytes))))
    numbers = b"".join(v for k, v in mesh if k == 3 and isinstance(v, bytes))
    vertices = np.frombuffer(numbers, "<f4").reshape(-1, 5)
    triangles = [str(v) for k, v in mesh if k == 4]
    basis = []
    for point in (dict(_fields(v)) for k, v in top if k == 2 and isinstance(v, bytes)):
        (weight,) = struct.unpack("<f", point[2])  # type: ignore[arg-type]
        basis += [str(point.get(1, 0)), f"{weight:.6g}"]
    blocks = [
        _block(
            "TRIANGLES",
            3,
            "(898, 3) int32 corners of the skin's triangles, closed over eyes and mouth.",
            triangles,
        ),
        _block(
            "VERTICES",
            3,
            "(468, 3) float32 in centimetres: x to the subject's left, y up, z to the camera.",
            [f"{value:.6g}" for value in vertices[:, :3].ravel()],
        ),
        _block(
            "UV",
            2,
            "(468, 2) float32 in 0..1: where each vertex lies in a flattened face, v up.",
            [f"{value:.6g}" for value in vertices[:, 3:].ravel()],
        ),
        _block(
            "POSE_WEIGHTS",
            2,
            "(33, 2) float32 index and weight of the points that move little with expression.",
            basis,
        ),
    ]
    TARGET.write_text(HEADER + "\n".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
