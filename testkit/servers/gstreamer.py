"""GStreamer's RTSP server, where it is installed: one that is not of our making.

It runs in a process of its own with the system's Python, which has the bindings.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from testkit.children import child

_PYTHON = "/usr/bin/python3"
_MODULES = ("GLib", "Gst", "GstRtspServer")
_IMPORT = "import gi; gi.require_version('GstRtspServer', '1.0')"
_PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! "
    "video/x-raw,width={width},height={height},framerate=25/1 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! rtph264pay name=pay0 pt=96 "
    "audiotestsrc is-live=true volume=0.1 ! audio/x-raw,rate=8000 ! "
    "alawenc ! rtppcmapay name=pay1 )"
)


def missing() -> bool:
    """Tell whether the server is not installed."""
    if not Path(_PYTHON).exists():
        return True
    return subprocess.run([_PYTHON, "-c", _IMPORT], capture_output=True, check=False).returncode > 0


@contextmanager
def gstreamer(width: int, height: int) -> Iterator[str]:
    """Serve a bouncing ball for as long as the context lasts; yields the address."""
    command = [_PYTHON, "-m", "testkit.servers.gstreamer", str(width), str(height)]
    with child(command) as printed:
        yield f"rtsp://127.0.0.1:{int(printed.readline())}/ball"


def _main(width: str, height: str) -> None:
    gi: Any = import_module("gi")  # only the system's Python has it
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    glib, gst, rtsp = (import_module(f"gi.repository.{name}") for name in _MODULES)
    gst.init(None)
    server = rtsp.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = rtsp.RTSPMediaFactory()
    factory.set_launch(_PIPELINE.format(width=width, height=height))
    factory.set_shared(True)
    server.get_mount_points().add_factory("/ball", factory)
    server.attach(None)
    loop = glib.MainLoop()
    glib.io_add_watch(sys.stdin, glib.IO_HUP, loop.quit)
    print(server.get_bound_port(), flush=True)  # noqa: T201  the parent waits for it
    loop.run()


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
