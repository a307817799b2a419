"""The cache of engines on disk, each compiled for one network and one GPU.

Beside each engine lies its metadata, as JSON: what it was compiled from and for, and its hash. Both
are checked before TensorRT reads the engine.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from platformdirs import user_cache_path

from streamanon.atomic_write import write_atomically
from streamanon.errors import ModelError

if TYPE_CHECKING:
    from streamanon.backends.cuda import Device
    from streamanon.backends.tensorrt_graph import Precision

ENGINE, METADATA, LOCK, TIMINGS = ".engine", ".json", ".lock", ".timings"
"""Suffixes of the files."""

RECIPE_VERSION = 1
"""Version of the way from an ONNX file to an engine. To be raised whenever a change makes engines
built before it wrong or slower than new ones: in the preparation of the graph, the options of a
compiler, or the names, types and numbers of rows an engine takes. Engines of other versions are
never used."""

MAKE = "run `streamanon engine build`"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is compiled from and for; part of its key in the cache.

    Attributes:
        network: name of the ONNX file, without suffix.
        sha256: hash of the ONNX file.
        precision: "fp32" or "fp16".
        runtime: kind and version of TensorRT.
        device: name of the GPU.
        capability: compute capability of the GPU.
        driver: newest CUDA version that the driver supports.
        recipe: :data:`RECIPE_VERSION` that the engine was built by.
    """

    network: str
    sha256: str
    precision: Precision
    runtime: str
    device: str
    capability: str
    driver: str
    recipe: int

    @classmethod
    def of(cls, path: Path, precision: Precision, runtime: str, device: Device) -> Plan:
        """Return the plan for a network on a GPU."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        where = (device.name, device.capability, device.driver)
        return cls(path.stem, digest, precision, runtime, *where, RECIPE_VERSION)

    @property
    def name(self) -> str:
        """Name of the engine's files, without suffix."""
        key = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.network}-{self.precision}-{key[:16]}"

    def __str__(self) -> str:
        return f"{self.network} {self.precision} for {self.device}, {self.runtime}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine in the cache.

    Attributes:
        name: name of its files, without suffix.
        size: size in bytes.
        text: plan of the engine, or why it is never used.
        usable: whether engine, metadata and name agree.
    """

    name: str
    size: int
    text: str
    usable: bool


def default_folder() -> Path:
    """Return the folder of engines in the user's cache."""
    return user_cache_path("streamanon", appauthor=False, opinion=False) / "engines"


class EngineCache:
    """The engines of a user; safe for several processes at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def read(self, plan: Plan) -> bytes:
        """Return the engine of a plan.

        Raises:
            ModelError: The engine is missing, damaged, was made for something else, or may be of
                another user.
        """
        file = self.folder / f"{plan.name}{ENGINE}"
        try:
            _check_owner(self.folder)
            metadata = json.loads(file.with_suffix(METADATA).read_text(encoding="utf-8"))
            engine = file.read_bytes()
        except FileNotFoundError:
            raise ModelError(f"no engine of {plan} yet: {MAKE}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"engine {file.name} cannot be read ({error}): {MAKE}") from error
        if not isinstance(metadata, dict) or metadata.get("plan") != asdict(plan):
            raise ModelError(f"engine {file.name} was made for something else: {MAKE}")
        if metadata.get("engine_sha256") != hashlib.sha256(engine).hexdigest():
            raise ModelError(f"engine {file.name} is damaged: {MAKE}")
        return engine

    def get_or_build(self, plan: Plan, build: Callable[[bytes], tuple[bytes, bytes]]) -> bytes:
        """Return the engine of a plan, building it if the cache has none that is usable.

        A second process waits while the first one builds, and uses the same engine. ``build`` gets
        the timings of earlier builds, and returns the engine and new timings.

        Raises:
            ModelError: The engine cannot be built or stored.
        """
        with suppress(ModelError):
            return self.read(plan)
        with _writing(self.folder), FileLock(self.folder / f"{plan.name}{LOCK}"):
            with suppress(ModelError):
                return self.read(plan)
            timings = self.folder / _timings(plan)
            engine, better = build(timings.read_bytes() if timings.is_file() else b"")
            metadata = {"plan": asdict(plan), "engine_sha256": hashlib.sha256(engine).hexdigest()}
            file = self.folder / f"{plan.name}{ENGINE}"
            write_atomically(file, engine)
            described = json.dumps(metadata, indent=1).encode()
            write_atomically(file.with_suffix(METADATA), described)
            if better:
                write_atomically(timings, better)
            return engine

    def entries(self) -> list[Entry]:
        """Return all engines of the cache."""
        return [_entry(file) for file in sorted(self.folder.glob(f"*{ENGINE}"))]

    def clear(self) -> int:
        """Remove all engines and timings; return the number of bytes freed."""
        freed = 0
        for ending in (ENGINE, METADATA, TIMINGS, LOCK):
            for file in self.folder.glob(f"*{ending}"):
                freed += file.stat().st_size
                file.unlink(missing_ok=True)
        return freed


def _check_owner(folder: Path) -> None:
    """Refuse engines that another user may have put there: to load one is to run its code."""
    if sys.platform == "win32":
        return
    status = folder.stat()
    if status.st_uid not in (0, os.getuid()) or status.st_mode & stat.S_IWOTH:
        raise ModelError(
            f"engines in {folder} may be of another user: wanted a folder of your own that others "
            "cannot write to, name one with XDG_CACHE_HOME"
        )


def _timings(plan: Plan) -> str:
    """Return the name of the file of timings measured on a GPU."""
    about = f"{plan.runtime} {plan.device} {plan.driver}"
    return f"{hashlib.sha256(about.encode()).hexdigest()[:16]}{TIMINGS}"


def _entry(file: Path) -> Entry:
    """Return the entry of an engine, checked against its metadata."""
    wrong = ""
    size = file.stat().st_size
    try:
        metadata = json.loads(file.with_suffix(METADATA).read_text(encoding="utf-8"))
        plan = Plan(**metadata["plan"])
        if plan.name != file.stem:
            wrong = "not what its name says"
        elif metadata["engine_sha256"] != hashlib.sha256(file.read_bytes()).hexdigest():
            wrong = "damaged"
    except (OSError, ValueError, KeyError, TypeError):
        wrong = "without metadata that can be read"
    if wrong:
        return Entry(file.stem, size, f"{wrong}: never used", usable=False)
    other = "" if plan.recipe == RECIPE_VERSION else ", of another version of streamanon"
    return Entry(file.stem, size, f"{plan}{other}", usable=True)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Create a folder, and turn errors of writing there into one line."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_owner(folder)
        yield
    except OSError as error:
        raise ModelError(
            f"the engine cannot be kept in {folder}: {error.strerror}; free some space there, or "
            "name another folder with XDG_CACHE_HOME"
        ) from error
