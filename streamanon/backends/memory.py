"""Which runtime was the fastest for a network on this machine, remembered in the user's cache."""

import hashlib
import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from streamanon.atomic_write import write_atomically
from streamanon.extras import installed_versions

_PACKAGES = ("streamanon", "onnxruntime", "openvino")
_CPU_INFO = Path("/proc/cpuinfo")
_SAYS_WHICH = ("vendor_id", "model name", "flags", "Features", "CPU part")
"""Entries of that file which name a processor and what it can do."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The name of a candidate that was chosen before, and the times of all."""

    name: str
    why: str


class ChoiceMemory:
    """The choice for one network among some candidates; safe for several processes at once.

    Another machine, network, number of threads, candidate or version has another memory. Where the
    cache cannot be read or written, nothing is remembered.
    """

    def __init__(self, networks: Sequence[Path], candidates: Sequence[str], threads: int) -> None:
        """Name what the choice depends on; the main form of the network comes first."""
        self._candidates = tuple(candidates)
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in networks]
        versions = installed_versions(_PACKAGES)
        about = json.dumps([digests, self._candidates, threads, _machine(), versions])
        key = hashlib.sha256(about.encode()).hexdigest()[:16]
        self._file = folder() / f"{networks[0].stem}-{key}.json"

    def recall(self) -> Remembered | None:
        """Return the choice, or None when there is none that can be used."""
        try:
            stored = json.loads(self._file.read_text(encoding="utf-8"))
            found = Remembered(str(stored["name"]), str(stored["why"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if found.name in self._candidates else None

    def store(self, name: str, why: str) -> None:
        """Remember a choice, if the cache can be written."""
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._file, json.dumps({"name": name, "why": why}).encode())


def folder() -> Path:
    """Return the folder of choices in the user's cache."""
    return user_cache_path("streamanon", appauthor=False, opinion=False) / "runtimes"


def forget() -> None:
    """Remove all choices, so that they are made again."""
    for file in folder().glob("*.json"):
        with suppress(OSError):
            file.unlink()


def _machine() -> list[str]:
    """Return what names the processor; its first core's entries where the system lists them."""
    about = [platform.machine(), platform.processor()]
    with suppress(OSError):
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
        about += [line for line in lines.splitlines() if line.startswith(_SAYS_WHICH)]
    return about
