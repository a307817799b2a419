"""What the address of a live output stands for: a mux job, and the program that carries it out."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from streamanon.atomic_write import OWNER_ONLY
from streamanon.child_process import installed_program
from streamanon.errors import UsageError
from streamanon.extras import install_hint
from streamanon.media.address import Address
from streamanon.media.file_types import VIDEO_OUTPUTS
from streamanon.sinks.live.encoder import KEYFRAME_S, Kind
from streamanon.sinks.writers.messages import MuxJob

_PUSH, _WINDOW = "streamanon.sinks.writers.push", "streamanon.sinks.writers.window"
_VIRTUAL_CAMERA = "streamanon.sinks.writers.virtual_camera"
_MPEGTS_SOUNDS = frozenset({"aac", "mp3", "ac3", "eac3", "opus"})
_FILE_SUFFIXES = (*VIDEO_OUTPUTS, ".m3u8", ".ts")
_SEGMENT = re.compile(r"live-\d{6,}\.ts")
_WHOLE_TS_PACKETS = 7 * 188
"""Bytes per datagram: seven MPEG-TS packets fit into an Ethernet frame."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A live output and how it is written.

    Attributes:
        address: where the output is.
        program: module of the writer process.
        job: what the writer process writes.
        kind: encoder whose packets it takes.
        sounds: audio codecs that its container can hold; ask :func:`holds`.
    """

    address: Address
    program: str
    job: MuxJob
    kind: Kind = "libx264"
    sounds: frozenset[str] = frozenset()

    def holds(self, codec: str) -> bool:
        """Return whether audio of a codec can be written with the pictures."""
        return codec.removesuffix("float") in self.sounds


def _rtsp(address: Address) -> Destination:
    sounds = frozenset({"aac", "mp3", "opus", "pcm_alaw", "pcm_mulaw", "ac3"})
    job = MuxJob("rtsp", address.target, {"rtsp_transport": "tcp"})
    return Destination(address, _PUSH, job, sounds=sounds)


def _rtmp(address: Address) -> Destination:
    options = {"flvflags": "no_duration_filesize"}
    job = MuxJob("flv", address.target, options, from_zero=True)
    return Destination(address, _PUSH, job, sounds=frozenset({"aac", "mp3"}))


def _udp(address: Address) -> Destination:
    url = address.target
    if "pkt_size=" not in url:
        url += f"{'&' if '?' in url else '?'}pkt_size={_WHOLE_TS_PACKETS}"
    return Destination(address, _PUSH, MuxJob("mpegts", url), sounds=_MPEGTS_SOUNDS)


def _srt(address: Address) -> Destination:
    """Return an output through srt-live-transmit: the FFmpeg inside PyAV is built without SRT."""
    if not installed_program("srt-live-transmit"):
        raise UsageError(
            f"output {address} needs the program srt-live-transmit, which was not found: "
            "install it (srt-tools in Debian and Ubuntu, srt in Homebrew)"
        )
    return Destination(address, _PUSH, MuxJob("srt", address.target), sounds=_MPEGTS_SOUNDS)


def _hls(address: Address) -> Destination:
    folder = _folder(address)
    playlist = folder / "index.m3u8"
    _check_playlist(playlist, address)
    options = {
        "hls_time": f"{KEYFRAME_S:g}",
        "hls_list_size": "6",
        # append_list: a restarted writer continues the playlist and deletes old segments in time
        "hls_flags": "delete_segments+append_list+independent_segments",
        "hls_segment_filename": "live-%06d.ts",
    }
    job = MuxJob("hls", str(playlist), options)
    return Destination(address, _PUSH, job, sounds=frozenset({"aac", "mp3", "ac3"}))


def _check_playlist(path: Path, address: Address) -> None:
    """Refuse to continue a playlist that lists other files than our segments.

    FFmpeg deletes what an old playlist lists, whatever it is.
    """
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        if line.strip() and not line.startswith("#") and not _SEGMENT.fullmatch(line):
            raise UsageError(
                f"output {address}: its index.m3u8 lists {line[:80]!r}, wanted segments of an "
                "earlier run only: choose another folder, or remove index.m3u8"
            )


def _folder(address: Address) -> Path:
    """Return the folder of an output, created if missing and writable."""
    folder = Path(address.target).expanduser().absolute()
    if folder.suffix.lower() in _FILE_SUFFIXES and not folder.is_dir():
        raise UsageError(
            f"output {address} is named like a file, wanted a folder: several files go into it"
        )
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
        return Destination(address, _VIRTUAL_CAMERA, MuxJob("pyvirtualcam", name), "rawvideo")
    device = Path(name if name.startswith("/") else f"/dev/video{name or _first_loopback(address)}")
    if not device.exists():
        raise UsageError(
            f"output {address}: there is no {device}: load a virtual camera "
            "(modprobe v4l2loopback exclusive_caps=1) or name one that exists"
        )
    if not os.access(device, os.W_OK):
        raise UsageError(f"output {address}: {device} may not be written to: join the group video")
    return Destination(address, _PUSH, MuxJob("v4l2", str(device)), "rawvideo")


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
    job = MuxJob("window", address.target or "streamanon")
    return Destination(address, _WINDOW, job, "rawvideo")


_DESTINATIONS: dict[str, Callable[[Address], Destination]] = {
    "rtsp": _rtsp,
    "rtsps": _rtsp,
    "rtmp": _rtmp,
    "rtmps": _rtmp,
    "udp": _udp,
    "srt": _srt,
    "hls": _hls,
    "virtual-camera": _virtual_camera,
    "window": _window,
}


def destination(address: Address, record_mode: int = OWNER_ONLY) -> Destination:
    """Return how an output is written, and recorded files with which permissions.

    Raises:
        UsageError: this machine cannot write it.
    """
    if address.scheme == "record":
        job = MuxJob("recording", str(_folder(address)), from_zero=True, mode=record_mode)
        return Destination(address, _PUSH, job, sounds=_MPEGTS_SOUNDS | {"vorbis", "flac"})
    return _DESTINATIONS[address.scheme](address)
