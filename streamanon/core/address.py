"""Where live video comes from and goes to: addresses, and how to print them without secrets.

An address carries credentials: user and password, a key in the query, the stream key that ends an
RTMP path. They are handed to whoever connects and are never shown; whatever is printed went through
:func:`masked`, which would rather hide too much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamanon.errors import UsageError

_URL_INPUTS = ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp")
_URL_OUTPUTS = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp")
_INPUTS = ("webcam", "screen", "lavfi")
_OUTPUTS = ("virtual-camera", "window", "hls", "record")

_INPUT_FORMS = (
    "rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, srt://, udp://, webcam:0, "
    "/dev/video0, screen:, lavfi:GRAPH or a file"
)
_OUTPUT_FORMS = (
    "rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, virtual-camera:, /dev/video0, window:, "
    "hls:FOLDER, record:FOLDER or a file"
)

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


def input_address(text: str) -> Address | None:
    """Read a live input.

    Returns:
        The address, or None when the text names a file.

    Raises:
        UsageError: it is an address, but none that can be read.
    """
    if _DEVICE.fullmatch(text):
        return Address("webcam", text)
    address = _parsed(text, _INPUTS, _URL_INPUTS, _INPUT_FORMS)
    if address is None:
        return None
    if address.scheme in _OUTPUTS:
        raise UsageError(f"{address} is an output: as input use one of {_INPUT_FORMS}")
    if address.scheme == "webcam" and not address.target:
        return Address("webcam", "0")
    if address.scheme == "lavfi" and not address.target:
        raise UsageError("lavfi: names no picture: use lavfi:testsrc2=size=1280x720:rate=30")
    return address


def output_address(text: str) -> Address | None:
    """Read a live output.

    Returns:
        The address, or None when the text names a file.

    Raises:
        UsageError: it is an address, but none that can be written to.
    """
    if _DEVICE.fullmatch(text):
        return Address("virtual-camera", text)
    address = _parsed(text, _OUTPUTS, _URL_OUTPUTS, _OUTPUT_FORMS)
    if address is None:
        return None
    if address.scheme in _INPUTS:
        raise UsageError(f"{address} is an input: as output use one of {_OUTPUT_FORMS}")
    if address.scheme in ("hls", "record") and not address.target:
        raise UsageError(f"{address} names no folder: use {address.scheme}:FOLDER")
    return address


def _parsed(text: str, words: tuple[str, ...], urls: tuple[str, ...], forms: str) -> Address | None:
    """Return the address in a text, or None for a file.

    Args:
        text: what was asked for.
        words: schemes without "//".
        urls: schemes with "//".
        forms: what there is, for the message.
    """
    found = _SCHEME.match(text)
    if not found:
        return None
    scheme, is_url = found[1].lower(), bool(found[2])
    if not is_url:
        known = scheme in _INPUTS or scheme in _OUTPUTS
        if scheme in words or known:
            return Address(scheme, text[found.end() :])
        if scheme in urls:
            raise UsageError(f"the {scheme}: address lacks its //: write {scheme}://HOST/PATH")
        return None
    if scheme not in urls:
        raise UsageError(f"{_masked_url(text)} cannot be used here: wanted {forms}")
    if re.search(r"\s", text):
        raise UsageError(f"{_masked_url(text)} holds a space: write %20 in its place")
    if not re.match(r"[^/?#]", text[found.end() :]):
        raise UsageError(f"{_masked_url(text)} names no host: write {scheme}://HOST/PATH")
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
