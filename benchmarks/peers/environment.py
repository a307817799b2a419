"""Python environments of the peers, made once: their requirements may not mix with ours."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ROOT
from streamanon.errors import StreamanonError


def python_with(folder: Path, requirements: Sequence[str]) -> Path:
    """Return the interpreter of an environment that holds packages from PyPI.

    Args:
        folder: folder of the environment; an unfinished or moved one, or one with other packages,
            is made again.
        requirements: requirements for pip.

    Raises:
        StreamanonError: pip could not install them.
    """
    python, finished = folder.resolve() / "bin" / "python", folder / "requirements.json"
    wanted = json.dumps([str(folder.resolve()), *requirements])
    if finished.is_file() and finished.read_text() == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    pip = [] if requirements else ["--without-pip"]
    _call(sys.executable, "-m", "venv", *pip, str(folder.resolve()))
    if requirements:
        _call(str(python), "-m", "pip", "install", "--quiet", *requirements)
    finished.write_text(wanted)
    return python


def answer(python: Path, code: str) -> str:
    """Return the last line that a piece of code prints in an environment."""
    return _call(str(python), "-c", code).strip().splitlines()[-1]


def _call(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise StreamanonError(f"{' '.join(command[:5])} ... failed: {said}")
    return done.stdout
