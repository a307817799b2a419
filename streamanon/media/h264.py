"""Whether a frame of an H.264 stream is missing: the decoder covers that up without a word.

And from when on nothing of the loss is left: some encoders never send a keyframe but renew the
picture bit by bit, and say so (a recovery point, with the number of frames until all is new).

Reference pictures are numbered (``frame_num``); a number that is left out is a picture that was
lost, and all that are told by their difference from it are wrong until the next keyframe. FFmpeg's
HEVC decoder marks such pictures as damaged by itself; its H.264 decoder does not.

Source: ITU-T H.264 (08/2021), 7.3.1 (NAL units), 7.3.2.1.1 (SPS), 7.3.2.3.1 (SEI), 7.3.3 (slice
header), 7.4.3, D.1.8 (recovery point).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLICE, _KEY_SLICE, _SEI, _SPS = 1, 5, 6, 7
_RECOVERY_POINT = 6
_WITH_CHROMA_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
_LOOKED_AT = 8192
"""Bytes of a packet; parameters and messages come first and are small."""
_HEADER_BYTES = 512
"""Of a NAL unit: an SPS with all its scaling lists is shorter."""


class _Bits:
    """Reads a NAL unit bit by bit."""

    def __init__(self, unit: bytes) -> None:
        plain = unit[:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0")
        self._bits = "".join(f"{byte:08b}" for byte in plain)
        self._at = 8  # behind the header

    def bits(self, count: int) -> int:
        """Read an unsigned number of so many bits."""
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb number; ValueError at the end."""
        zeros = self._bits.index("1", self._at) - self._at
        self._at += zeros
        return self.bits(zeros + 1) - 1

    def skip(self, numbers: int) -> None:
        """Read over so many Exp-Golomb numbers, signed or not."""
        for _ in range(numbers):
            self.ue()


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What an SPS says of frame numbers."""

    number_bits: int
    colour_planes: bool
    gaps_allowed: bool


class FrameNumbers:
    """Watches the packets of one stream.

    Attributes:
        keyframe: whether the last packet held one (IDR): nothing after it knows what was before.
        renewed: whether, without one, nothing from before the newest recovery point is left in its
            picture.
    """

    def __init__(self, extradata: bytes) -> None:
        """Begin.

        Args:
            extradata: of the codec; tells how packets are written and may hold the parameters.
        """
        self._length_bytes = (
            1 + (extradata[4] & 3) if extradata[:1] == b"\1" and len(extradata) > 8 else 0
        )
        self._sequence: _Sequence | None = None
        self._last: int | None = None
        self._told: int | None = None
        self._new_at: int | None = None
        self.keyframe = self.renewed = False
        if self._length_bytes:
            size = int.from_bytes(extradata[6:8], "big")
            with suppress(ValueError):
                self._learn(extradata[8 : 8 + size])
        else:
            self.gap(extradata)

    def gap(self, packet: bytes) -> bool:
        """Tell whether a picture is missing before that of a packet."""
        self._told, self.keyframe, self.renewed = None, False, False
        try:
            for unit in self._units(packet[:_LOOKED_AT]):
                kind = unit[0] & 31
                if kind == _SPS:
                    self._learn(unit)
                elif kind == _SEI:
                    self._told = _recovery_count(unit) if self._told is None else self._told
                elif kind in (_SLICE, _KEY_SLICE):
                    self.keyframe = kind == _KEY_SLICE
                    return self._follow(unit)
        except (IndexError, ValueError):
            return False  # cut off or damaged, which the decoder will notice
        return False

    def spoil(self) -> None:
        """Note that something was lost: a renewal that has begun is worth nothing."""
        self._new_at, self.renewed = None, False

    def _units(self, packet: bytes) -> Iterator[bytes]:
        if self._length_bytes:
            at = 0
            while at + self._length_bytes < len(packet):
                start = at + self._length_bytes
                at = start + int.from_bytes(packet[at:start], "big")
                yield packet[start:at]
            return
        start = packet.find(b"\0\0\1")
        while 0 <= start < len(packet) - 3:
            end = packet.find(b"\0\0\1", start + 3)
            yield packet[start + 3 : end if end >= 0 else len(packet)]
            start = end

    def _follow(self, unit: bytes) -> bool:
        if self._sequence is None:
            return False
        bits = _Bits(unit)
        bits.skip(3)  # first macroblock, kind, picture parameters
        bits.bits(2 * self._sequence.colour_planes)
        number, last = bits.bits(self._sequence.number_bits), self._last
        if unit[0] >> 5 & 3:  # others may refer to it
            self._last = number
        numbers = 1 << self._sequence.number_bits
        missing = (
            not self.keyframe
            and last is not None
            and not self._sequence.gaps_allowed
            and number not in (last, (last + 1) % numbers)
        )
        if missing or self.keyframe:
            self.spoil()
        if self._new_at is None and self._told is not None and not self.keyframe:
            self._new_at = (number + self._told) % numbers
        if self._new_at == number:
            self._new_at, self.renewed = None, True
        return missing

    def _learn(self, unit: bytes) -> None:
        """Read an SPS up to what is needed here."""
        bits = _Bits(unit)
        profile, planes = bits.bits(8), False
        bits.bits(16)
        bits.ue()
        if profile in _WITH_CHROMA_FORMAT:
            chroma = bits.ue()
            planes = chroma == 3 and bits.bits(1) == 1
            bits.skip(2)
            bits.bits(1)
            if bits.bits(1):
                _skip_scaling(bits, 12 if chroma == 3 else 8)
        number_bits = bits.ue() + 4
        order = bits.ue()
        if order == 0:
            bits.ue()
        elif order == 1:
            bits.bits(1)
            bits.skip(2)
            bits.skip(bits.ue())
        bits.ue()
        self._sequence = _Sequence(number_bits, planes, bits.bits(1) == 1)


def _recovery_count(unit: bytes) -> int | None:
    """Return by how many frames later all is renewed, or None when a SEI unit does not say.

    ValueError or IndexError when it is cut off.
    """
    plain, at = unit[:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0"), 1
    while at + 2 < len(plain):  # the last byte only ends the unit
        numbers = [0, 0]
        for index in (0, 1):
            while plain[at] == 255:
                numbers[index] += 255
                at += 1
            numbers[index] += plain[at]
            at += 1
        if numbers[0] == _RECOVERY_POINT:
            return _Bits(b"\0" + plain[at : at + numbers[1]]).ue()
        at += numbers[1]
    return None


def _skip_scaling(bits: _Bits, lists: int) -> None:
    """Read over the scaling lists of an SPS."""
    for index in range(lists):
        if not bits.bits(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                code = bits.ue()
                delta = (code + 1) // 2 if code % 2 else -(code // 2)
                following = (last + delta) % 256
            last = following or last
