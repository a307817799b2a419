"""Compressed audio: a bounded queue from input to outputs, and codec headers without metadata.

The headers of Vorbis and FLAC hold what a decoder needs before the first packet, and also title,
place and cover picture. Sources: Vorbis I specification, 4.2 and 5; Matroska codec mappings
(A_VORBIS, Xiph lacing); RFC 9639 (FLAC), 8.
"""

from collections import deque
from dataclasses import dataclass

MAX_QUEUED = 1024
"""Packets in the queue, about 20 s of AAC: longer than a picture is ever delayed."""


_IDENTIFICATION, _COMMENT, _SETUP = b"\1vorbis", b"\3vorbis", b"\5vorbis"
"""Packet type and signature of the three Vorbis headers (Vorbis I, 4.2.1)."""

_NO_COMMENTS = _COMMENT + bytes(8) + b"\1"
"""Comment header (Vorbis I, 5.2.1) without content: vendor_length 0 and
user_comment_list_length 0, 32 bits each, then framing_bit 1."""

_STREAMINFO = slice(8, 42)
"""Content of the STREAMINFO block of a FLAC file, the only one a decoder needs (RFC 9639, 8.2): it
follows the signature fLaC and its block header of four bytes each, and has 34 bytes."""


def without_comments(codec: str, extradata: bytes) -> bytes:
    """Return the headers of FFmpeg's codec without metadata; b"" if they cannot be read."""
    if codec in ("vorbis", "libvorbis"):
        return _vorbis(extradata)
    return extradata[_STREAMINFO] if extradata[:4] == b"fLaC" else extradata


def aac_header(packet: bytes) -> bytes:
    """Return the AudioSpecificConfig of AAC whose packets carry their headers themselves (ADTS).

    It is b"" if there is none, or the channels are described inside the packet. Containers that
    cannot be gone back in need it before the first packet. Source: ISO/IEC 14496-3, 1.6.2.1
    (AudioSpecificConfig) and 1.A.2.2.1 (adts_fixed_header).
    """
    if len(packet) < 4 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return b""
    kind, rate = (packet[2] >> 6) + 1, packet[2] >> 2 & 15
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big") if channels else b""


def _vorbis(extradata: bytes) -> bytes:
    """Return the three Vorbis headers with an empty comment header, in Xiph lacing.

    Xiph lacing: number of packets minus one; the size of each packet but the last, as bytes of 255
    and one below 255 that add up to it; then the packets.
    """
    if not extradata:
        return b""
    at, sizes = 1, []
    for _ in range(2):  # identification and comment header; the setup header is the rest
        end = next((n for n in range(at, len(extradata)) if extradata[n] < 255), len(extradata))
        sizes.append(sum(extradata[at : end + 1]))
        at = end + 1
    identification, setup = extradata[at : at + sizes[0]], extradata[at + sum(sizes) :]
    known = identification.startswith(_IDENTIFICATION) and setup.startswith(_SETUP)
    if extradata[0] != 2 or not known:
        return b""
    lacing = [
        b"\xff" * (size // 255) + bytes([size % 255])
        for size in (len(identification), len(_NO_COMMENTS))
    ]
    return b"".join([b"\2", *lacing, identification, _NO_COMMENTS, setup])


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Format of compressed audio.

    Attributes:
        codec: FFmpeg's name of the codec, for example "aac".
        rate: samples per second.
        layout: FFmpeg's name of the channel layout, for example "stereo".
        extradata: headers that the decoder needs before the first packet; may be empty.
    """

    codec: str
    rate: int
    layout: str
    extradata: bytes = b""


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One packet of compressed audio; times are in ticks of 1/90000 s, as of live frames."""

    data: bytes
    pts: int
    duration: int


class AudioQueue:
    """Passes packets from one thread to another; when it is full the oldest are dropped."""

    def __init__(self, format: AudioFormat) -> None:  # noqa: A002
        self.format = format
        # append and popleft of a bounded deque are safe between threads
        self._packets: deque[AudioPacket] = deque(maxlen=MAX_QUEUED)

    def put(self, packet: AudioPacket) -> None:
        """Add a packet whose pts is larger than that of the one before."""
        self._packets.append(packet)

    def take_until(self, pts: int) -> list[AudioPacket]:
        """Remove and return, in order, the packets before a time in ticks of 1/90000 s."""
        taken = []
        while self._packets and self._packets[0].pts < pts:
            try:
                taken.append(self._packets.popleft())
            except IndexError:
                break
        return taken
