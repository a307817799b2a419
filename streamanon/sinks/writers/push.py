"""The process that writes a network output, HLS, a recording or a V4L2 device.

PyAV holds the interpreter lock while FFmpeg opens an output, which may take as long as the server
likes. In a separate process this blocks no other thread.
"""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from av.error import FFmpegError

from streamanon.child_process import installed_program
from streamanon.sinks.writers.messages import MediaPacket, MuxJob
from streamanon.sinks.writers.muxer import Muxer
from streamanon.sinks.writers.recording import Recording
from streamanon.sinks.writers.writer import Writer, request_parent_death_signal, serve

_DRAIN_TIMEOUT_S = 1.0


class SrtWriter:
    """Writes MPEG-TS through srt-live-transmit, which ends when the receiver disconnects."""

    def __init__(self, job: MuxJob, header: bytes) -> None:
        """Start the program and write the header."""
        program = installed_program("srt-live-transmit")
        if program is None:
            raise FileNotFoundError("srt-live-transmit is no longer installed")
        self._program = subprocess.Popen(
            [program, "-q", "-a:no", "file://con", job.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=request_parent_death_signal,  # noqa: PLW1509  this process has one thread
        )
        assert self._program.stdin
        self._pipe = self._program.stdin
        self._muxer = Muxer(MuxJob("mpegts", f"pipe:{self._pipe.fileno()}"), header)

    def write(self, packet: MediaPacket) -> None:
        """Write one packet; an OSError when the receiver is not connected."""
        if self._program.poll() is not None:
            raise ConnectionError("the SRT connection ended or could not be made")
        self._muxer.write(packet)

    def close(self) -> None:
        """Give the program a moment to send what it has buffered."""
        with suppress(FFmpegError):
            self._muxer.close()
        self._pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_DRAIN_TIMEOUT_S)
        self._program.kill()


def _delete_unlisted(playlist: Path) -> None:
    """Delete the segments that the previous writer had not deleted yet."""
    listed = playlist.read_text().splitlines() if playlist.exists() else []
    for segment in playlist.parent.glob("live-*.ts"):
        if segment.name not in listed:
            segment.unlink(missing_ok=True)


def _hls(job: MuxJob, header: bytes) -> Muxer:
    """Write a playlist, in its folder: FFmpeg would take "%d" in a path for a number's place."""
    playlist = Path(job.url)
    os.chdir(playlist.parent)
    _delete_unlisted(playlist)
    return Muxer(replace(job, url=playlist.name), header)


def _writer(job: MuxJob, header: bytes) -> Writer:
    match job.format:
        case "hls":
            return _hls(job, header)
        case "recording":
            return Recording(job, header)
        case "srt":
            return SrtWriter(job, header)
    return Muxer(job, header)


if __name__ == "__main__":
    sys.exit(serve(_writer))
