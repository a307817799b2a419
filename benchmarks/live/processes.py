"""Cameras and players beside the product, as processes whose output is collected."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from benchmarks import ROOT
from benchmarks.live.player import PlayedFrame


class OutputLines:
    """The lines that a process prints, as they come."""

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
def running_module(module: str, *arguments: str) -> Iterator[OutputLines]:
    """Run a Python module as a process until the context ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = OutputLines(process)
    try:
        yield lines
    finally:
        process.kill()
        process.wait()
        lines.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()


class SentFrames:
    """The frames a camera sent."""

    def __init__(self, lines: OutputLines) -> None:
        self._lines = lines

    @property
    def all(self) -> list[tuple[int, float]]:
        """Number and time of every frame."""
        pairs = (line.split() for line in list(self._lines.all))
        return [(int(number), float(at_s)) for number, at_s in pairs]


class PlayedFrames:
    """The frames a player read."""

    def __init__(self, lines: OutputLines) -> None:
        self._lines = lines

    @property
    def all(self) -> list[PlayedFrame]:
        """Every frame."""
        return [PlayedFrame.parse(line) for line in list(self._lines.all)]


@contextmanager
def camera(url: str, *clips: Path, pace: float = 1.0) -> Iterator[SentFrames]:
    """Push clips in a loop until the context ends."""
    with running_module("benchmarks.live.camera", url, str(pace), *map(str, clips)) as lines:
        yield SentFrames(lines)


@contextmanager
def player(url: str, *, count_magenta: bool, keep: Path | None = None) -> Iterator[PlayedFrames]:
    """Read a stream back until the context ends.

    Args:
        url: address of the stream.
        count_magenta: True to count the painted pixels of every frame, too.
        keep: folder for pictures of frames with painted pixels.
    """
    what = "magenta" if count_magenta else "numbers"
    with running_module(
        "benchmarks.live.player", url, what, *([str(keep)] if keep else [])
    ) as lines:
        yield PlayedFrames(lines)
