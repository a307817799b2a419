"""Where live video comes from and goes to: addresses, and how to print them without secrets.

An address carries credentials: user and password, a key in the query, the stream key that ends an
RTMP path. They are handed to whoever connects and are never shown; whatever is printed went through
:func:`masked`, which would rather hide too much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamanon.errors import UsageError

_WITHOUT_USUAL_PORT = ("srt", "udp")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
"""Two characters and more: one is a drive of Windows."""
_DEVICE = re.compile(r"/dev/video\d+")
_URL = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*://\S+?)(?=[\"'),.:;]*(?:\s|$))")
"""Without the punctuation of the sentence it stands in."""
_CREDENTIALS = re.compile(r"(?<=://).*@", re.DOTALL)
_QUERY_VALUE = re.compile(r"([?&][^=&#]*=)(?!\d{1,2}(?:[&#\W]|$))[^&#]*")
"""Small numbers stay: they tell the channels of a camera apart and are nobody's secret."""
_STREAM_KEY = re.compile(r"(rtmp[a-z]*://[^/]+/[^/]+/)[^?]+", re.IGNORECASE)
_NAMED_SECRET = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|token|secret|auth|key|user(?:name)?)=)[^&_/?;,\s\"']+",
    re.IGNORECASE,
)
"""Wherever it stands: some cameras take user and password as a part of the path."""
_HIDDEN = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """One live input or output; printing it shows no credentials.

    Attributes:
        scheme: what kind it is, "rtsp", "webcam" or "hls" for example.
        target: what FFmpeg or a device is given, credentials included; never printed. The whole URL
            for schemes with "//", what follows the colon for the others, a path for /dev/videoN.
    """

    scheme: str
    target: str

    def __str__(self) -> str:
        """Return the address without its credentials."""
        if "://" in self.target:
            return _masked_url(self.target)
        return self.target if _DEVICE.fullmatch(self.target) else f"{self.scheme}:{self.target}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def masked(self, text: str) -> str:
        """Hide the credentials of this address, and of any other, anywhere in a text."""
        return masked(text.replace(self.target, str(self)) if "://" in self.target else text)


@dataclass(frozen=True, slots=True)
class _End:
    """One of the two ends of a stream, and the addresses there are for it.

    Attributes:
        name: of the end.
        device: scheme that /dev/videoN stands for.
        words: schemes without "//".
        urls: schemes with "//".
        forms: what there is, for messages.
    """

    name: str
    device: str
    words: tuple[str, ...]
    urls: tuple[str, ...]
    forms: str


_INPUT = _End(
    "input",
    "webcam",
    ("webcam", "screen", "lavfi"),
    ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp"),
    "rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, srt://, udp://, webcam:0, "
    "/dev/video0, screen:, lavfi:GRAPH or a file",
)
_OUTPUT = _End(
    "output",
    "virtual-camera",
    ("virtual-camera", "window", "hls", "record"),
    ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp"),
    "rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, virtual-camera:, /dev/video0, window:, "
    "hls:FOLDER, record:FOLDER or a file",
)


def input_address(text: str) -> Address | None:
    """Read a live input.

    Returns:
        The address, or None when the text names a file.

    Raises:
        UsageError: it is an address, but none that can be read.
    """
    address = _address(text, _INPUT, _OUTPUT)
    if address and not address.target and address.scheme == "webcam":
        return Address("webcam", "0")
    if address and not address.target and address.scheme == "lavfi":
        raise UsageError("lavfi: names no picture: use lavfi:testsrc2=size=1280x720:rate=30")
    return address


def output_address(text: str) -> Address | None:
    """Read a live output.

    Returns:
        The address, or None when the text names a file.

    Raises:
        UsageError: it is an address, but none that can be written to.
    """
    address = _address(text, _OUTPUT, _INPUT)
    if address and not address.target and address.scheme in ("hls", "record"):
        raise UsageError(f"{address} names no folder: use {address.scheme}:FOLDER")
    return address


def _address(text: str, end: _End, other: _End) -> Address | None:
    """Return the address in a text, or None for a file.

    Args:
        text: what was asked for.
        end: where it was asked for.
        other: the other end, whose addresses are recognised and refused.
    """
    if _DEVICE.fullmatch(text):
        return Address(end.device, text)
    found = _SCHEME.match(text)
    if not found:
        return None
    scheme, is_url = found[1].lower(), bool(found[2])
    if is_url:
        return _url(text, scheme, text[found.end() :], end)
    address = Address(scheme, text[found.end() :])
    if scheme in end.words:
        return address
    if scheme in other.words:
        raise UsageError(f"{address} is an {other.name}: as {end.name} use one of {end.forms}")
    if scheme in end.urls:
        raise UsageError(f"the {scheme}: address lacks its //: write {scheme}://HOST/PATH")
    return None


def _url(text: str, scheme: str, rest: str, end: _End) -> Address:
    """Return the address in a text that has "//", and a rest behind that."""
    if scheme not in end.urls:
        raise UsageError(f"{_masked_url(text)} cannot be used here: wanted {end.forms}")
    if re.search(r"\s", text):
        raise UsageError(f"{_masked_url(text)} holds a space: write %20 in its place")
    if not re.match(r"[^/?#]", rest):
        raise UsageError(f"{_masked_url(text)} names no host: write {scheme}://HOST/PATH")
    if scheme in _WITHOUT_USUAL_PORT:
        port = re.match(r"[^/?#]*:(\d{1,5})(?=[/?#]|$)", rest)
        if not port or not 0 < int(port[1]) < 65536:
            raise UsageError(
                f"{_masked_url(text)} names no port: write {scheme}://HOST:PORT, 1 to 65535"
            )
    return Address(scheme, scheme + text[len(scheme) :])


def masked(text: str) -> str:
    """Hide the credentials of every URL in a text, and what else says it is a secret."""
    return _NAMED_SECRET.sub(rf"\1{_HIDDEN}", _URL.sub(lambda url: _masked_url(url[1]), text))


def _masked_url(url: str) -> str:
    """Hide user, password, query values and stream key of one URL.

    All up to the last @ goes: a password may hold anything, an @ or a slash included.
    """
    shown = _CREDENTIALS.sub(f"{_HIDDEN}@", url, count=1)
    shown = _STREAM_KEY.sub(rf"\1{_HIDDEN}", shown)
    shown = _QUERY_VALUE.sub(rf"\1{_HIDDEN}", shown)
    return _NAMED_SECRET.sub(rf"\1{_HIDDEN}", shown)
