"""Detects missing frames in H.264 packets, and the end of an intra refresh.

Reference pictures are numbered (frame_num). A gap in the numbers means a lost picture; pictures
that depend on it are wrong until the next keyframe (IDR), but FFmpeg's H.264 decoder conceals the
loss without reporting it. (Its HEVC decoder marks such pictures as corrupt.)

Some encoders never send keyframes but refresh the picture gradually. They announce it by a recovery
point SEI message: recovery_frame_cnt frames later all is new.

Source: ITU-T H.264 (08/2021). Names of syntax elements and numbers of clauses are those of the
standard; methods u, ue and se read its descriptors u(n), ue(v) and se(v) (7.2).
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

_SLICE, _IDR_SLICE, _SEI, _SPS = 1, 5, 6, 7
"""nal_unit_type (table 7-1): a coded slice of another and of an IDR picture, SEI, SPS."""
_RECOVERY_POINT = 6
"""payloadType of the recovery point SEI message (D.1.1)."""
_WITH_CHROMA_FORMAT = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""profile_idc of the profiles whose SPS has chroma_format_idc (7.3.2.1.1)."""
_EXAMINED_BYTES = 8192
"""Examined bytes of a packet; parameter sets and SEI messages come first and are small."""
_HEADER_BYTES = 512
"""Examined bytes of a NAL unit; an SPS with all its scaling lists is shorter."""


