"""How this package starts its own modules as processes."""

from __future__ import annotations

import sys


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module in a Python process of its own.

    ``-P`` keeps the current directory off ``sys.path``: ``python -m`` would put it first, and an
    ``av.py`` that lies beside somebody's videos would run with their rights.
    """
    return [sys.executable, "-P", "-m", module, *arguments]
