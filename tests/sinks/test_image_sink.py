from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from streamanon.errors import UsageError
from streamanon.sinks.image import ImageSink
from streamanon.sources.image import ImageSource
from streamanon.types import ColourSpace, MediaInfo, Picture, Plane, SafeFrame


def frame(*, depth: int = 8) -> SafeFrame:
    rows, columns = np.indices((40, 60))
    values = [rows * 2 + columns * (number + 2) // 2 for number in range(3)]
    planes: tuple[Plane, ...] = (
        tuple(value.astype(np.uint8) for value in values)
        if depth == 8
        else tuple((value * 257).astype(np.uint16) for value in values)
    )
    colour = ColourSpace("rgb", full_range=True, depth=depth, chroma_shift=(0, 0))
    return SafeFrame(0, Picture(planes, colour), 0, Fraction(1))


INFO = MediaInfo(
    "original", 60, 40, frame().picture.colour, Fraction(1), Fraction(1), frame_count=1
)


def write(path: Path, what: SafeFrame) -> None:
    original = path.with_name("original.jpg")
    original.touch()
    sink = ImageSink(path, original, INFO)
    sink.write(what)
    sink.close(complete=True)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"])
@pytest.mark.parametrize("depth", [8, 16])
def test_depth_stays_where_the_format_has_it(tmp_path: Path, suffix: str, depth: int) -> None:
    what = frame(depth=depth)
    write(tmp_path / f"out{suffix}", what)
    (read,) = ImageSource(tmp_path / f"out{suffix}")
    deep = depth == 16 and suffix in (".png", ".tif", ".tiff")
    assert read.picture.colour.depth == (16 if deep else 8)
    for found, given in zip(read.picture.planes, what.picture.planes, strict=True):
        expected = given if deep or depth == 8 else given // 257
        difference = np.abs(found.astype(int) - expected)
        assert difference.max() == 0 if suffix[:3] in (".pn", ".ti") else difference.mean() < 4


def test_no_metadata_is_written(tmp_path: Path) -> None:
    for suffix in (".png", ".tiff", ".webp", ".jpg"):
        write(tmp_path / f"out{suffix}", frame())
        content = (tmp_path / f"out{suffix}").read_bytes().lower()
        for word in (b"exif", b"xmp", b"icc", b"photoshop", b"opencv", b"software", b"text"):
            assert word not in content, (suffix, word)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png"):
        ImageSink(tmp_path / "out.psd", tmp_path / "original.png", INFO)
    assert list(tmp_path.iterdir()) == []
