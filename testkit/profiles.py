"""ICC profiles that tests make for themselves."""

import struct


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    start, table, content = 132 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(content), 0x02400000, kind, space, connection)
    header += struct.pack(">6H4s", 2020, 1, 1, 0, 0, 0, b"acsp")
    header = header.ljust(68, b"\0") + _fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + content


_WHITE = {b"wtpt": _xyz(0.9642, 1.0, 0.8249)}
_CURVE = b"para\0\0\0\0" + struct.pack(">HH", 3, 0)
_CURVE += _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)

DISPLAY_P3 = _profile(
    b"mntr",
    b"RGB ",
    b"XYZ ",
    _WHITE
    | {b"rXYZ": _xyz(0.51512, 0.2412, -0.00105), b"gXYZ": _xyz(0.29198, 0.69225, 0.04189)}
    | {b"bXYZ": _xyz(0.1571, 0.06657, 0.78407)}
    | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _CURVE),
)
"""Of phones and displays."""

GREY_GAMMA_18 = _profile(
    b"mntr", b"GRAY", b"XYZ ", _WHITE | {b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH2x", 1, 461)}
)


def inverted_cmyk() -> bytes:
    """Return the profile of a press whose inks take away red, green and blue, nearly all of it."""
    corners = b""
    for index in range(16):
        cyan, magenta, yellow, black = (index >> bit & 1 for bit in (3, 2, 1, 0))
        light = 100 * (1 - black) * (1 - 0.45 * cyan) * (1 - 0.5 * magenta) * (1 - 0.1 * yellow)
        a = (1 - black) * (70 * magenta - 35 * cyan)
        b = (1 - black) * (85 * yellow - 45 * cyan - 5 * magenta)
        corners += bytes([round(light * 2.55), round(a) + 128, round(b) + 128])
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return _profile(
        b"prtr", b"CMYK", b"Lab ", _WHITE | {b"A2B0": table + 4 * straight + corners + 3 * straight}
    )


def swapped_rgb() -> bytes:
    """Return the profile of a scanner that is defined by a table, and takes red for green."""
    corners = b""
    for index in range(8):
        red, green, blue = (index >> bit & 1 for bit in (2, 1, 0))
        light = 100 * (0.21 * green + 0.72 * red + 0.07 * blue)
        a, b = 80 * (green - red), 60 * (red + green - 2 * blue) / 2
        corners += bytes([round(light * 2.55), round(a) + 128, round(b) + 128])
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([3, 3, 2, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    tags = _WHITE | {b"A2B0": table + 3 * straight + corners + 3 * straight}
    return _profile(b"scnr", b"RGB ", b"Lab ", tags)


def tinted_grey() -> bytes:
    """Return the profile of a grey press that is defined by a table: brown in the middle."""
    ends = bytes([0, 128, 128]), bytes([110, 138, 148]), bytes([255, 128, 128])
    curve = bytes(round(255 * (level / 255) ** 0.6) for level in range(256))
    straight = bytes(range(256))
    table = b"mft1\0\0\0\0" + bytes([1, 3, 3, 0]) + _fixed(1, 0, 0, 0, 1, 0, 0, 0, 1)
    tags = _WHITE | {b"A2B0": table + curve + b"".join(ends) + 3 * straight}
    return _profile(b"prtr", b"GRAY", b"Lab ", tags)
