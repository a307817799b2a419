"""FFmpeg options of each kind of live input, and explanations of its errors."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from av.error import (
    ArgumentError,
    ExitError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
    InvalidDataError,
)

from streamanon.child_process import installed_program
from streamanon.errors import MediaError, StreamanonError, UsageError, system_reason
from streamanon.media.address import Address
from streamanon.media.file_types import SELF_CONTAINED
from streamanon.media.pixel_limit import FILM
from streamanon.sources.live.reach import Reach, names_local

_OPEN_S = 5.0
_STALL_S = 5.0
_PLAYLIST_STALL_S = 15.0
"""Segments of a playlist arrive every few seconds."""

_PROBE = {"probesize": "500000", "analyzeduration": "500000", "fpsprobesize": "0"}
"""How much FFmpeg reads to detect the streams (bytes, microseconds). With its default of five
seconds there would be no picture for five seconds after every reconnect. ``fflags=nobuffer`` does
not help: it discards what was read, and often the first keyframe with it (measured: 1 s to a
picture instead of 0.9)."""

_UDP = _PROBE | {"overrun_nonfatal": "1", "fifo_size": "50000"}
_WEBCAM = {"video_size": "1280x720", "framerate": "30"}
_WEBCAM_TRIES: tuple[dict[str, str], ...] = (_WEBCAM | {"input_format": "mjpeg"}, _WEBCAM, {})
"""Over USB 2 only MJPEG reaches 720p at 30 frames/s; the last try takes the camera's default."""

SRT_TOOL = "srt-live-transmit"


@dataclass(frozen=True, slots=True, repr=False)
class InputOptions:
    """How FFmpeg opens an input.

    Attributes:
        file: URL or device, credentials included.
        format: FFmpeg's name of the input format, or None to detect it.
        tries: sets of FFmpeg options, in the order to try them.
        command: command line of a program that writes the stream to its standard output, which is
            then read instead of ``file``; empty for none.
        stall_s: seconds without a picture after which the connection counts as lost.
        open_s: seconds that opening may take.
        max_pixels: pixels of the largest picture that is decoded.
        reach: where an HTTP input may lead; None where FFmpeg may connect by itself.
    """

    file: str
    format: str | None = None
    tries: tuple[dict[str, str], ...] = ({},)
    command: tuple[str, ...] = ()
    stall_s: float = _STALL_S
    open_s: float = _OPEN_S
    max_pixels: int = FILM
    reach: Reach | None = None

    def for_reconnect(self, *, sound: bool) -> InputOptions:
        """Return the options for opening the input again.

        The header of FLV does not say reliably whether there is audio, and FFmpeg looks for it for
        as long as it may. When the first connection had none, detection can be short.
        """
        if sound or self.format != "flv":
            return self
        return replace(self, tries=tuple(options | _PROBE for options in self.tries))


def input_options(address: Address, transport: str) -> InputOptions:
    """Return how to open an input, RTSP by "tcp" or "udp".

    Raises:
        UsageError: this machine cannot open it, or the address is incomplete.
    """
    if address.scheme in ("rtsp", "rtsps"):
        # the session description names the streams, so little is left to detect
        options = _PROBE | {"analyzeduration": "200000", "max_delay": "100000"}
        tries = (options | {"rtsp_transport": transport},)
        return InputOptions(address.target, "rtsp", tries)
    return _INPUT_OPTIONS[address.scheme](address.target)


def _rtmp(url: str) -> InputOptions:
    # video may arrive seconds after audio; as soon as it has both FFmpeg stops the detection
    options = _PROBE | {"rtmp_live": "live", "analyzeduration": "3000000"}
    return InputOptions(url, "flv", (options,))


def _http(url: str) -> InputOptions:
    # a playlist must not name files of this machine
    allowed = {
        "protocol_whitelist": "http,https,tcp,tls,crypto,httpproxy,data",
        "format_whitelist": f"{SELF_CONTAINED},hls",
    }
    options = allowed | {"live_start_index": "-1"}
    how = InputOptions(url, tries=(options,), stall_s=_PLAYLIST_STALL_S, open_s=10.0)
    if names_local(url):
        return how
    # FFmpeg would keep connections of its own
    return replace(how, tries=(options | {"http_persistent": "0"},), reach=Reach())


