"""The demo clip cut short, anonymised by the product, and versions of it with a flaw."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamanon import Config, anonymise
from testkit.paths import DEMO
from testkit.videos import read_images, write_video

FRAMES = 12
RAW = 7
"""The frame that a tampered clip shows as it was."""


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("audit")
    return folder


@pytest.fixture(scope="session")
def original(clips: Path) -> Path:
    return write_video(clips / "original.mp4", read_images(DEMO, FRAMES), rate=24, crf=18)


@pytest.fixture(scope="session")
def anonymised(clips: Path, original: Path) -> Callable[[str], Path]:
    """Return the clip after a method of the product."""

    def run(method: str) -> Path:
        output = clips / f"{method}.mp4"
        if not output.exists():
            anonymise(original, output, Config(method=method))
        return output

    return run


@pytest.fixture(scope="session")
def again(clips: Path, original: Path) -> Path:
    """The clip as it was, encoded once more and worse."""
    return write_video(clips / "again.mp4", read_images(original), rate=24, crf=32)


@pytest.fixture(scope="session")
def tampered(clips: Path, original: Path, anonymised: Callable[[str], Path]) -> Path:
    """The mosaic with one raw frame spliced in."""
    images = read_images(anonymised("mosaic"))
    images[RAW] = read_images(original)[RAW]
    return write_video(clips / "tampered.mp4", images, rate=24, crf=28)
