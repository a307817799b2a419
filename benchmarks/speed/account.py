"""Time, processor time and memory of one command."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ROOT
from streamanon.errors import StreamanonError

_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Usage:
    """One command, from its start to its exit, with all processes it started and waited for.

    Attributes:
        elapsed_s: wall time.
        cpu_s: processor time, user and system, all threads.
        peak_mb: largest resident size of any of its processes.
        others: share of the machine's processor time that other processes took meanwhile, 0..1;
            times on a busy machine say little.
    """

    elapsed_s: float
    cpu_s: float
    peak_mb: float
    others: float = 0.0


def measured(command: Sequence[str], *, cores: int = 0) -> Usage:
    """Run a command in the repository's root and return what it used.

    Args:
        command: program and arguments, with absolute paths.
        cores: number of processor cores it may use; 0 for all.

    Raises:
        StreamanonError: the command failed.
    """
    launched = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCHER), str(cores), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    answer = json.loads(launched.stdout)
    if answer.pop("exit_code"):
        complaint = " ".join(answer["complaint"].split()) or "no message"
        raise StreamanonError(f"{' '.join(command[:4])} ... failed: {complaint}")
    del answer["complaint"]
    return Usage(**answer)
