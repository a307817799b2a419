"""The demo clip cut short, anonymised by the product, and versions of it with a flaw."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from streamanon import Config, anonymise
from streamanon.types import U8
from testkit.paths import DEMO

FRAMES = 12
RAW = 7
"""The frame that a tampered clip shows as it was."""


def decode(path: Path) -> list[U8]:
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            for frame, _ in zip(container.decode(video=0), range(FRAMES), strict=False)
        ]


def encode(path: Path, images: Sequence[U8], crf: int = 18) -> Path:
    with av.open(str(path), "w") as container:
        options = {"crf": str(crf), "preset": "veryfast"}
        video = container.add_stream("libx264", rate=24, options=options)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = "yuv420p"
        for image in images:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(video.encode())
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("audit")
    return folder


@pytest.fixture(scope="session")
def original(clips: Path) -> Path:
    return encode(clips / "original.mp4", decode(DEMO))


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
    return encode(clips / "again.mp4", decode(original), crf=32)


@pytest.fixture(scope="session")
def tampered(clips: Path, original: Path, anonymised: Callable[[str], Path]) -> Path:
    """The mosaic with one raw frame spliced in."""
    images = decode(anonymised("mosaic"))
    images[RAW] = decode(original)[RAW]
    return encode(clips / "tampered.mp4", images, crf=28)