def _rbsp(unit: bytes) -> bytes:
    """Return the beginning of a NAL unit without emulation_prevention_three_byte (7.3.1)."""
    return unit[:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0")


class _Bits:
    """Reads the syntax elements of a NAL unit, behind its header."""

    def __init__(self, rbsp: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in rbsp)
        self._at = 8  # NAL unit header: forbidden_zero_bit, nal_ref_idc u(2), nal_unit_type u(5)

    def u(self, count: int) -> int:
        """Read an unsigned number of so many bits."""
        self._at += count
        return int(self._bits[self._at - count : self._at] or "0", 2)

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb code (9.1); ValueError at the end."""
        leading_zero_bits = self._bits.index("1", self._at) - self._at
        self._at += leading_zero_bits
        return self.u(leading_zero_bits + 1) - 1

    def se(self) -> int:
        """Read a signed Exp-Golomb code (9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def skip(self, count: int) -> None:
        """Skip Exp-Golomb codes, signed or unsigned."""
        for _ in range(count):
            self.ue()


@dataclass(frozen=True, slots=True)
class _Sps:
    """Syntax elements of a sequence parameter set that concern frame_num.

    Attributes:
        frame_num_bits: length of frame_num, log2_max_frame_num_minus4 + 4.
        separate_colour_plane: separate_colour_plane_flag.
        gaps_allowed: gaps_in_frame_num_value_allowed_flag.
    """

    frame_num_bits: int
    separate_colour_plane: bool
    gaps_allowed: bool


class FrameNumbers:
    """Follows frame_num through the packets of one stream.

    Attributes:
        keyframe: whether the last packet held an IDR picture: none after it depends on any before.
        refreshed: whether the picture of the last packet, no IDR picture, ends an intra refresh:
            nothing in it depends on pictures before the newest recovery point.
    """

    def __init__(self, extradata: bytes) -> None:
        """Begin with the headers of the codec.

        They are an AVC decoder configuration record (ISO/IEC 14496-15, 5.3.3.1: version 1, then
        profile, level and the length of NAL unit lengths) or NAL units in the byte stream format.
        """
        self._sps: _Sps | None = None
        self._frame_num: int | None = None  # of the newest reference picture
        self._recovery_frame_cnt: int | None = None  # in the present packet
        self._refreshed_at: int | None = None  # frame_num that ends the present intra refresh
        self.keyframe = self.refreshed = False
        is_record = extradata[:1] == b"\1" and len(extradata) > 8
        self._length_bytes = 1 + (extradata[4] & 3) if is_record else 0  # lengthSizeMinusOne
        if is_record:
            size = int.from_bytes(extradata[6:8], "big")  # sequenceParameterSetLength
            with suppress(ValueError):
                self._read_sps(extradata[8 : 8 + size])
        else:
            self.gap(extradata)

    def gap(self, packet: bytes) -> bool:
        """Return whether a picture is missing before that of a packet."""
        self._recovery_frame_cnt, self.keyframe, self.refreshed = None, False, False
        try:
            for unit in self._units(packet[:_EXAMINED_BYTES]):
                nal_unit_type = unit[0] & 31
                if nal_unit_type == _SPS:
                    self._read_sps(unit)
                elif nal_unit_type == _SEI and self._recovery_frame_cnt is None:
                    self._recovery_frame_cnt = _recovery_frame_cnt(unit)
                elif nal_unit_type in (_SLICE, _IDR_SLICE):
                    self.keyframe = nal_unit_type == _IDR_SLICE
                    return self._follow(unit)
        except (IndexError, ValueError):
            return False  # cut off or damaged, which the decoder notices
        return False

    def cancel_refresh(self) -> None:
        """Note that something was lost, so that the present intra refresh is incomplete."""
        self._refreshed_at, self.refreshed = None, False

    def _units(self, packet: bytes) -> Iterator[bytes]:
        """Yield NAL units, separated by lengths (ISO/IEC 14496-15) or by start codes (annex B)."""
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
        """Read a slice header (7.3.3) up to frame_num; return whether a picture is missing."""
        if self._sps is None:
            return False
        bits = _Bits(_rbsp(unit))
        bits.skip(3)  # first_mb_in_slice, slice_type, pic_parameter_set_id
        bits.u(2 * self._sps.separate_colour_plane)  # colour_plane_id
        frame_num, previous = bits.u(self._sps.frame_num_bits), self._frame_num
        if unit[0] >> 5 & 3:  # nal_ref_idc: it is a reference picture
            self._frame_num = frame_num
        max_frame_num = 1 << self._sps.frame_num_bits
        missing = (  # 7.4.3: it equals PrevRefFrameNum or follows it, modulo MaxFrameNum
            not self.keyframe
            and previous is not None
            and not self._sps.gaps_allowed
            and frame_num not in (previous, (previous + 1) % max_frame_num)
        )
        if missing or self.keyframe:
            self.cancel_refresh()
        count = self._recovery_frame_cnt
        if self._refreshed_at is None and count is not None and not self.keyframe:
            self._refreshed_at = (frame_num + count) % max_frame_num  # D.2.8
        if self._refreshed_at == frame_num:
            self._refreshed_at, self.refreshed = None, True
        return missing

    def _read_sps(self, unit: bytes) -> None:
        """Read a sequence parameter set (7.3.2.1.1) up to gaps_in_frame_num_value_allowed_flag."""
        bits = _Bits(_rbsp(unit))
        profile_idc, separate_colour_plane = bits.u(8), False
        bits.u(16)  # constraint_set flags, reserved_zero_2bits, level_idc
        bits.ue()  # seq_parameter_set_id
        if profile_idc in _WITH_CHROMA_FORMAT:
            chroma_format_idc = bits.ue()
            separate_colour_plane = chroma_format_idc == 3 and bits.u(1) == 1
            bits.skip(2)  # bit_depth_luma_minus8, bit_depth_chroma_minus8
            bits.u(1)  # qpprime_y_zero_transform_bypass_flag
            if bits.u(1):  # seq_scaling_matrix_present_flag
                _skip_scaling_lists(bits, 12 if chroma_format_idc == 3 else 8)
        frame_num_bits = bits.ue() + 4  # log2_max_frame_num_minus4
        pic_order_cnt_type = bits.ue()
        if pic_order_cnt_type == 0:
            bits.ue()  # log2_max_pic_order_cnt_lsb_minus4
        elif pic_order_cnt_type == 1:
            bits.u(1)  # delta_pic_order_always_zero_flag
            bits.skip(2)  # offset_for_non_ref_pic, offset_for_top_to_bottom_field
            bits.skip(bits.ue())  # num_ref_frames_in_pic_order_cnt_cycle, offset_for_ref_frame
        bits.ue()  # max_num_ref_frames
        self._sps = _Sps(frame_num_bits, separate_colour_plane, bits.u(1) == 1)


def _recovery_frame_cnt(unit: bytes) -> int | None:
    """Return recovery_frame_cnt of a SEI unit, or None without a recovery point (7.3.2.3.1, D.1.8).

    ValueError or IndexError if the unit is cut off.
    """
    rbsp, at = _rbsp(unit), 1
    while at + 2 < len(rbsp):  # the last byte is rbsp_trailing_bits
        payload = [0, 0]  # payloadType and payloadSize: bytes of 255 and one below 255 that add up
        for index in (0, 1):
            while rbsp[at] == 255:
                payload[index] += 255
                at += 1
            payload[index] += rbsp[at]
            at += 1
        payload_type, payload_size = payload
        if payload_type == _RECOVERY_POINT:
            # a byte stands in for the NAL unit header, which _Bits skips
            return _Bits(b"\0" + rbsp[at : at + payload_size]).ue()
        at += payload_size
    return None


def _skip_scaling_lists(bits: _Bits, lists: int) -> None:
    """Skip the scaling lists of an SPS (7.3.2.1.1.1)."""
    for index in range(lists):
        if not bits.u(1):  # seq_scaling_list_present_flag
            continue
        last_scale = next_scale = 8
        for _ in range(16 if index < 6 else 64):  # 4x4 lists, then 8x8 lists
            if next_scale:
                next_scale = (last_scale + bits.se()) % 256  # delta_scale
            last_scale = next_scale or last_scale
