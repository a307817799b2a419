"""What all processes that write a live output have in common.

Such a process is told what to do through its standard input (handover.py) and says "open" once it
is ready, or why it failed. It ends when its input does, and dies with its parent; SIGTERM is for
the parent, which has the end written.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from streamanon.sinks.writers.messages import receive_order, units

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.sinks.writers.messages import Order, Unit

OPEN, FAILED, CLOSED = "open", "failed: ", "closed: "
"""How the lines begin that a writer says: ready; failed, try again; ended on purpose, do not."""

_PR_SET_PDEATHSIG = 1


class Writer(Protocol):
    """Puts packets where they belong."""

    def write(self, unit: Unit) -> None:
        """Write one packet.

        Raises:
            OSError: it could not be written.
            ClosedError: nobody wants any more.
        """
        ...

    def close(self) -> None:
        """Finish the output."""
        ...


class ClosedError(Exception):
    """The output was closed by whoever watches it."""


def obey(writer: Callable[[Order, bytes], Writer]) -> int:
    """Do what the standard input says until it ends.

    Args:
        writer: opens what the order names; given the head too.

    Returns:
        The exit code.
    """
    die_with_parent()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # systemd sends it to all processes of a service
    pipe = sys.stdin.buffer
    try:
        order, head = receive_order(pipe)
    except StopIteration:
        return 0  # it was kept ready and is not needed
    if os.getppid() != order.parent:
        return 1
    try:
        with closing(writer(order, head)) as output:
            _say(OPEN)
            for unit in units(pipe):
                output.write(unit)
    except ClosedError as error:
        _say(f"{CLOSED}{error}")
    except Exception as error:  # noqa: BLE001  it is told, and the parent starts anew
        _say(f"{FAILED}{_reason(error)}")
        return 1
    return 0


def die_with_parent() -> None:
    """Ask Linux to kill this process as soon as its parent dies; others see their input end."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _reason(error: Exception) -> str:
    """Return why something failed, in FFmpeg's or the system's words, which hold no address."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
