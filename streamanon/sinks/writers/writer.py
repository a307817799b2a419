"""What all writer processes have in common.

A writer process reads its job and packets from its standard input (messages.py) and prints "open"
once the output is open, or why it failed. It ends when its input ends, and is killed when its
parent dies. It ignores SIGTERM: the parent receives it too and has the output finished.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Protocol

from streamanon.errors import system_reason
from streamanon.sinks.writers.messages import MediaPacket, MuxJob, packets, receive_job

OPEN, FAILED, CLOSED = "open", "failed: ", "closed: "
"""First words of the lines a writer prints: ready; failed, try again; ended on purpose, do not."""

_PR_SET_PDEATHSIG = 1


class Writer(Protocol):
    """Writes packets to one output."""

    def write(self, packet: MediaPacket) -> None:
        """Write one packet.

        Raises:
            OSError: the packet could not be written.
            ClosedError: the output was closed on purpose.
        """
        ...

    def close(self) -> None:
        """Finish the output."""
        ...


class ClosedError(Exception):
    """The viewer closed the output."""


def serve(writer: Callable[[MuxJob, bytes], Writer]) -> int:
    """Write the packets of the standard input until it ends; return the exit code."""
    request_parent_death_signal()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd sends it to all processes of a service
    pipe = sys.stdin.buffer
    try:
        job, header = receive_job(pipe)
    except StopIteration:
        return 0  # a spare process that was not needed
    if os.getppid() != job.parent:
        return 1
    try:
        with closing(writer(job, header)) as output:
            _print(OPEN)
            for packet in packets(pipe):
                output.write(packet)
    except ClosedError as error:
        _print(f"{CLOSED}{error}")
    except Exception as error:  # noqa: BLE001  reported to the parent, which starts another writer
        _print(f"{FAILED}{system_reason(error)}")
        return 1
    return 0


def request_parent_death_signal() -> None:
    """Have Linux kill this process when its parent dies; elsewhere the end of input ends it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
