"""Addresses of live inputs and outputs, and how to print them without credentials.

An address may carry credentials, which are used to connect and are never shown: see
:mod:`streamanon.media.credentials`.
"""

import re
from dataclasses import dataclass

from streamanon.errors import UsageError
from streamanon.media.credentials import keep_secrets_of, masked, masked_url

_WITHOUT_USUAL_PORT = ("srt", "udp")

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?")
"""At least two characters: one would be a drive letter of Windows."""
_AUTHORITY = re.compile(
    r"(?:[^/?#]*@)?(?:[^/?#@:\[\]]*|\[[0-9A-Fa-f:.%]*\])(?::(\d{0,9}))?(?=[/?#]|$)"
)
"""User, host and port (a group) in what follows the "//"."""
_DEVICE = re.compile(r"/dev/video\d+")


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Address of one live input or output; printing it shows no credentials.

    Attributes:
        scheme: kind of input or output, for example "rtsp", "webcam" or "hls".
        target: URL, device or folder to open, credentials included; never printed. The whole URL
            for schemes with "//", the text behind the colon for others, a path for /dev/videoN.
    """

    scheme: str
    target: str

    def __post_init__(self) -> None:
        if "://" in self.target:
            keep_secrets_of(self.target)

    def __str__(self) -> str:
        """Return the address without its credentials."""
        if "://" in self.target:
            return masked_url(self.target)
        return self.target if _DEVICE.fullmatch(self.target) else f"{self.scheme}:{self.target}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def masked(self, text: str) -> str:
        """Hide the credentials of this address and of any other in a text."""
        return masked(text.replace(self.target, str(self)) if "://" in self.target else text)


@dataclass(frozen=True, slots=True)
class _Direction:
    """Input or output, and the addresses it takes.

    Attributes:
        name: "input" or "output".
        device: scheme that /dev/videoN stands for.
        words: schemes without "//".
        urls: schemes with "//".
        forms: list of possible addresses for messages.
    """

    name: str
    device: str
    words: tuple[str, ...]
    urls: tuple[str, ...]
    forms: str


_INPUT = _Direction(
    "input",
    "webcam",
    ("webcam", "screen", "lavfi"),
    ("rtsp", "rtsps", "rtmp", "rtmps", "http", "https", "srt", "udp"),
    "rtsp://, rtsps://, rtmp://, rtmps://, http://, https://, srt://, udp://, webcam:0, "
    "/dev/video0, screen:, lavfi:GRAPH or a file",
)
_OUTPUT = _Direction(
    "output",
    "virtual-camera",
    ("virtual-camera", "window", "hls", "record"),
    ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp"),
    "rtsp://, rtsps://, rtmp://, rtmps://, srt://, udp://, virtual-camera:, /dev/video0, window:, "
    "hls:FOLDER, record:FOLDER or a file",
)


def input_address(text: str) -> Address | None:
    """Read a live input; None when the text names a file.

    Raises:
        UsageError: the address cannot be read.
    """
    address = _address(text, _INPUT, _OUTPUT)
    if address and not address.target and address.scheme == "webcam":
        return Address("webcam", "0")
    if address and not address.target and address.scheme == "lavfi":
        raise UsageError("lavfi: names no picture: use lavfi:testsrc2=size=1280x720:rate=30")
    return address


def output_address(text: str) -> Address | None:
    """Read a live output; None when the text names a file.

    Raises:
        UsageError: the address cannot be written to.
    """
    address = _address(text, _OUTPUT, _INPUT)
    if address and not address.target and address.scheme in ("hls", "record"):
        raise UsageError(f"{address} names no folder: use {address.scheme}:FOLDER")
    return address


def _address(text: str, direction: _Direction, other: _Direction) -> Address | None:
    """Return the address in a text, or None for a file."""
    if _DEVICE.fullmatch(text):
        return Address(direction.device, text)
    found = _SCHEME.match(text)
    if not found:
        return None
    scheme, is_url = found[1].lower(), bool(found[2])
    if is_url:
        return _url(text, scheme, text[found.end() :], direction)
    address = Address(scheme, text[found.end() :])
    if scheme in direction.words:
        return address
    if scheme in other.words:
        raise UsageError(
            f"{address} is an {other.name}: as {direction.name} use one of {direction.forms}"
        )
    if scheme in direction.urls:
        raise UsageError(f"the {scheme}: address lacks its //: write {scheme}://HOST/PATH")
    return None


def _url(text: str, scheme: str, rest: str, direction: _Direction) -> Address:
    """Return the address in a text with "//", and the given rest behind it."""
    if scheme not in direction.urls:
        raise UsageError(f"{masked_url(text)} cannot be used here: wanted {direction.forms}")
    if re.search(r"\s", text):
        raise UsageError(f"{masked_url(text)} holds a space: write %20 in its place")
    if not re.match(r"[^/?#]", rest):
        raise UsageError(f"{masked_url(text)} names no host: write it after {scheme}://")
    authority = _AUTHORITY.match(rest)
    if not authority:
        raise UsageError(
            f"{masked_url(text)} has a port that is no number, or a password with a / ? or # in "
            "it: write %2F, %3F or %23 instead"
        )
    port = authority[1]
    missing = not port and scheme in _WITHOUT_USUAL_PORT
    if missing or (port and not 0 < int(port) < 65536):
        raise UsageError(
            f"{masked_url(text)} names no port: write {scheme}://HOST:9000, or another to 65535"
        )
    return Address(scheme, scheme + text[len(scheme) :])
