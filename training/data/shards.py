"""Files of aligned crops: JPEG pictures, meshes, and who they show.

A shard is an ``.npz`` of the columns of :class:`Faces`. ``index.json`` beside the shards lists
them, what was left out and why, and the geometry of the crop they were cut with.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.errors import UsageError
from streamanon.face.network_input import CROP, EYE_DISTANCE, EYES_DOWN, AlignedFace
from streamanon.types import F32, MESH_POINTS, U8

INDEX = "index.json"

LARGEST_SHARD = 56 << 20
"""Bytes of crops and meshes after which a shard is full."""

JPEG_QUALITY = 95

STEPS_PER_PX = 128
"""Meshes are stored as 16 bit integers of this fraction of a crop px."""

GEOMETRY = {"crop": CROP, "eyes_down": EYES_DOWN, "eye_distance": EYE_DISTANCE}


@dataclass(frozen=True)
class Face:
    """One face as it is stored.

    Attributes:
        name: name of the picture, after that of its set.
        person: name of the person, unique over all sets.
        jpeg: the encoded crop.
        points: (478, 3) int16 mesh in crop px times STEPS_PER_PX.
        time_s: time in a video, or NaN for a photograph.
        presence: the mesh's own confidence, 0..1.
        pose: (3,) float32 yaw, pitch, roll in degrees.
        scale: picture px a crop px.
        skin_lab: (3,) float32 CIELAB of the cheeks, NaN where they could not be seen.
    """

    name: str
    person: str
    jpeg: bytes
    points: NDArray[np.int16]
    time_s: float
    presence: float
    pose: F32
    scale: float
    skin_lab: F32


def encode(image: U8) -> bytes:
    """Return a crop as a JPEG without chroma subsampling."""
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    return bytes(cv2.imencode(".jpg", image, options)[1].tobytes())


def quantised(points: F32) -> NDArray[np.int16]:
    """Return mesh points in crop px as they are stored."""
    limit = np.iinfo(np.int16)
    return np.clip(np.rint(points * STEPS_PER_PX), limit.min, limit.max).astype(np.int16)


@dataclass(frozen=True)
class Faces:
    """Many faces, column by column; rows are numbered from 0.

    Attributes:
        jpeg: uint8 bytes of all crops, one after the other.
        ends: (n,) int64 where in them each crop ends.
        points: (n, 478, 3) int16 meshes in crop px times STEPS_PER_PX.
        name: (n,) str of the pictures.
        person: (n,) str.
        time_s: (n,) float32 when in a video, or NaN.
        presence: (n,) float32.
        pose: (n, 3) float32 yaw, pitch, roll in degrees.
        scale: (n,) float32 picture px a crop px.
        skin_lab: (n, 3) float32 CIELAB of the cheeks, or NaN.
    """

    jpeg: U8
    ends: NDArray[np.int64]
    points: NDArray[np.int16]
    name: NDArray[np.str_]
    person: NDArray[np.str_]
    time_s: F32
    presence: F32
    pose: F32
    scale: F32
    skin_lab: F32

    def __len__(self) -> int:
        return len(self.ends)

    def face(self, row: int) -> AlignedFace:
        """Return one face, its crop decoded; its "frame" is the crop itself."""
        start = int(self.ends[row - 1]) if row else 0
        image = cv2.imdecode(self.jpeg[start : int(self.ends[row])], cv2.IMREAD_COLOR)
        points = self.points[row].astype(np.float32) / STEPS_PER_PX
        return AlignedFace(np.asarray(image, np.uint8), points, np.eye(2, 3, dtype=np.float32))

    @classmethod
    def of(cls, faces: Sequence[Face]) -> Faces:
        """Gather faces."""
        columns: dict[str, Any] = {
            field.name: np.array([getattr(face, field.name) for face in faces], np.float32)
            for field in dataclasses.fields(cls)
            if field.name in ("time_s", "presence", "pose", "scale", "skin_lab")
        }
        return cls(
            jpeg=np.frombuffer(b"".join(face.jpeg for face in faces), np.uint8),
            ends=np.cumsum([len(face.jpeg) for face in faces], dtype=np.int64),
            points=np.stack([face.points for face in faces]),
            name=np.array([face.name for face in faces]),
            person=np.array([face.person for face in faces]),
            **columns,
        )

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        """Put several one after the other."""
        sizes = np.cumsum([0] + [len(part.jpeg) for part in parts])
        columns: dict[str, Any] = {
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in dataclasses.fields(cls)
            if field.name != "ends"
        }
        ends = [part.ends + start for part, start in zip(parts, sizes, strict=False)]
        return cls(ends=np.concatenate(ends), **columns)


class ShardWriter:
    """Writes the shards of one set into a folder."""

    def __init__(self, folder: Path, set_name: str) -> None:
        self._folder, self._set = folder, set_name
        self._faces: list[Face] = []
        self._bytes = 0
        self.shards: list[dict[str, Any]] = []

    def add(self, face: Face) -> None:
        """Add one face; a full shard is written."""
        self._faces.append(face)
        self._bytes += len(face.jpeg) + face.points.nbytes
        if self._bytes > LARGEST_SHARD:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered."""
        if not self._faces:
            return
        name = f"{self._set}-{len(self.shards):03d}.npz"
        np.savez(self._folder / name, allow_pickle=False, **vars(Faces.of(self._faces)))
        self.shards.append({"file": name, "set": self._set, "faces": len(self._faces)})
        self._faces, self._bytes = [], 0


def load(folder: Path) -> Faces:
    """Return all faces of a prepared folder.

    Raises:
        UsageError: it is not one, or it was prepared for another geometry of the crop.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["geometry"] != GEOMETRY:
            raise UsageError(
                f"{folder} holds crops of geometry {index['geometry']}, wanted {GEOMETRY}: prepare "
                "the pictures again"
            )
        return Faces.joined([_load_shard(folder / shard["file"]) for shard in index["shards"]])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise UsageError(
            f"{folder} is not a folder of prepared faces ({error}): prepare the pictures first"
        ) from error


def _load_shard(path: Path) -> Faces:
    with path.open("rb") as file, np.load(file) as columns:
        faces = Faces(**{field.name: columns[field.name] for field in dataclasses.fields(Faces)})
    if faces.points.shape[1:] != (MESH_POINTS, 3) or faces.ends[-1] != len(faces.jpeg):
        raise ValueError(f"{path.name} is damaged")
    return faces
