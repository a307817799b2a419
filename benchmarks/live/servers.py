"""The RTSP server that the tests have: it can be killed, frozen, and made to send garbage."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from benchmarks import ROOT

if TYPE_CHECKING:
    from servers.rtsp_relay import RtspRelay


def relay() -> RtspRelay:
    """Return a server that is not started yet."""
    tests = str(ROOT / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    found: RtspRelay = import_module("servers.rtsp_relay").RtspRelay()
    return found
