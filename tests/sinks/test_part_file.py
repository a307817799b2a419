"""Outputs of both kinds appear when they are complete, and never in the place of the input."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from streamanon.errors import UsageError
from streamanon.protocols import FileSink, Source
from streamanon.sinks.encoding import EncoderSettings
from streamanon.sinks.image import ImageSink
from streamanon.sinks.video import VideoSink
from streamanon.sources.image import ImageSource
from streamanon.sources.video import VideoSource
from streamanon.types import SafeFrame
from testkit.clips import write_clip

Open = Callable[..., FileSink]
"""Opens an output, by its path and options."""


@pytest.fixture(params=["in.png", "in.mp4"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    path = tmp_path / request.param
    if path.suffix == ".mp4":
        return VideoSource(write_clip(path))
    cv2.imwrite(str(path), np.zeros((40, 60, 3), np.uint8))
    return ImageSource(path)


@pytest.fixture
def original(source: Source) -> Path:
    assert source.info.path
    return source.info.path


@pytest.fixture
def opened(source: Source, original: Path) -> Open:
    if source.info.container is None:
        return partial(ImageSink, original=original, info=source.info)
    return partial(VideoSink, info=source.info, settings=EncoderSettings(None, 12, "superfast"))


def test_nothing_has_the_final_name_before_the_end(
    tmp_path: Path, source: Source, original: Path, opened: Open
) -> None:
    output = tmp_path / "new" / "folder" / original.name
    sink = opened(output)
    for frame in source:
        sink.write(SafeFrame(frame.index, frame.picture, frame.pts, frame.time_base))
        assert not output.exists()
        assert all(path.name.startswith(".") for path in output.parent.iterdir())
    sink.close(complete=False)
    sink.close(complete=False)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("alias", ["itself", "symbolic link", "hard link"])
def test_the_input_is_never_written_over(original: Path, opened: Open, alias: str) -> None:
    output = original if alias == "itself" else original.with_stem("alias")
    if alias == "symbolic link":
        output.symlink_to(original)
    elif alias == "hard link":
        output.hardlink_to(original)
    before = original.read_bytes()
    with pytest.raises(UsageError, match="input itself"):
        opened(output, overwrite=True)
    assert original.read_bytes() == before


def test_an_existing_output_is_replaced_only_when_asked(
    source: Source, original: Path, opened: Open
) -> None:
    output = original.with_stem("out")
    output.write_text("mine")
    with pytest.raises(UsageError, match="--overwrite"):
        opened(output)
    assert output.read_text() == "mine"
    sink = opened(output, overwrite=True)
    for frame in source:
        sink.write(SafeFrame(frame.index, frame.picture, frame.pts, frame.time_base))
    sink.close(complete=True)
    assert len(list(type(source)(output))) == source.info.frame_count  # type: ignore[call-arg]
