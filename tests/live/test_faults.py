"""The fault suite: the stream recovers from every fault, and no raw face gets out."""

import time
from contextlib import ExitStack
from pathlib import Path

import cv2
import pytest

from benchmarks.live.faults import FAULTS, TIMEOUT_S, Fault, FaultTestbed, small_disk
from benchmarks.live.processes import camera, player
from streamanon.errors import UsageError
from testkit.servers.rtsp_relay import RtspRelay
from testkit.waiting import wait_until

LONG = pytest.param("long_outages_s", marks=(pytest.mark.slow, pytest.mark.timeout(1200)))
"""More and longer faults."""


@pytest.mark.parametrize("form", ["outages_s", LONG])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_comes_back_and_nothing_leaks(
    fault: Fault, form: str, painted_pair: tuple[Path, Path], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        recording = None
        if fault.needs_recording:
            try:
                recording = stack.enter_context(small_disk(tmp_path / "disk"))
            except UsageError as error:
                pytest.skip(str(error))
        testbed = stack.enter_context(FaultTestbed(painted_pair, recording, raw=tmp_path))
        result = testbed.cause(fault, getattr(fault, form))
        wait_until(lambda: testbed.stream.status().state == "live")
        status = testbed.stream.status()
    assert result.raw_frames == 0, f"look at {list(tmp_path.glob('*.png'))}"
    assert result.frames > 0
    assert max(result.recovered_s) < TIMEOUT_S  # how fast, `benchmarks live` measures
    assert result.fell_back == 0, result.log
    assert result.error == ""
    assert result.viewers_disconnected == fault.disconnects_viewers, result.log
    assert result.was_logged(fault), result.log
    assert status.restarts == 0


def test_pictures_that_were_on_their_way_do_not_count_as_back(
    painted_pair: tuple[Path, Path],
) -> None:
    with FaultTestbed(painted_pair) as testbed:
        for _ in range(5):
            moment_s = time.monotonic()
            back_s = testbed.first_seen(moment_s)
            assert back_s is not None
            (number,) = (one.number for one in testbed.played.all if one.at_s == back_s)
            last = max(at for sent, at in testbed.sent.all if sent == number and at < back_s)
            assert last >= moment_s


def test_paint_that_is_not_hidden_is_counted(
    relay: RtspRelay, painted_pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """What the suite calls a raw face is seen in every frame of the raw stream, in both sizes."""
    with (
        camera(relay.url("in"), *painted_pair),
        player(relay.url("in"), count_magenta=True, keep=tmp_path) as watched,
    ):
        wait_until(lambda: len(watched.all) > 100)
    assert min(seen.magenta for seen in watched.all) > 100
    kept = [cv2.imread(str(path)) for path in tmp_path.glob("*.png")]
    assert len(kept) >= len(watched.all)
    assert {image.shape[:2] for image in kept if image is not None} == {(456, 640), (684, 960)}
