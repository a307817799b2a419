"""This Python in a process of its own."""

import subprocess
import sys
from typing import Any


def python(*words: object, check: bool = False, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run Python with the words of a command line; return its exit code and what it printed."""
    command = [sys.executable, *map(str, words)]
    how = {"timeout": 120, **how}
    return subprocess.run(command, capture_output=True, text=True, check=check, **how)
