"""How this package starts processes: its own modules, and other programs."""

import shutil
import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module in a Python process of its own.

    ``-P`` keeps the current directory off ``sys.path``: ``python -m`` would put it first, and an
    ``av.py`` that lies beside a user's videos would run with their rights.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def installed_program(name: str) -> str | None:
    """Return where a program lies, or None when it is not installed.

    Windows, and a PATH that holds ".", look into the current directory first: what is found there
    does not count.
    """
    found = shutil.which(name)
    return found if found and Path(found).is_absolute() else None
