"""The report file of one call: settings, versions, runtimes and outcomes. It contains no paths."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from streamanon.atomic_write import write_atomically
from streamanon.config import Config
from streamanon.errors import MediaError
from streamanon.extras import installed_versions
from streamanon.media.credentials import masked

PACKAGES = ("streamanon", "numpy", "opencv-python-headless", "av", "onnxruntime")


def versions() -> dict[str, str]:
    """Return the versions of all packages that process pixels."""
    return {"python": platform.python_version(), **installed_versions(PACKAGES)}


def sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file, in hex, or None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def settings(config: Config) -> dict[str, Any]:
    """Return the settings; paths may name people and are only reported as given."""
    return {name: _plain(value) for name, value in asdict(config).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Fraction):
        return float(value)
    return True if isinstance(value, Path) else value


def write_document(
    path: Path,
    config: Config,
    files: Sequence[dict[str, Any]],
    runtimes: Mapping[str, str],
    left_out: Mapping[str, int] | None = None,
) -> None:
    """Write the report of all files of a call, complete or not at all.

    It says which runtime each network had and why, and which files of the input folders are neither
    video nor picture, by suffix.

    Raises:
        MediaError: the file cannot be written.
    """
    document = {
        "versions": versions(),
        "settings": settings(config),
        "runtimes": dict(runtimes),
        "left_out": dict(left_out or {}),
        "files": list(files),
    }
    publish(path, as_json(document))


def as_json(document: dict[str, Any]) -> bytes:
    """Return a document as the content of a JSON file, without credentials."""
    return (masked(json.dumps(document, indent=1)) + "\n").encode()


def publish(path: Path, content: bytes) -> None:
    """Write a file, complete or not at all.

    Raises:
        MediaError: the file cannot be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise MediaError(f"{path} cannot be written: {error.strerror}") from error
