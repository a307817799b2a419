"""Labeled Faces in the Wild: the folds kept for testing, and the pairs of their people.

Source: Huang et al., "Labeled Faces in the Wild", University of Massachusetts, Amherst, TR 07-49,
2007. Its View 2 has ten folds of 300 pairs of one person and 300 pairs of two. Where the data holds
its list, ``pairs.txt``, that is used. Otherwise as many pairs are drawn from the people of the same
fold, each person as likely as any other; these are then *not* the official pairs.
"""

from __future__ import annotations

import csv
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.types import U8

TEST_FOLDS = (7, 8)
"""Neither pictures nor people of these folds may be trained on."""

PAIRS_OF_A_KIND = 300
"""Pairs of one person in a fold, and pairs of two (View 2)."""

DRAWN = "drawn: 300 + 300 pairs a fold with seed 0, not the official list"
OFFICIAL = "official: pairs.txt of View 2"

_SEED = 0
_INDEX, _OFFICIAL_LIST = "index.csv", "pairs.txt"
_COLUMNS = {"file", "person", "lfw_folds"}


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures, named as in the index; the second is the one that gets anonymised."""

    first: str
    second: str
    same: bool


class Lfw:
    """Pictures and pairs out of ``lfw.tar`` or the folder it unpacks to.

    Attributes:
        person: person in each picture of the index.
        source: source of the pairs, :data:`DRAWN` or :data:`OFFICIAL`.
    """

    def __init__(self, path: Path) -> None:
        """Open the data.

        Args:
            path: the tar file, the unpacked folder, or a folder that holds either.

        Raises:
            UsageError: the path holds no usable data.
        """
        self._files = _open(path)
        rows = list(csv.DictReader(io.StringIO(self._files.read(_INDEX).decode())))
        missing = _COLUMNS - (rows[0].keys() if rows else set())
        if missing:
            raise UsageError(
                f"{path}: {_INDEX} has no column {', '.join(sorted(missing))}: wanted the LFW "
                "index with file, person and lfw_folds"
            )
        self.person = {row["file"]: row["person"] for row in rows}
        self._folds = {row["file"]: row["lfw_folds"].split() for row in rows}
        self._path = path
        self.source = OFFICIAL if self._files.has(_OFFICIAL_LIST) else DRAWN

    def image(self, name: str) -> U8:
        """Return a picture as (h, w, 3) uint8 BGR.

        Raises:
            UsageError: it is missing or cannot be decoded.
        """
        stored = np.frombuffer(self._files.read(name), np.uint8)
        image = cv2.imdecode(stored, cv2.IMREAD_COLOR) if stored.size else None
        if image is None:
            raise UsageError(f"{self._path}: {name} is no picture: unpack or copy the data again")
        return np.asarray(image, np.uint8)

    def pairs(self, fold: int, of_a_kind: int = PAIRS_OF_A_KIND) -> list[Pair]:
        """Return the pairs of a fold, those of one person first.

        Args:
            fold: number of the fold, from 1.
            of_a_kind: number of pairs of each kind, from the top of the list.

        Raises:
            UsageError: the data holds no such fold.
        """
        files = [file for file, folds in self._folds.items() if str(fold) in folds]
        if not files:
            raise UsageError(
                f"{self._path} holds no picture of LFW fold {fold}: use the data with folds "
                f"{' and '.join(map(str, TEST_FOLDS))}"
            )
        official = self.source == OFFICIAL
        pairs = self._listed(fold) if official else self._drawn(fold, files)
        same = [pair for pair in pairs if pair.same]
        different = [pair for pair in pairs if not pair.same]
        return same[:of_a_kind] + different[:of_a_kind]

    def _listed(self, fold: int) -> list[Pair]:
        """Read a fold of the official list."""
        lines = self._files.read(_OFFICIAL_LIST).decode().splitlines()[1:]
        start = (fold - 1) * 2 * PAIRS_OF_A_KIND
        by_stem = {PurePosixPath(file).stem: file for file in self.person}
        pairs = []
        for line in lines[start : start + 2 * PAIRS_OF_A_KIND]:
            match line.split():
                case [person, one, two]:
                    stems, same = (_stem(person, one), _stem(person, two)), True
                case [person, one, other, two]:
                    stems, same = (_stem(person, one), _stem(other, two)), False
                case _:
                    raise UsageError(f"{self._path}: {_OFFICIAL_LIST} has the line {line!r}")
            absent = [stem for stem in stems if stem not in by_stem]
            if absent:
                raise UsageError(f"{self._path}: {absent[0]} of {_OFFICIAL_LIST} is not there")
            pairs.append(Pair(by_stem[stems[0]], by_stem[stems[1]], same))
        return pairs

    def _drawn(self, fold: int, files: Sequence[str]) -> list[Pair]:
        """Draw pairs of a fold: people first, each as likely as any other, then their pictures."""
        random = np.random.default_rng([_SEED, fold])
        by_person: dict[str, list[str]] = {}
        for file in sorted(files):
            by_person.setdefault(self.person[file], []).append(file)
        people = sorted(by_person)
        several = [person for person in people if len(by_person[person]) > 1]
        if _choices(by_person) < PAIRS_OF_A_KIND or len(people) < 2:
            raise UsageError(
                f"{self._path}: fold {fold} has too few pictures for {PAIRS_OF_A_KIND} pairs of "
                "one person: use the whole data"
            )
        same: dict[tuple[str, ...], Pair] = {}
        while len(same) < PAIRS_OF_A_KIND:
            person = several[random.integers(len(several))]
            first, second = random.choice(by_person[person], 2, replace=False).tolist()
            same.setdefault(tuple(sorted((first, second))), Pair(first, second, same=True))
        different: dict[tuple[str, ...], Pair] = {}
        while len(different) < PAIRS_OF_A_KIND:
            chosen = random.choice(len(people), 2, replace=False)
            first, second = (random.choice(by_person[people[one]]).item() for one in chosen)
            different.setdefault(tuple(sorted((first, second))), Pair(first, second, same=False))
        return [*same.values(), *different.values()]


def _stem(person: str, number: str) -> str:
    """Return the name of a picture in LFW."""
    return f"{person}_{number:0>4}"


def _choices(by_person: dict[str, list[str]]) -> int:
    """Count the possible pairs of one person."""
    return sum(len(files) * (len(files) - 1) // 2 for files in by_person.values())


class _Folder:
    """Files of a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return (self._path / name).is_file()

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        try:
            return (self._path / name).read_bytes()
        except OSError as error:
            raise UsageError(f"{self._path / name} cannot be read: {error.strerror}") from error


