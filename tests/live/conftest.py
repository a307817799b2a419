"""What the tests of live streams share: a painted clip and a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.live.clips import write_painted_pair
from testkit.servers.rtsp_relay import RtspRelay

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"


@pytest.fixture(scope="session")
def painted_pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The painted clip, and the same in another size."""
    return write_painted_pair(tmp_path_factory.mktemp("live"), DEMO, 48)


@pytest.fixture(scope="session")
def painted_clip(painted_pair: tuple[Path, Path]) -> Path:
    """Two seconds of the demo clip, numbered, the face painted."""
    return painted_pair[0]


@pytest.fixture
def relay() -> Iterator[RtspRelay]:
    with RtspRelay() as running:
        yield running
