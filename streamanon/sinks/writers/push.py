"""The process that writes a network output, HLS, a recording or a V4L2 device.

Opening a network output freezes every thread that needs the interpreter, for as long as the
server likes; in a process of its own that harms nobody.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError

from streamanon.sinks.writers.messages import Order, Unit
from streamanon.sinks.writers.muxer import Muxer
from streamanon.sinks.writers.recording import Recording
from streamanon.sinks.writers.writer import die_with_parent, obey

if TYPE_CHECKING:
    from streamanon.sinks.writers.writer import Writer

_LAST_WORDS_S = 1.0


class SrtWriter:
    """Writes MPEG-TS through srt-live-transmit, which ends when the other side goes."""

    def __init__(self, order: Order, head: bytes) -> None:
        """Start the program and write the header."""
        program = shutil.which("srt-live-transmit") or "srt-live-transmit"
        self._program = subprocess.Popen(
            [program, "-q", "-a:no", "file://con", order.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509  this process has one thread
        )
        assert self._program.stdin
        self._pipe = self._program.stdin
        self._muxer = Muxer(Order("mpegts", f"pipe:{self._pipe.fileno()}"), head)

    def write(self, unit: Unit) -> None:
        """Write one packet.

        Raises:
            OSError: the other side is not there.
        """
        if self._program.poll() is not None:
            raise ConnectionError("the SRT connection ended or could not be made")
        self._muxer.write(unit)

    def close(self) -> None:
        """Give the program a moment to send what it has."""
        with suppress(FFmpegError):
            self._muxer.close()
        self._pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_LAST_WORDS_S)
        self._program.kill()


def _delete_unlisted(playlist: Path) -> None:
    """Delete the segments that a writer before this one had yet to delete.

    Raises:
        OSError: the folder cannot be read or written.
    """
    listed = playlist.read_text().splitlines() if playlist.exists() else []
    for segment in playlist.parent.glob("live-*.ts"):
        if segment.name not in listed:
            segment.unlink(missing_ok=True)


def _writer(order: Order, head: bytes) -> Writer:
    match order.format:
        case "hls":
            _delete_unlisted(Path(order.url))
        case "recording":
            return Recording(order, head)
        case "srt":
            return SrtWriter(order, head)
    return Muxer(order, head)


if __name__ == "__main__":
    sys.exit(obey(_writer))
