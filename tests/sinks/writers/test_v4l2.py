"""A real virtual camera of Linux; without one, scripts/with_v4l2.py emulates one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from streamanon.media.address import Address
from streamanon.sinks.live import output
from streamanon.sinks.live.destination import destination
from streamanon.sinks.live.sink import LiveSink
from testkit.numbered_frames import SIZE, feed, number, some

NAMES = Path("/sys/devices/virtual/video4linux")
LOOPBACKS = [
    f"/dev/{device.name}"
    for device in sorted(NAMES.glob("video*"))
    if "vivid" not in (device / "name").read_text()
]
pytestmark = pytest.mark.skipif(not LOOPBACKS, reason="there is no v4l2loopback")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An emulated machine takes half a minute to start a process."""
    monkeypatch.setattr(output, "_OPEN_TIMEOUT_S", 200.0)
    monkeypatch.setattr(output, "_CLOSE_TIMEOUT_S", 20.0)


@pytest.fixture
def camera() -> str:
    return LOOPBACKS[0]


def look(camera: str, sink: LiveSink, start: int) -> tuple[int, list[int]]:
    """Read ten pictures from the camera as any other program would, while they are written."""
    numbers: list[int] = []
    index = start
    with av.open(camera, format="v4l2", options={"video_size": f"{SIZE[0]}x{SIZE[1]}"}) as reader:
        frames = reader.decode(video=0)
        while len(numbers) < 10:
            index = feed(sink, index, until=some(2), at_most_s=300)
            numbers.append(number(next(frames)))
    return index, numbers


def test_what_is_written_is_what_the_camera_shows(
    opened: Callable[..., Any], camera: str, said: list[str]
) -> None:
    sink = opened(camera)
    start = feed(sink, 1, until=lambda: sink.state[0].connected, at_most_s=300)
    start = feed(sink, start, until=some(15), at_most_s=300)
    after, numbers = look(camera, sink, start)
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 5
    assert start - 40 < numbers[0] <= numbers[-1] < after
    assert said == []


def test_the_camera_comes_back_after_its_writer_died(
    opened: Callable[..., Any], camera: str
) -> None:
    sink = opened("virtual-camera:")
    start = feed(sink, 1, until=lambda: sink.state[0].connected, at_most_s=300)
    [loopback] = sink._encoders[0][1]
    loopback._writer.kill()
    start = feed(sink, start, until=lambda: sink.state[0].restarts == 1, at_most_s=300)
    start = feed(sink, start, until=lambda: sink.state[0].connected, at_most_s=300)
    _, numbers = look(camera, sink, start)
    assert numbers[-1] > start


def test_the_first_loopback_is_taken(camera: str) -> None:
    assert destination(Address("virtual-camera", "")).job.url == camera
