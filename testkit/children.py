"""Processes that tests and benchmarks start, and that end with them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import IO

from testkit.paths import ROOT


@contextmanager
def child(command: Sequence[str]) -> Iterator[IO[bytes]]:
    """Run a command in the project's folder until the context ends; yields what it prints."""
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.stdin.close()
        process.stdout.close()
        process.kill()
        process.wait()


def end_with_parent() -> None:
    """End this process when its standard input ends, which the parent holds open."""
    Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
