import struct
import weakref
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from streamanon.errors import MediaError, UsageError
from streamanon.sources.image import ImageSource
from streamanon.sources.picture_file import PictureFile
from streamanon.types import ColourSpace, Picture


def read(path: Path) -> Picture:
    source = ImageSource(path)
    (frame,) = source
    source.close()
    assert (frame.index, frame.pts, frame.damaged) == (0, 0, False)
    assert (source.info.width, source.info.height) == (frame.picture.width, frame.picture.height)
    assert source.info.colour == frame.picture.colour
    assert source.info.frame_count == 1
    return frame.picture


def scene(channels: int, *, dtype: type[np.unsignedinteger[Any]] = np.uint8) -> NDArray[Any]:
    """Return a smooth (40, 60, channels) picture, brightest in the top left corner, opaque."""
    rows, columns = np.indices((40, 60))
    planes = [255 - (rows * 2 + columns * (number + 2) // 2) for number in range(channels)]
    values = np.dstack(planes)
    values[:, :, 3:] = 255
    return (values * (np.iinfo(dtype).max // 255)).astype(dtype)


def write(path: Path, array: NDArray[Any], *flags: int) -> Path:
    ok, content = cv2.imencode(path.suffix, array, list(flags))
    assert ok
    path.write_bytes(content.tobytes())
    return path


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
@pytest.mark.parametrize("channels", [3, 4])
def test_lossless_formats_are_read_exactly(tmp_path: Path, suffix: str, channels: int) -> None:
    flags = (cv2.IMWRITE_WEBP_QUALITY, 101) if suffix == ".webp" else ()
    array = scene(channels)
    picture = read(write(tmp_path / f"in{suffix}", array, *flags))
    assert picture.colour == ColourSpace("rgb", full_range=True, chroma_shift=(0, 0))
    for index, plane in enumerate(picture.planes):
        assert plane.flags.c_contiguous
        assert np.array_equal(plane, array[:, :, index])


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_stay(tmp_path: Path, suffix: str, channels: int) -> None:
    array = scene(channels, dtype=np.uint16)
    picture = read(write(tmp_path / f"in{suffix}", array))
    assert picture.colour.depth == 16
    assert all(np.array_equal(p, array[:, :, i]) for i, p in enumerate(picture.planes))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_transparent_lies_over_white(
    tmp_path: Path, dtype: type[np.unsignedinteger[Any]]
) -> None:
    array, full = scene(4, dtype=dtype), int(np.iinfo(dtype).max)
    array[:, :, 3] = np.linspace(0, full, 60).astype(dtype)
    picture = read(write(tmp_path / "in.png", array))
    assert len(picture.planes) == 3
    for index, plane in enumerate(picture.planes):
        share = array[:, :, 3] / full
        wanted = array[:, :, index] * share + full * (1 - share)
        assert np.abs(plane - wanted).max() <= 1
        assert (plane[:, 0] == full).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".jpg"])
def test_grey_becomes_three_planes(tmp_path: Path, suffix: str) -> None:
    array = scene(1)[:, :, 0]
    picture = read(write(tmp_path / f"in{suffix}", array))
    assert len(picture.planes) == 3
    for plane in picture.planes:
        assert np.abs(plane.astype(int) - array).max() <= (6 if suffix == ".jpg" else 0)


def test_jpeg_is_read(tmp_path: Path) -> None:
    array = scene(3)
    picture = read(write(tmp_path / "in.JPG", array))
    assert np.abs(np.dstack(picture.planes).astype(int) - array).mean() < 3


def exif(code: int, order: str) -> bytes:
    entry = struct.pack(f"{order}HHIHH", 0x112, 3, 1, code, 0)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, 1) + entry + b"\0" * 4


def with_exif(path: Path, content: bytes) -> None:
    """Put EXIF into a JPEG, PNG or WebP file where its format wants it."""
    data = path.read_bytes()
    if path.suffix == ".jpg":
        segment = b"Exif\0\0" + content
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:]
    elif path.suffix == ".png":
        chunk = b"eXIf" + content
        sealed = struct.pack(">I", len(content)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        data = data[:33] + sealed + data[33:]
    else:
        flags = struct.pack("<IB3x", 10, 0x08 | 0x10) + b"\x3b\0\0\x27\0\0"  # 60 x 40, less one
        body = b"WEBPVP8X" + flags + data[12:] + b"EXIF" + struct.pack("<I", len(content)) + content
        data = b"RIFF" + struct.pack("<I", len(body)) + body
    path.write_bytes(data)


CORNERS = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("suffix", "channels"), [(".jpg", 3), (".png", 3), (".png", 4), (".webp", 4)]
)
def test_exif_orientation_is_baked_in(
    tmp_path: Path, code: int, order: str, suffix: str, channels: int
) -> None:
    path = write(tmp_path / f"in{suffix}", scene(channels))
    with_exif(path, exif(code, order))
    picture = read(path)
    assert (picture.width, picture.height) == ((40, 60) if code >= 5 else (60, 40))
    blue = picture.planes[0].astype(int)
    corners = {"tl": blue[0, 0], "tr": blue[0, -1], "bl": blue[-1, 0], "br": blue[-1, -1]}
    assert max(corners, key=lambda name: corners[name]) == CORNERS[code]
    along_rows = abs(blue[0, 0] - blue[-1, 0])  # the stored picture falls by 80 down, 60 across
    along_columns = abs(blue[0, 0] - blue[0, -1])
    assert bool(along_rows < along_columns) is (code >= 5)


def test_tiff_orientation_is_applied_once(tmp_path: Path) -> None:
    path = write(tmp_path / "in.tiff", scene(3))
    data = bytearray(path.read_bytes())
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    entries = [bytes(data[start + 2 + 12 * n : start + 14 + 12 * n]) for n in range(count)]
    entries.append(struct.pack(f"{order}HHIHH", 0x112, 3, 1, 6, 0))
    entries.sort(key=lambda entry: struct.unpack_from(f"{order}H", entry)[0])
    struct.pack_into(f"{order}I", data, 4, len(data))
    data += struct.pack(f"{order}H", len(entries)) + b"".join(entries) + b"\0" * 4
    path.write_bytes(data)
    picture = read(path)
    assert (picture.width, picture.height) == (40, 60)
    assert np.array_equal(picture.planes[1], np.rot90(scene(3)[:, :, 1], -1))


def test_broken_exif_is_upright(tmp_path: Path) -> None:
    path = write(tmp_path / "in.jpg", scene(3))
    with_exif(path, exif(6, "<")[:14])
    assert read(path).width == 60


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.jpg"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        ImageSource(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", [1, 3])
def test_floating_point_samples_are_refused(tmp_path: Path, channels: int) -> None:
    with pytest.raises(MediaError, match=r"cannot be decoded|samples of"):
        ImageSource(write(tmp_path / "in.tiff", np.zeros((4, 4, channels), np.float32)))


def test_a_wrong_name_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        ImageSource(tmp_path / "none.jpg")
    with pytest.raises(UsageError, match="folder"):
        ImageSource(tmp_path)


def test_a_closed_file_frees_what_its_decoder_holds(tmp_path: Path) -> None:
    file = PictureFile(write(tmp_path / "a.webp", scene(3)))
    file.read(0)
    decoder = weakref.ref(file._image)
    file.close()
    file.close()
    assert decoder() is None