def _srt(url: str) -> InputOptions:
    """Receive SRT through srt-live-transmit: the FFmpeg inside PyAV is built without SRT."""
    tool = installed_program(SRT_TOOL)
    if tool is None:
        raise UsageError(
            f"srt:// needs {SRT_TOOL}, which is not installed: install it (Debian and Ubuntu: "
            "srt-tools, macOS: brew install srt)"
        )
    command = (tool, "-q", "-loglevel:fatal", "-a:no", url, "file://con")
    return InputOptions(url, "mpegts", (_PROBE,), command)


def _webcam(name: str) -> InputOptions:
    if sys.platform == "darwin":
        return InputOptions(f"{name}:none", "avfoundation", (_WEBCAM, {"framerate": "30"}, {}))
    if sys.platform == "win32":
        if name.isdecimal():
            raise UsageError(f"webcam:{name} is a number: on Windows write the camera's name")
        return InputOptions(f"video={name}", "dshow", _WEBCAM_TRIES[1:])
    device = f"/dev/video{name}" if name.isdecimal() else name
    return InputOptions(device, "v4l2", _WEBCAM_TRIES)


def _screen(name: str) -> InputOptions:
    rate = {"framerate": "30"}
    if sys.platform == "darwin":
        return InputOptions(f"Capture screen {name or 0}:none", "avfoundation", (rate,))
    if sys.platform == "win32":
        return InputOptions("desktop", "gdigrab", (rate,))
    display = name or os.environ.get("DISPLAY", "")
    if not display:
        raise UsageError("screen: finds no X display: set DISPLAY or write screen::0")
    return InputOptions(display, "x11grab", (rate,))


_INPUT_OPTIONS: dict[str, Callable[[str], InputOptions]] = {
    "rtmp": _rtmp,
    "rtmps": _rtmp,
    "http": _http,
    "https": _http,
    "udp": lambda url: InputOptions(url, "mpegts", (_UDP,), stall_s=2.0),
    "srt": _srt,
    "webcam": _webcam,
    "screen": _screen,
    "lavfi": lambda graph: InputOptions(graph, "lavfi"),
}


def open_error(address: Address, error: Exception, *, late: bool) -> StreamanonError:
    """Return an error that says in one line what is wrong and what to do, without credentials.

    ``late`` is whether the error, of FFmpeg or the system, was raised after the time-out.
    """
    if isinstance(error, StreamanonError):
        return type(error)(f"{address}: {address.masked(str(error))}")
    if address.scheme in ("webcam", "screen", "lavfi"):
        return _device_error(address, error)
    if isinstance(error, (ArgumentError, InvalidDataError)) and not late:
        return MediaError(f"{address} is no video that can be read: check what it serves")
    return MediaError(f"{address}: {_network_reason(address, error)}")


_REASONS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (ConnectionRefusedError,),
        "nothing listens there: check host and port, and whether the server runs",
    ),
    (
        (HTTPUnauthorizedError,),
        "user or password is missing or wrong: write {scheme}://USER:PASSWORD@HOST/PATH",
    ),
    ((HTTPForbiddenError,), "the server forbids it: check user and password"),
    ((HTTPNotFoundError,), "the server knows no such stream: check the path"),
    (
        (ExitError, InvalidDataError, TimeoutError),
        "no answer in time: check the address, and whether the server sends",
    ),
)


def _network_reason(address: Address, error: Exception) -> str:
    if isinstance(error, EOFError) and address.scheme == "srt":
        return "no connection: check host, port, mode and passphrase, and whether it sends"
    for kinds, text in _REASONS:
        if isinstance(error, kinds):
            return text.format(scheme=address.scheme)
    text = address.masked(system_reason(error))
    return f"cannot be read ({text}): check the name, the network and what is served"


def _device_error(address: Address, error: Exception) -> StreamanonError:
    if address.scheme == "lavfi":
        return UsageError(f"{address} is no graph that makes pictures: try lavfi:testsrc2")
    if address.scheme == "screen":
        return UsageError(f"{address} cannot be captured: check DISPLAY, and that it is X11")
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{address} does not exist: plug it in, or look for its number")
    if isinstance(error, PermissionError):
        return UsageError(f"{address} may not be read: join the group video")
    if getattr(error, "errno", None) == errno.EBUSY:
        return MediaError(f"{address} is in use: close the program that has the camera")
    return MediaError(f"{address} gives no picture ({system_reason(error)}): is it a camera?")
