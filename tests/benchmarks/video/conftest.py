"""The demo clip, read once."""

from itertools import islice

import pytest

from streamanon.sources.video import VideoSource
from streamanon.types import Picture
from testkit.paths import DEMO


@pytest.fixture(scope="session")
def demo_frames() -> list[Picture]:
    source = VideoSource(DEMO)
    frames = [frame.picture for frame in islice(source, 14)]
    source.close()
    return frames
