"""Write ``streamanon/face/canonical_face.npz`` from MediaPipe's face_landmarker.task.

    python export/canonical_face.py streamanon/weights/face_landmarker.task

Needs numpy only. The task file is a zip; its ``geometry_pipeline_metadata_landmarks.binarypb`` is a
protobuf: field 1 the mesh (field 3 vertices x, y, z, u, v; field 4 triangle indices), field 2 the
weighted points that tell the head's pose.
"""

import struct
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

TARGET = Path(__file__).parent.parent / "streamanon" / "face" / "canonical_face.npz"


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


def _six_digits(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to the six digits with which the networks were trained."""
    return np.array([f"{value:.6g}" for value in numbers.ravel()], np.float32).reshape(
        numbers.shape
    )


def main() -> None:
    """Write the file."""
    with zipfile.ZipFile(sys.argv[1]) as task:
        data = task.read("geometry_pipeline_metadata_landmarks.binarypb")
    top = list(_fields(data))
    mesh = list(_fields(next(v for k, v in top if k == 1 and isinstance(v, bytes))))
    numbers = b"".join(v for k, v in mesh if k == 3 and isinstance(v, bytes))
    vertices = np.frombuffer(numbers, "<f4").reshape(-1, 5)
    points = (dict(_fields(v)) for k, v in top if k == 2 and isinstance(v, bytes))
    weights = [(one.get(1, 0), *struct.unpack("<f", one[2])) for one in points]  # type: ignore[arg-type]
    np.savez_compressed(
        TARGET,
        triangles=np.array([v for k, v in mesh if k == 4], np.int32).reshape(-1, 3),
        vertices=_six_digits(vertices[:, :3]),
        pose_weights=_six_digits(np.array(weights, np.float32)),
    )


if __name__ == "__main__":
    main()
