"""Seals a live stream beside its recordings, in one sidecar for all of them."""

import time
from collections.abc import Callable
from logging import Logger
from pathlib import Path
from typing import Protocol

from streamanon.errors import StreamanonError
from streamanon.protocols import Sink
from streamanon.sealed.sealer import Sealer
from streamanon.sealed.sidecar import SUFFIX
from streamanon.types import SafeFrame, Scene

_AGAIN_S, _LOOK_S = 5.0, 10.0
"""Seconds until sealing begins again after a failure, and between looks for finished recordings."""


class TimedSink(Sink, Protocol):
    """A sink that says when its outputs show what was written last."""

    @property
    def time_us(self) -> int:
        """Time of the last frame in the outputs, in microseconds."""
        ...


class LiveSealing:
    """A sink whose frames are sealed when they are written.

    When sealing fails, the stream goes on without: anonymous all the same. The sidecar opens up to
    there, and another one is begun.
    """

    def __init__(
        self, sink: TimedSink, folder: Path, begin: Callable[[Path], Sealer], log: Logger
    ) -> None:
        """Wrap the outputs of a stream; ``begin`` begins a sidecar in the folder of its recordings.

        Raises:
            UsageError: no sidecar can be made there.
        """
        self._sink, self._folder, self._begin, self._log = sink, folder, begin, log
        self._began = self._looked = time.time()
        self._noted: set[Path] = set()
        self._again = 0.0
        self._sealer: Sealer | None = begin(_free_name(folder))

    def begin_line(self) -> None:
        """Note that tracks are numbered from the start again."""
        if self._sealer:
            self._sealer.begin_line()

    def add(self, scene: Scene, safe: SafeFrame) -> None:
        """Take a frame and what became of it."""
        if self._sealer:
            self._sealer.add(scene, safe)

    def write(self, frame: SafeFrame) -> None:
        """Write one frame, and have it sealed."""
        self._sink.write(frame)
        try:
            if self._sealer is None and time.monotonic() >= self._again:
                self._sealer = self._begin(_free_name(self._folder))
                self._log.info("what is replaced is sealed again, in another sidecar")
            if self._sealer:
                self._sealer.written(frame.index, self._sink.time_us)
                if time.time() - self._looked > _LOOK_S:
                    self._note_recordings(self._sealer, keep_newest=True)
        except StreamanonError as error:
            self._give_up(error)

    def close(self, *, complete: bool) -> None:
        """Finish the outputs and the sidecar; safe to call twice."""
        self._sink.close(complete=complete)
        sealer = self._sealer
        if sealer is None:
            return
        try:
            self._note_recordings(sealer, keep_newest=False)
            sealer.drain()
            sealer.bind([])
        except StreamanonError as error:
            self._give_up(error)
        self._sealer = None

    def _give_up(self, error: StreamanonError) -> None:
        """Leave the sidecar as it is, and begin another one later."""
        if self._sealer:
            self._log.error(
                f"sealing failed: {error}; the stream goes on, what is replaced now is not kept"
            )
            self._sealer.keep()
        self._sealer, self._again = None, time.monotonic() + _AGAIN_S

    def _note_recordings(self, sealer: Sealer, *, keep_newest: bool) -> None:
        """Bind recordings that are finished to the sidecar."""
        self._looked = time.time()
        found = [(path.stat().st_mtime, path) for path in self._folder.glob("*.mkv")]
        mine = [path for at, path in sorted(found) if at >= self._began and path not in self._noted]
        for path in mine[:-1] if keep_newest else mine:
            sealer.note_output(path)
            self._noted.add(path)


def _free_name(folder: Path) -> Path:
    """Return a name by the time of day, as recordings have it, that is not taken."""
    now = time.time()
    while True:
        path = folder / (time.strftime("%Y-%m-%d_%H-%M-%S", time.localtime(now)) + SUFFIX)
        if not path.exists():
            return path
        now += 1