class _Tar:
    """Files of a tar file that is not compressed, each read where it lies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with tarfile.open(path, "r:") as tar:
                self._places = {one.name: (one.offset_data, one.size) for one in tar}
        except (OSError, tarfile.TarError) as error:
            raise UsageError(f"{path} is no readable tar file ({error}): copy it again") from error

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return name in self._places

    def read(self, name: str) -> bytes:
        """Return the bytes of a file."""
        if name not in self._places:
            raise UsageError(f"{self._path} holds no {name}: wanted the LFW data")
        offset, size = self._places[name]
        with self._path.open("rb") as stored:
            stored.seek(offset)
            return stored.read(size)


def _open(path: Path) -> _Folder | _Tar:
    """Return the files of the data, wherever below a path it is."""
    if path.is_file():
        found: _Folder | _Tar = _Tar(path)
    elif (path / _INDEX).is_file() or not path.exists():
        found = _Folder(path)
    elif (path / "lfw" / _INDEX).is_file():
        found = _Folder(path / "lfw")
    elif (path / "lfw.tar").is_file():
        found = _Tar(path / "lfw.tar")
    else:
        found = _Folder(path)
    if not found.has(_INDEX):
        raise UsageError(
            f"no LFW data at {path}: wanted lfw.tar or a folder with {_INDEX}, name it with --data"
        )
    return found
