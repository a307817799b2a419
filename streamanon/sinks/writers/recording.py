"""A segmented recording: a crash, a power cut or a full disk costs seconds, not the whole."""

import errno
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from av.error import FFmpegError

from streamanon.sinks.writers.messages import TICK, VIDEO, MediaPacket, MuxJob
from streamanon.sinks.writers.muxer import Muxer

SEGMENT_S = 60
_FLUSH_EVERY_MS = 1000
_MIN_FREE_BYTES = 16 << 20
"""No segment is begun with less: otherwise the disk would fill with empty files."""


class Recording:
    """Writes one Matroska file per minute, named by its start time.

    Each file is complete up to its last second at any time: it can be played, copied and uploaded
    while the recording continues.
    """

    def __init__(self, job: MuxJob, header: bytes) -> None:
        """Begin the first segment."""
        self._from_zero = job.from_zero
        self._folder, self._header, self._mode = Path(job.url), header, job.mode
        self._muxer, self._path = self._begin()
        self._end: int | None = None

    def write(self, packet: MediaPacket) -> None:
        """Write one packet, into a new segment when the present one is long enough."""
        if self._end is None:
            self._end = packet.pts + round(SEGMENT_S / TICK)
        if packet.kind == VIDEO and packet.keyframe and packet.pts >= self._end:
            self._muxer.close()
            self._muxer, self._path = self._begin()
            self._end = packet.pts + round(SEGMENT_S / TICK)
        self._muxer.write(packet)

    def close(self) -> None:
        """Finish the last segment; delete it if it is empty."""
        try:
            self._muxer.close()
        finally:
            with suppress(OSError):
                if self._path.stat().st_size == 0:
                    self._path.unlink()

    def _begin(self) -> tuple[Muxer, Path]:
        if shutil.disk_usage(self._folder).free < _MIN_FREE_BYTES:
            raise OSError(errno.ENOSPC, "no space left on the disk")
        path = next(path for path in _names(self._folder) if not path.exists())
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, self._mode))
        options = {"cluster_time_limit": str(_FLUSH_EVERY_MS)}
        try:
            job = MuxJob("matroska", str(path), options, from_zero=self._from_zero)
            return Muxer(job, self._header), path
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
