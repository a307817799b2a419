"""Pairs of a face and what the product makes of it, in the crop of the anonymised one.

The crop, like everything that recovery may see, comes from the anonymised picture alone.
"""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from streamanon import Anonymiser, Config, Treatment
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face.network_input import CROP, AlignedFace
from streamanon.face.shape import Pose, mirrored
from streamanon.factory import Factory
from streamanon.imaging.crop import crop_square
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8, Mesh, Picture
from training.data.entries import Entry, read_entries
from training.data.variation import MIRROR
from training.recovery.model import SIDE_PX
from training.recovery.texture import laid_out

SHARD = 1000
"""Pairs in a file."""

MIN_FACE_PX, MIN_PRESENCE = 30, 0.8


class Pair(NamedTuple):
    """A face twice.

    Attributes:
        original: (64, 64, 3) uint8 BGR.
        anonymised: (64, 64, 3) uint8 BGR, the same part of the anonymised picture.
        points: (478, 3) float32 mesh of the anonymised face in px of the crop.
        offsets: (478, 3) float32 from it to the mesh of the original, canonical units.
    """

    original: U8
    anonymised: U8
    points: F32
    offsets: F32

    @classmethod
    def of(cls, picture: Picture, mesh: F32, safe: Picture, safe_mesh: F32) -> Pair:
        """Cut a pair out of two pictures, given the (478, 3) meshes of the face in each."""
        face = AlignedFace.of(safe, safe_mesh)
        ends = np.array([[0, 0, 1], [CROP, 0, 1], [0, CROP, 1]], np.float32) @ face.to_frame.T
        pose = Pose.of(safe_mesh)
        return cls(
            _smaller(crop_square(picture, ends, CROP)),
            _smaller(face.image),
            face.points * np.float32(SIDE_PX / CROP),
            pose.canonical(mesh) - pose.canonical(safe_mesh),
        )

    @property
    def mesh(self) -> F32:
        """(478, 3) float32 mesh of the original in px of the crop."""
        return np.asarray(self.points + Pose.of(self.points).placed(self.offsets), np.float32)

    @property
    def textures(self) -> tuple[U8, U8]:
        """(64, 64, 3) uint8 BGR textures of the original and of the anonymised face."""
        return laid_out(self.original, self.mesh), laid_out(self.anonymised, self.points)

    def mirrored(self) -> Pair:
        """Return the pair in a mirror."""
        points = self.points[MIRROR]
        points[:, 0] = SIDE_PX - 1 - points[:, 0]
        original, anonymised = (
            np.ascontiguousarray(one[:, ::-1]) for one in (self.original, self.anonymised)
        )
        return Pair(original, anonymised, points, mirrored(self.offsets))


def _smaller(crop: U8) -> U8:
    return np.asarray(cv2.resize(crop, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True)
class Pairs:
    """Many pairs, column by column: those of :class:`Pair`, and (n,) str ``person``."""

    original: U8
    anonymised: U8
    points: F32
    offsets: NDArray[np.float16]
    person: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.person)

    def __getitem__(self, row: int) -> Pair:
        """Return one of them."""
        offsets = self.offsets[row].astype(np.float32)
        return Pair(self.original[row], self.anonymised[row], self.points[row], offsets)

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, Pair]]) -> Pairs:
        """Gather pairs of people."""
        columns = [np.stack(column) for column in zip(*(pair for _, pair in pairs), strict=True)]
        original, anonymised, points, offsets = columns
        people = np.array([one for one, _ in pairs])
        return cls(original, anonymised, points, offsets.astype(np.float16), people)

    @classmethod
    def load(cls, folder: Path) -> Pairs:
        """Return all pairs in a folder.

        Raises:
            UsageError: there are none.
        """
        files = sorted(folder.glob("*.npz"))
        if not files:
            raise UsageError(f"{folder} holds no pairs: give pictures to make them of")
        parts = [np.load(file) for file in files]
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([part[name] for part in parts]) for name in names})


def make_pairs(
    inputs: Sequence[Path], folder: Path, *, count: int, method: str, processes: int
) -> None:
    """Write pairs of pictures of several sets, in random order, none of people kept for testing.

    Args:
        inputs: tar files or folders of faces.
        folder: where shards are written; it appears when it is complete.
        count: pairs at most.
        method: method that the faces are anonymised by.
        processes: number of worker processes.
    """
    entries = [one for path in inputs for one in read_entries(path) if not one.held_out]
    np.random.default_rng(0).shuffle(entries)
    unfinished = folder.with_name(folder.name + ".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    made: list[tuple[str, Pair]] = []
    made_by = partial(pair_of, method=method)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        outcomes: Iterable[Pair | None] = pool.imap(made_by, entries[:count], chunksize=8)
        for entry, pair in zip(track(entries[:count], "pairs"), outcomes, strict=False):
            if pair:
                made.append((entry.person, pair))
            if len(made) == SHARD:
                _write(made, unfinished)
                made = []
    if made:
        _write(made, unfinished)
    unfinished.replace(folder)


def _write(made: list[tuple[str, Pair]], folder: Path) -> None:
    number = len(list(folder.glob("*.npz")))
    np.savez(folder / f"{number:03d}.npz", allow_pickle=False, **vars(Pairs.of(made)))


@lru_cache(maxsize=1)
def _product(method: str) -> tuple[Anonymiser, Factory]:
    cv2.setNumThreads(1)
    settings = Config(method=method, min_face=MIN_FACE_PX)
    return Anonymiser(settings), Factory(settings)


def pair_of(entry: Entry, method: str) -> Pair | None:
    """Return the pair of a picture with one face, or None where that was not replaced."""
    image = cv2.imdecode(np.frombuffer(entry.read(), np.uint8), cv2.IMREAD_COLOR)
    return None if image is None else pair_of_image(np.asarray(image, np.uint8), method)


def pair_of_image(image: U8, method: str) -> Pair | None:
    """Return the pair of a (h, w, 3) uint8 BGR picture, or None where its face is not replaced."""
    anonymiser, factory = _product(method)
    picture = as_picture(image)
    faces = [face for face in factory.detector.detect(picture) if face.points is not None]
    if len(faces) != 1:
        return None
    assert faces[0].points is not None
    first = factory.mesher.fit(picture, lm.roi_from_points(faces[0].points))
    mesh = _fitted(factory, picture, first.points)
    safe = anonymiser.image(image, faces=True)
    if [face.treatment for face in safe.faces] != [Treatment.REPLACED]:
        return None
    anonymised = as_picture(safe.image)
    safe_mesh = _fitted(factory, anonymised, mesh.points)
    if min(mesh.presence, safe_mesh.presence) < MIN_PRESENCE:
        return None
    return Pair.of(picture, mesh.points, anonymised, safe_mesh.points)


def _fitted(factory: Factory, picture: Picture, around: F32) -> Mesh:
    return factory.mesher.fit(picture, lm.roi_from_mesh(around))
