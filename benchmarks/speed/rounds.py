"""Measures contestants in turn, several rounds, so that a slow minute hits all of them.

Runs are kept on disk until the suite deletes them, so that an interrupted measurement continues.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import onnxruntime

import streamanon
from benchmarks.progress import progress_bars
from benchmarks.speed.account import Usage
from streamanon.atomic_write import write_atomically


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant in one round.

    Attributes:
        usage: time and memory of the whole process.
        details: plain values that the process reported.
    """

    usage: Usage
    details: dict[str, Any]


def session(cache: Path, suite: str, settings: object) -> Path:
    """Return the folder of a measurement: the same for the same settings, code and runtimes."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for path in sorted(Path(streamanon.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update(f"{av.__version__} {onnxruntime.__version__}".encode())
    return cache / suite / digest.hexdigest()[:16]


def interleaved(
    contestants: Mapping[str, Callable[[], Run]], rounds: int, folder: Path
) -> dict[str, list[Run]]:
    """Run every contestant once a round.

    Args:
        contestants: functions that run once, by label.
        rounds: number of rounds.
        folder: folder that keeps the runs; see :func:`session`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Run]] = {label: [] for label in contestants}
    with progress_bars() as progress:
        task = progress.add_task("", total=rounds * len(contestants))
        for number in range(rounds):
            for label, contestant in contestants.items():
                progress.update(task, description=f"round {number + 1}, {label}")
                name = hashlib.sha256(f"{number} {label}".encode()).hexdigest()[:16]
                found[label].append(_kept(folder / f"{name}.json", contestant))
                progress.advance(task)
    return found


def _kept(path: Path, contestant: Callable[[], Run]) -> Run:
    """Return a run from disk, or run now and keep it."""
    if path.is_file():
        kept = json.loads(path.read_text())
        return Run(Usage(**kept["usage"]), kept["details"])
    run = contestant()
    write_atomically(path, json.dumps(asdict(run)).encode())
    return run
