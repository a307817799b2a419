"""Cameras and players beside the product: processes whose lines are kept as they come."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

from benchmarks import ROOT
from benchmarks.live.player import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Lines:
    """What a process prints, line by line, as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.all: list[str] = []
        self._process = process
        self._thread = Thread(target=self._read, name="lines", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the last line."""
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.all.append(line)


@contextmanager
def started(module: str, *arguments: str) -> Iterator[Lines]:
    """Run a module of ours until the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = Lines(process)
    try:
        yield lines
    finally:
        process.kill()
        process.wait()
        lines.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


class Sent:
    """What a camera sent."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    @property
    def all(self) -> list[tuple[int, float]]:
        """Number and time of every frame."""
        pairs = (line.split() for line in list(self._lines.all))
        return [(int(number), float(at_s)) for number, at_s in pairs]


class Watched:
    """What a player saw."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    @property
    def all(self) -> list[Seen]:
        """Every frame."""
        return [Seen.parse(line) for line in list(self._lines.all)]


@contextmanager
def camera(url: str, *clips: Path, pace: float = 1.0) -> Iterator[Sent]:
    """Push clips again and again, for as long as the context lasts."""
    with started("benchmarks.live.camera", url, str(pace), *map(str, clips)) as lines:
        yield Sent(lines)


@contextmanager
def player(url: str, *, count_magenta: bool, keep: Path | None = None) -> Iterator[Watched]:
    """Read a stream back for as long as the context lasts.

    Args:
        url: of it.
        count_magenta: also count the painted pixels of every frame.
        keep: folder for pictures of the frames that show any.
    """
    what = "magenta" if count_magenta else "numbers"
    with started("benchmarks.live.player", url, what, *([str(keep)] if keep else [])) as lines:
        yield Watched(lines)
