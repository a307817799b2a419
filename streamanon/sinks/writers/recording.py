"""A recording in pieces, so that a crash, a power cut or a full disk costs seconds."""

from __future__ import annotations

import errno
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError

from streamanon.sinks.writers.messages import TICK, VIDEO, Order, Unit
from streamanon.sinks.writers.muxer import Muxer

if TYPE_CHECKING:
    from collections.abc import Iterator

SEGMENT_S = 60
_FLUSH_EVERY_MS = 1000
_LEAST_FREE_BYTES = 16 << 20
"""No piece is begun with less: a disk must not fill with pieces of nothing."""


class Recording:
    """Writes a Matroska file a minute, named by when it began.

    Each is whole up to its last second at any time: it can be played, copied and uploaded while the
    recording goes on.
    """

    def __init__(self, order: Order, head: bytes) -> None:
        """Begin the first piece.

        Raises:
            OSError: the disk is full, or the folder gone.
        """
        self._folder, self._head = Path(order.url), head
        self._muxer, self._path = self._begin()
        self._end: int | None = None

    def write(self, unit: Unit) -> None:
        """Write one packet, into a new piece when it is time.

        Raises:
            OSError: the disk is full.
        """
        if self._end is None:
            self._end = unit.pts + round(SEGMENT_S / TICK)
        if unit.kind == VIDEO and unit.keyframe and unit.pts >= self._end:
            self._muxer.close()
            self._muxer, self._path = self._begin()
            self._end = unit.pts + round(SEGMENT_S / TICK)
        self._muxer.write(unit)

    def close(self) -> None:
        """Finish the last piece; leave none behind that holds nothing.

        Raises:
            OSError: the disk is full.
        """
        try:
            self._muxer.close()
        finally:
            with suppress(OSError):
                if self._path.stat().st_size == 0:
                    self._path.unlink()

    def _begin(self) -> tuple[Muxer, Path]:
        if shutil.disk_usage(self._folder).free < _LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, "no space left on the disk")
        path = next(path for path in _names(self._folder) if not path.exists())
        options = {"cluster_time_limit": str(_FLUSH_EVERY_MS)}
        try:
            order = Order("matroska", str(path), options, from_zero=True)
            return Muxer(order, self._head), path
        except FFmpegError:
            path.unlink(missing_ok=True)
            raise


def _names(folder: Path) -> Iterator[Path]:
    began = time.strftime("%Y-%m-%d_%H-%M-%S")
    yield folder / f"{began}.mkv"
    number = 2
    while True:
        yield folder / f"{began}_{number}.mkv"
        number += 1
