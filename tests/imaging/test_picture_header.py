"""Sizes are read from headers, whatever the rest of a file says."""

import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from streamanon.imaging.picture_header import stated_sizes


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_every_format_states_its_size(suffix: str) -> None:
    content = cv2.imencode(suffix, np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    assert stated_sizes(content) == [(60, 40)]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_deep_pictures_state_their_size(suffix: str) -> None:
    content = cv2.imencode(suffix, np.zeros((40, 60, 3), np.uint16))[1].tobytes()
    assert stated_sizes(content) == [(60, 40)]


def test_a_picture_of_a_hundred_bytes_may_state_any_size() -> None:
    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0"))
    assert stated_sizes(content) == [(30_000, 30_000)]


def test_every_page_counts(tmp_path: Path) -> None:
    pages = [np.zeros((40, 60, 3), np.uint8), np.zeros((400, 600, 3), np.uint8)]
    assert cv2.imwritemulti(str(tmp_path / "in.tiff"), pages)
    assert stated_sizes((tmp_path / "in.tiff").read_bytes()) == [(60, 40), (600, 400)]


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_every_frame_counts(form: str) -> None:
    frames = [Image.new("RGB", (60, 40), (shade, 0, 0)) for shade in (0, 99, 200)]
    stored = BytesIO()
    frames[0].save(stored, form, save_all=True, append_images=frames[1:])
    assert stated_sizes(stored.getvalue()) == [(60, 40)] * 3


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\xff\xd8\xff", b"II*\0" + bytes(40), b"RIFF\0\0\0\0WEBPVP8 " + bytes(99)],
)
def test_what_has_no_header_has_no_size(content: bytes) -> None:
    assert stated_sizes(content) == []
