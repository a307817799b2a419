"""People of the Face Research Lab London Set, each with a neutral and a smiling photograph.

DeBruine and Jones, 2017, CC-BY 4.0. Nothing was learnt from them.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamanon.types import U8

_PHOTO = re.compile(r"(?:.*/)?(neutral|smiling)_front/(\d+)_\d+\.(?:webp|png|jpg)")


@dataclass(frozen=True)
class Person:
    """A person who was photographed twice.

    Attributes:
        name: number in the set.
        neutral: (h, w, 3) uint8 BGR, the photograph that is anonymised.
        smiling: (h, w, 3) uint8 BGR, the other one.
    """

    name: str
    neutral: U8
    smiling: U8


def read_people(path: Path, most: int | None = None) -> list[Person]:
    """Return the people of ``london_ccby.tar``, by number.

    Args:
        path: the tar file or the unpacked folder.
        most: largest number of people; None for all.

    Raises:
        UsageError: it holds no person with both photographs.
    """
    stored = _of_folder(path) if path.is_dir() else _of_tar(path)
    photos: dict[str, dict[str, bytes]] = {}
    for file, data in stored.items():
        if found := _PHOTO.fullmatch(file):
            photos.setdefault(found[2], {})[found[1]] = data
    complete = sorted(name for name, both in photos.items() if len(both) == 2)[:most]
    if not complete:
        raise UsageError(f"{path} shows no one both neutral and smiling: use london_ccby.tar")
    return [
        Person(name, *(_decoded(photos[name][which], name) for which in ("neutral", "smiling")))
        for name in complete
    ]


def _of_folder(path: Path) -> Mapping[str, bytes]:
    files = (file for file in path.rglob("*") if file.is_file())
    named = {file.relative_to(path).as_posix(): file for file in files}
    return {name: file.read_bytes() for name, file in named.items() if _PHOTO.fullmatch(name)}


def _of_tar(path: Path) -> Mapping[str, bytes]:
    try:
        with tarfile.open(path, "r:") as tar:
            wanted = [one for one in tar if one.isfile() and _PHOTO.fullmatch(one.name)]
            return {one.name: tar.extractfile(one).read() for one in wanted}  # type: ignore[union-attr]
    except (OSError, tarfile.TarError) as error:
        raise UsageError(
            f"{path} is no readable tar file ({error}): name it with --data"
        ) from error


def _decoded(data: bytes, name: str) -> U8:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise UsageError(f"a photograph of {name} cannot be decoded: copy the data again")
    return np.asarray(image, np.uint8)
