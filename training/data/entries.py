"""The pictures of a tar file or a folder, and who is in them."""

import csv
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from streamanon.errors import UsageError

INDEX = "index.csv"
"""Lists the pictures: columns file and person; frame, fps and lfw_folds where they apply."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

HELD_OUT_FOLDS = frozenset({7, 8, 9, 10})
"""Folds of LFW's View 2 that are for testing: no person in them is trained on."""

USUAL_FPS = 25.0


@dataclass(frozen=True)
class Entry:
    """One picture.

    Attributes:
        name: path inside the tar or the folder.
        person: name of the person, unique over all sets.
        file: file that contains the picture.
        offset: start of the picture in that file.
        size: size in bytes, or -1 for all to the end.
        time_s: time in a video, or NaN for a photograph.
        held_out: whether the person is for testing only.
    """

    name: str
    person: str
    file: Path
    offset: int = 0
    size: int = -1
    time_s: float = float("nan")
    held_out: bool = False

    def read(self) -> bytes:
        """Return the encoded picture."""
        with self.file.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)


@dataclass(frozen=True)
class _Stored:
    """Where a file of the set lies."""

    file: Path
    offset: int = 0
    size: int = -1


def read_entries(path: Path) -> list[Entry]:
    """Return the pictures of a tar file or a folder, in a fixed order.

    With an ``index.csv`` it says who is in them. Without one, a picture in a sub-folder shows the
    person of the folder's name, and any other picture a person of its own.

    Raises:
        UsageError: There are no pictures, or the index does not fit them.
    """
    stored = _in_folder(path) if path.is_dir() else _in_tar(path)
    index = stored.pop(INDEX, None)
    found = (
        _listed(path, stored, Entry(INDEX, "", index.file, index.offset, index.size))
        if index
        else [
            Entry(name, _person(path.stem, name), at.file, at.offset, at.size)
            for name, at in stored.items()
        ]
    )
    if not found:
        raise UsageError(f"{path} holds no picture: wanted {' '.join(SUFFIXES)} files")
    return found


def _wanted(name: str) -> bool:
    return name == INDEX or PurePosixPath(name).suffix.lower() in SUFFIXES


def _in_folder(path: Path) -> dict[str, _Stored]:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    named = ((file.relative_to(path).as_posix(), file) for file in files)
    return {name: _Stored(file) for name, file in named if _wanted(name)}


def _in_tar(path: Path) -> dict[str, _Stored]:
    try:
        with tarfile.open(path, "r:") as tar:
            return {
                member.name: _Stored(path, member.offset_data, member.size)
                for member in tar
                if member.isfile() and _wanted(member.name)
            }
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise UsageError(
            f"{path} is neither a folder nor an uncompressed tar file ({error}): unpack it"
        ) from error


def _person(set_name: str, name: str) -> str:
    parents = PurePosixPath(name).parts[:-1]
    return f"{set_name}/{parents[0] if parents else PurePosixPath(name).stem}"


def _listed(path: Path, stored: Mapping[str, _Stored], index: Entry) -> list[Entry]:
    """Return the entries an index lists."""
    rows = list(csv.DictReader(index.read().decode("utf-8").splitlines()))
    if rows and not {"file", "person"} <= rows[0].keys():
        raise UsageError(
            f"{INDEX} of {path} has columns {', '.join(rows[0])}: wanted file and person"
        )
    missing = [row["file"] for row in rows if row["file"] not in stored]
    if missing:
        raise UsageError(
            f"{INDEX} of {path} lists {len(missing)} files that are not there, {missing[0]} for "
            "example: remove them from it"
        )
    kept_back = {row["person"] for row in rows if _folds(row) & HELD_OUT_FOLDS}
    return [
        Entry(
            row["file"],
            f"{path.stem}/{row['person']}",
            (at := stored[row["file"]]).file,
            at.offset,
            at.size,
            _time_s(row),
            row["person"] in kept_back,
        )
        for row in rows
    ]


def _folds(row: Mapping[str, str]) -> set[int]:
    return {int(fold) for fold in (row.get("lfw_folds") or "").split()}


def _time_s(row: Mapping[str, str]) -> float:
    frame = row.get("frame")
    return int(frame) / float(row.get("fps") or USUAL_FPS) if frame else float("nan")
