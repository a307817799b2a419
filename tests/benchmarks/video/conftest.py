"""The demo clip, read once."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from streamanon.sources.video import VideoSource
from testkit.paths import DEMO

if TYPE_CHECKING:
    from streamanon.types import Picture


@pytest.fixture(scope="session")
def demo_frames() -> list[Picture]:
    source = VideoSource(DEMO)
    frames = [frame.picture for frame in islice(source, 14)]
    source.close()
    return frames
