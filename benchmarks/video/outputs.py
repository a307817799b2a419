"""The outputs of methods on clips, cached on disk by method, clip, seed and code."""

import hashlib
import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.video.clips import Clip
from streamanon.anonymisers.plain import PlainAnonymiser
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.files.run import anonymise
from streamanon.media.file_types import VIDEO_OUTPUTS
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.sources.video import VideoSource
from streamanon.tracking.observer import Observer
from streamanon.types import Face, Picture

NONE = "none"
"""Hides nothing: the positive control, decoded and encoded like the product's output."""

PRODUCT: tuple[str, ...] = next(
    tuple(field.metadata["choices"]) for field in fields(Config) if field.name == "method"
)
METHODS = (NONE, *PRODUCT)

_ROOT = Path(__file__).parents[2]
_CODE = (
    *("anonymisers", "backends", "detectors", "face", "files", "identities", "imaging", "media"),
    *("pipeline", "safety", "sinks", "sources", "tracking"),
)
_FILES = ("config.py", "factory.py", "types.py", "weights/SHA256SUMS")


@dataclass(frozen=True, slots=True)
class Output:
    """An anonymised clip.

    Attributes:
        path: the output file.
        digest: SHA-256 of the file, in hex.
        faces: number of faces replaced by the method, and covered by the emergency cover instead.
    """

    path: Path
    digest: str
    faces: dict[str, int]


class _NoFaces:
    """A detector that finds no face."""

    def detect(self, _: Picture) -> list[Face]:
        return []


def check(method: str) -> None:
    """Refuse a method that does not exist.

    Raises:
        UsageError: with those that do.
    """
    if method not in METHODS:
        raise UsageError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")


def produce(method: str, clip: Clip, folder: Path, *, seed: int = 0) -> Output:
    """Return a clip after a method; made once for the same clip, seed and code."""
    name = f"{clip.name}-{method}-{_key(method, clip, seed)}"
    suffix = clip.path.suffix if clip.path.suffix in VIDEO_OUTPUTS else ".mp4"
    path, note = folder / f"{name}{suffix}", folder / f"{name}.json"
    if not (path.exists() and note.exists()):
        path.unlink(missing_ok=True)
        report = _make(method, clip.path, path, seed)
        note.write_text(json.dumps(_faces(report)))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Output(path, digest, json.loads(note.read_text()))


def _make(method: str, source: Path, target: Path, seed: int) -> Report:
    if method != NONE:
        return anonymise(source, target, Config(method=method, seed=seed))
    frames = VideoSource(source)
    sink = Factory(Config()).sink(target, source, frames.info)
    return run(frames, Observer(_NoFaces()), PlainAnonymiser("solid"), sink)


def _faces(report: Report) -> dict[str, int]:
    tracks = report.ledger.tracks.values()
    return {
        "replaced": sum(track.replaced for track in tracks),
        "covered": sum(track.covered for track in tracks),
    }


def _key(method: str, clip: Clip, seed: int) -> str:
    parts: list[Any] = [method, clip.digest, seed, code_version()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


@cache
def code_version() -> str:
    """Return a name for the code and networks that anonymise, in hex."""
    package = _ROOT / "streamanon"
    paths = [path for folder in _CODE for path in sorted((package / folder).rglob("*.py"))]
    paths += [package / name for name in _FILES]
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()
