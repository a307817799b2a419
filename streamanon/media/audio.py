"""Compressed sound on its way past the picture: a bounded queue between input and outputs.

What Vorbis and FLAC tell a decoder before the first packet holds title, place and cover picture,
too. Sources: Vorbis I specification, 4.2 and 5; Xiph lacing as in Matroska; RFC 9639, 8.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

SOUND_TICK = Fraction(1, 90_000)
"""Seconds a tick of a packet's pts and duration; the same as of live frames."""

_KEPT_PACKETS = 1024
"""About 20 s of AAC: more than any picture is ever held back."""


_NO_COMMENTS = b"\3vorbis" + bytes(8) + b"\1"
"""A comment header: no vendor, no comments."""

_STREAMINFO = slice(8, 42)
"""Of a FLAC header, the only block a decoder needs."""


def without_comments(codec: str, extradata: bytes) -> bytes:
    """Return what a decoder is told, without what it says of the recording; b"" where unreadable.

    Args:
        codec: FFmpeg's name.
        extradata: as the container has it.
    """
    if codec in ("vorbis", "libvorbis"):
        return _vorbis(extradata)
    return extradata[_STREAMINFO] if extradata[:4] == b"fLaC" else extradata


def _vorbis(extradata: bytes) -> bytes:
    """Return the three headers of Vorbis with an empty one in the middle, laced."""
    if not extradata:
        return b""
    at, lengths = 1, []
    for _ in range(2):
        end = next((n for n in range(at, len(extradata)) if extradata[n] < 255), len(extradata))
        lengths.append(sum(extradata[at : end + 1]))
        at = end + 1
    first, third = extradata[at : at + lengths[0]], extradata[at + sum(lengths) :]
    if extradata[0] != 2 or first[:7] != b"\1vorbis" or third[:7] != b"\5vorbis":
        return b""
    laced = [
        b"\xff" * (size // 255) + bytes([size % 255]) for size in (len(first), len(_NO_COMMENTS))
    ]
    return b"".join([b"\2", *laced, first, _NO_COMMENTS, third])


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How packets of sound are to be read.

    Attributes:
        codec: FFmpeg's name, "aac" for example.
        rate: samples a second.
        layout: FFmpeg's name of the channels, "stereo" for example.
        extradata: what the decoder is told before the first packet; may be empty.
    """

    codec: str
    rate: int
    layout: str
    extradata: bytes = b""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """One packet of compressed sound.

    Attributes:
        data: as the codec has it.
        pts: when it is heard, in ticks of SOUND_TICK, on the timeline of the frames.
        duration: in the same ticks.
    """

    data: bytes
    pts: int
    duration: int


class SoundTrack:
    """Packets one thread puts and another takes; the oldest are lost when nobody takes them.

    Attributes:
        format: of every packet.
    """

    def __init__(self, format: SoundFormat) -> None:  # noqa: A002
        self.format = format
        # append and popleft of a bounded deque are safe between threads
        self._packets: deque[SoundPacket] = deque(maxlen=_KEPT_PACKETS)

    def put(self, packet: SoundPacket) -> None:
        """Add a packet; later ones have a larger pts."""
        self._packets.append(packet)

    def take_until(self, pts: int) -> list[SoundPacket]:
        """Return the packets that are heard before a time, in order; each is returned once.

        Args:
            pts: of the picture about to be shown, in ticks of SOUND_TICK.
        """
        taken = []
        while self._packets and self._packets[0].pts < pts:
            try:
                taken.append(self._packets.popleft())
            except IndexError:
                break
        return taken
