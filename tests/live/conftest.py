"""What the tests of live streams share: a painted clip and a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers.rtsp_relay import RtspRelay

from benchmarks.live.clips import painted, write_numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"


@pytest.fixture(scope="session")
def painted_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of the demo clip, numbered, the face painted."""
    path: Path = tmp_path_factory.mktemp("live") / "painted.mp4"
    write_numbered(path, painted(DEMO, 48), 24)
    return path


@pytest.fixture
def relay() -> Iterator[RtspRelay]:
    with RtspRelay() as running:
        yield running
