"""From the address of a live output to what has to be written there, and by which program."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamanon.errors import UsageError
from streamanon.extras import install_hint
from streamanon.sinks.live.encoder import KEYFRAME_S
from streamanon.sinks.writers.messages import Order

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamanon.media.address import Address
    from streamanon.sinks.live.encoder import Kind

_PUSH, _WINDOW = "streamanon.sinks.writers.push", "streamanon.sinks.writers.window"
_VIRTUAL_CAMERA = "streamanon.sinks.writers.virtual_camera"
_MPEGTS_SOUNDS = frozenset({"aac", "mp3", "ac3", "eac3", "opus"})
_WHOLE_TS_PACKETS = 7 * 188
"""Bytes a datagram: what fits into one of Ethernet."""


@dataclass(frozen=True, slots=True)
class Destination:
    """What is written where.

    Attributes:
        address: of the output.
        program: module that writes it, in a process of its own.
        order: what that process is told.
        kind: the encoder whose packets it takes.
        sounds: codecs it can hold; :func:`holds` asks.
    """

    address: Address
    program: str
    order: Order
    kind: Kind = "libx264"
    sounds: frozenset[str] = frozenset()

    def holds(self, codec: str) -> bool:
        """Tell whether sound of a codec can go along."""
        return codec.removesuffix("float") in self.sounds


def _rtsp(address: Address) -> Destination:
    sounds = frozenset({"aac", "mp3", "opus", "pcm_alaw", "pcm_mulaw", "ac3"})
    order = Order("rtsp", address.target, {"rtsp_transport": "tcp"})
    return Destination(address, _PUSH, order, sounds=sounds)


def _rtmp(address: Address) -> Destination:
    options = {"flvflags": "no_duration_filesize"}
    order = Order("flv", address.target, options, from_zero=True)
    return Destination(address, _PUSH, order, sounds=frozenset({"aac", "mp3"}))


def _udp(address: Address) -> Destination:
    url = address.target
    if "pkt_size=" not in url:
        url += f"{'&' if '?' in url else '?'}pkt_size={_WHOLE_TS_PACKETS}"
    return Destination(address, _PUSH, Order("mpegts", url), sounds=_MPEGTS_SOUNDS)


def _srt(address: Address) -> Destination:
    """SRT goes through srt-live-transmit: the FFmpeg inside PyAV was built without it."""
    if not shutil.which("srt-live-transmit"):
        raise UsageError(
            f"output {address} needs the program srt-live-transmit, which was not found: "
            "install it (srt-tools in Debian and Ubuntu, srt in Homebrew)"
        )
    return Destination(address, _PUSH, Order("srt", address.target), sounds=_MPEGTS_SOUNDS)


def _hls(address: Address) -> Destination:
    folder = _folder(address)
    options = {
        "hls_time": f"{KEYFRAME_S:g}",
        "hls_list_size": "6",
        # append_list: a writer that is started anew goes on with the list and deletes in time
        "hls_flags": "delete_segments+append_list+independent_segments",
        "hls_segment_filename": str(folder / "live-%06d.ts"),
    }
    order = Order("hls", str(folder / "index.m3u8"), options)
    return Destination(address, _PUSH, order, sounds=frozenset({"aac", "mp3", "ac3"}))


def _record(address: Address) -> Destination:
    order = Order("recording", str(_folder(address)), from_zero=True)
    return Destination(address, _PUSH, order, sounds=_MPEGTS_SOUNDS | {"vorbis", "flac"})


def _folder(address: Address) -> Path:
    """Return the folder of an output; it exists and may be written to."""
    folder = Path(address.target).expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"output {address} cannot be created ({error.strerror}): wanted a folder"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"output {address} may not be written to: choose another folder")
    return folder


def _virtual_camera(address: Address) -> Destination:
    name = address.target
    if sys.platform != "linux":
        if not importlib.util.find_spec("pyvirtualcam"):
            raise UsageError(
                f"output {address} needs pyvirtualcam: {install_hint('virtual-camera')}"
            )
        return Destination(address, _VIRTUAL_CAMERA, Order("pyvirtualcam", name), "rawvideo")
    device = Path(name if name.startswith("/") else f"/dev/video{name or _first_loopback(address)}")
    if not device.exists():
        raise UsageError(
            f"output {address}: there is no {device}: load a virtual camera "
            "(modprobe v4l2loopback exclusive_caps=1) or name one that exists"
        )
    if not os.access(device, os.W_OK):
        raise UsageError(f"output {address}: {device} may not be written to: join the group video")
    return Destination(address, _PUSH, Order("v4l2", str(device)), "rawvideo")


def _first_loopback(address: Address) -> str:
    """Return the number of the first device that v4l2loopback made."""
    devices = Path("/sys/devices/virtual/video4linux").glob("video*")
    numbers = sorted(int(device.name.removeprefix("video")) for device in devices)
    if not numbers:
        raise UsageError(
            f"output {address}: no virtual camera was found: modprobe v4l2loopback exclusive_caps=1"
        )
    return str(numbers[0])


def _window(address: Address) -> Destination:
    if not importlib.util.find_spec("_tkinter"):
        raise UsageError(f"output {address} needs Tk: install python3-tk, or leave the window out")
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        raise UsageError(
            f"output {address} needs a screen: DISPLAY is not set, leave the window out"
        )
    order = Order("window", address.target or "streamanon")
    return Destination(address, _WINDOW, order, "rawvideo")


_DESTINATIONS: dict[str, Callable[[Address], Destination]] = {
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "rtmp": _rtmp,
    "rtmps": _rtmp,
    "udp": _udp,
    "srt": _srt,
    "hls": _hls,
    "record": _record,
    "virtual-camera": _virtual_camera,
    "window": _window,
}


def destination(address: Address) -> Destination:
    """Return what an output needs.

    Raises:
        UsageError: it cannot be written on this machine, whatever is done later.
    """
    return _DESTINATIONS[address.scheme](address)
