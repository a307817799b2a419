"""Engines on disk: compiled once for a network and a card, and never used for another.

An engine lies beside a card, as JSON, that says what it was compiled from and for, and what it must
hash to. Both are checked before TensorRT sees a byte of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from streamanon.errors import ModelError

if sys.platform != "win32":
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streamanon.backends.cuda import Device
    from streamanon.backends.tensorrt_graph import Precision

ENGINE, CARD, LOCK, TIMINGS = ".engine", ".json", ".lock", ".timings"
"""Endings of the files."""

_RECIPE = (
    *("batching.py", "tensorrt_graph.py", "tensorrt_runtime.py"),
    *("torch_runtime.py", "torch_tensorrt_runtime.py"),
)

MAKE = "run `streamanon engine build`"


@dataclass(frozen=True, slots=True)
class Plan:
    """What an engine is compiled from and for. Engines of different plans are different engines.

    Attributes:
        network: name of the ONNX file, without ending.
        sha256: of that file.
        precision: "fp32" or "fp16".
        runtime: which TensorRT, with its version.
        device: name of the card.
        capability: compute capability of the card.
        driver: newest CUDA its driver knows.
        recipe: hash of the code that prepares the graph, sets the compiler, and decides what the
            engine takes.
    """

    network: str
    sha256: str
    precision: Precision
    runtime: str
    device: str
    capability: str
    driver: str
    recipe: str

    @classmethod
    def of(cls, path: Path, precision: Precision, runtime: str, device: Device) -> Plan:
        """Return the plan for a network on a card."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        where = (device.name, device.capability, device.driver)
        return cls(path.stem, digest, precision, runtime, *where, recipe())

    @property
    def name(self) -> str:
        """What its files are called, without ending."""
        key = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.network}-{self.precision}-{key[:16]}"

    def __str__(self) -> str:
        return f"{self.network} {self.precision} for {self.device}, {self.runtime}"


@dataclass(frozen=True, slots=True)
class Entry:
    """An engine that lies in the cache.

    Attributes:
        name: of its files.
        size: in bytes.
        told: what its card says it is, or what is wrong with it.
        usable: whether it is what its name and its card say.
    """

    name: str
    size: int
    told: str
    usable: bool


@cache
def recipe() -> str:
    """Return a hash of the code that an engine depends on."""
    digest = hashlib.sha256()
    for name in _RECIPE:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()[:16]


def default_folder() -> Path:
    """Return where this machine keeps what can be made again."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "streamanon" / "engines"


class EngineCache:
    """The engines of a user; several processes may use it at once."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def read(self, plan: Plan) -> bytes:
        """Return the engine of a plan.

        Raises:
            ModelError: there is none, or one that is damaged or was made for something else.
        """
        file = self.folder / f"{plan.name}{ENGINE}"
        try:
            card = json.loads(file.with_suffix(CARD).read_text(encoding="utf-8"))
            engine = file.read_bytes()
        except FileNotFoundError:
            raise ModelError(f"no engine of {plan} yet: {MAKE}") from None
        except (OSError, ValueError) as error:
            raise ModelError(f"engine {file.name} cannot be read ({error}): {MAKE}") from error
        if not isinstance(card, dict) or card.get("plan") != asdict(plan):
            raise ModelError(f"engine {file.name} was made for something else: {MAKE}")
        if card.get("engine_sha256") != hashlib.sha256(engine).hexdigest():
            raise ModelError(f"engine {file.name} is damaged: {MAKE}")
        return engine

    def made(self, plan: Plan, build: Callable[[bytes], tuple[bytes, bytes]]) -> bytes:
        """Return the engine of a plan, which is built if there is none that can be used.

        Whoever comes second waits for the first and takes what that one built.

        Args:
            plan: of the engine.
            build: makes it, given the timings of earlier builds; returns it and better timings.

        Raises:
            ModelError: it cannot be built or kept.
        """
        with suppress(ModelError):
            return self.read(plan)
        with _kept(self.folder), self._locked(plan):
            with suppress(ModelError):
                return self.read(plan)
            timings = self.folder / _timings(plan)
            engine, better = build(timings.read_bytes() if timings.is_file() else b"")
            card = {"plan": asdict(plan), "engine_sha256": hashlib.sha256(engine).hexdigest()}
            file = self.folder / f"{plan.name}{ENGINE}"
            _write(file, engine)
            _write(file.with_suffix(CARD), json.dumps(card, indent=1).encode())
            if better:
                _write(timings, better)
            return engine

    def entries(self) -> list[Entry]:
        """Return all engines that lie here."""
        return [_entry(file) for file in sorted(self.folder.glob(f"*{ENGINE}"))]

    def clear(self) -> int:
        """Remove all engines, and all that builds measured.

        Returns:
            How many bytes that freed.
        """
        freed = 0
        for ending in (ENGINE, CARD, TIMINGS, LOCK):
            for file in self.folder.glob(f"*{ending}"):
                freed += file.stat().st_size
                file.unlink(missing_ok=True)
        return freed

    @contextmanager
    def _locked(self, plan: Plan) -> Iterator[None]:
        """Keep other processes from building the same engine.

        Windows has no such lock: there, two may build at once, and the last one's engine stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.folder / f"{plan.name}{LOCK}").open("wb") as lock:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _timings(plan: Plan) -> str:
    """Return the file of what builds measured on a card."""
    about = f"{plan.runtime} {plan.device} {plan.driver}"
    return f"{hashlib.sha256(about.encode()).hexdigest()[:16]}{TIMINGS}"


def _entry(file: Path) -> Entry:
    """Return what an engine is, as its card has it."""
    wrong = ""
    size = file.stat().st_size
    try:
        card = json.loads(file.with_suffix(CARD).read_text(encoding="utf-8"))
        plan = Plan(**card["plan"])
        if plan.name != file.stem:
            wrong = "not what its name says"
        elif card["engine_sha256"] != hashlib.sha256(file.read_bytes()).hexdigest():
            wrong = "damaged"
    except (OSError, ValueError, KeyError, TypeError):
        wrong = "without a card that can be read"
    if wrong:
        return Entry(file.stem, size, f"{wrong}: never used", usable=False)
    other = "" if plan.recipe == recipe() else ", of another version of streamanon"
    return Entry(file.stem, size, f"{plan}{other}", usable=True)


def _write(path: Path, content: bytes) -> None:
    """Put a file in its place in one step, or leave nothing behind."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Say in one line that something cannot be kept.

    Raises:
        ModelError: the folder cannot be written to.
    """
    try:
        yield
    except OSError as error:
        raise ModelError(
            f"the engine cannot be kept in {folder}: {error.strerror}; free some space there, or "
            "name another folder with XDG_CACHE_HOME"
        ) from error
