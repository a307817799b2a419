"""Results on disk: JSON files with their provenance."""

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from streamanon import __version__
from streamanon.atomic_write import write_atomically
from streamanon.errors import UsageError
from streamanon.extras import installed_versions

RESULTS = Path(__file__).parent / "results"

PACKAGES = ("av", "dlib-bin", "numpy", "onnxruntime", "opencv-python-headless", "openvino", "torch")


def save(name: str, results: object, *, settings: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write results with everything needed to judge and repeat them.

    Args:
        name: file name without suffix.
        results: plain values.
        settings: settings of the suite: seeds, warm-up and the provider that really ran.
        folder: folder to write to.

    Returns:
        The file written; it replaces an older one in one step.
    """
    document = {
        "suite": name,
        "streamanon": __version__,
        "commit": commit(),
        "command": ["python", "-m", "benchmarks", *map(without_folders, sys.argv[1:])],
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "system": platform.platform()},
        "versions": {"python": platform.python_version(), **installed_versions(PACKAGES)},
        "settings": settings,
        "results": results,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_atomically(path, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    return path


def destination(out: Path | None, cache: Path, *, quick: bool) -> Path:
    """Return the folder for results; a quick run replaces published ones only if asked to.

    Args:
        out: the folder asked for, if any.
        cache: folder of files kept between runs.
        quick: True for a run that only checks that everything works.
    """
    return out or (cache / "quick" if quick else RESULTS)


def load(name: str, folder: Path = RESULTS) -> dict[str, Any]:
    """Read what :func:`save` wrote.

    Raises:
        UsageError: there is no such file.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        suite = name.split("-", maxsplit=1)[0]
        raise UsageError(f"no results {path}: run `python -m benchmarks {suite}` first")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def rows_so_far(name: str, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the rows that an earlier run with the same settings wrote; none without one."""
    if not (folder / f"{name}.json").is_file():
        return {}
    before = load(name, folder)
    rows: dict[str, Any] = before["results"]["rows"] if before["settings"] == settings else {}
    return rows


def results_so_far(name: str, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the results of an earlier run, which are added to; none without one.

    Raises:
        UsageError: it had other settings.
    """
    file = folder / f"{name}.json"
    if not file.is_file():
        return {}
    before = load(name, folder)
    if before["settings"] != settings:
        raise UsageError(
            f"{file} was measured with other settings: name another folder with --out, or delete it"
        )
    results: dict[str, Any] = before["results"]
    return results


def without_folders(word: str) -> str:
    """Return a word of a command line with the names of files alone, not where one disk has them.

    Only absolute paths are cut, also behind ``--option=`` or ``folder:``.
    """
    return re.sub(r"(^|[=:])/(?:[^/]+/)*(?=[^/])", r"\1", word.rstrip("/"))


def commit() -> str:
    """Return the short hash of the commit that ran, with a plus when the tree was not clean."""
    root = Path(__file__).parent.parent
    answers = [
        subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
        for words in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "streamanon"])
    ]
    if answers[0].returncode:
        return "unknown"
    return answers[0].stdout.strip() + ("+" if answers[1].stdout.strip() else "")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
