"""The relay that other tests stand on does what it says."""

import time
from pathlib import Path

import av
import pytest

from testkit.clips import Clip, write_clip
from testkit.servers.rtsp_relay import RtspRelay

TCP = {"rtsp_transport": "tcp", "probesize": "100000", "analyzeduration": "100000"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("relay") / "clip.mp4"
    options = {"tune": "zerolatency", "g": "5"}
    pts = tuple(range(0, 50 * 512, 512))
    return write_clip(path, Clip(pts=pts, sound="aac", options=options))


def _keyframes(url: str, count: int, transport: str = "tcp") -> int:
    """Read pictures and tell how many of them were keyframes."""
    with av.open(url, options={**TCP, "rtsp_transport": transport}, timeout=(20, 20)) as container:
        pictures = container.decode(container.streams.video[0])
        return sum(next(pictures).key_frame for _ in range(count))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_what_is_pushed_can_be_read(clip: Path, transport: str) -> None:
    with RtspRelay() as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        assert _keyframes(url, 15, transport) >= 3


def test_it_comes_back_on_the_same_port_and_so_does_the_push(clip: Path) -> None:
    with RtspRelay() as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        assert _keyframes(url, 5) >= 1
        port = relay.port
        relay.kill()
        with pytest.raises(ConnectionRefusedError):
            _keyframes(url, 1)
        relay.start()
        assert relay.port == port
        deadline = time.monotonic() + 60
        while True:
            try:
                assert _keyframes(url, 5) >= 1
            except av.error.HTTPNotFoundError:
                assert time.monotonic() < deadline
            else:
                break


def test_the_password_counts(clip: Path) -> None:
    with RtspRelay("me", "secret") as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        assert _keyframes(url, 5) >= 1
        with pytest.raises(av.error.HTTPUnauthorizedError):
            _keyframes(relay.url("cam", "me:wrong"), 1)
        with pytest.raises(av.error.HTTPNotFoundError):
            _keyframes(relay.url("other", "me:secret"), 1)


def test_a_stalled_relay_says_nothing_and_wakes(clip: Path) -> None:
    with RtspRelay() as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        relay.stall()
        with pytest.raises(av.error.FFmpegError):
            av.open(url, options=TCP, timeout=(0.3, 0.3))
        relay.resume()
        assert _keyframes(url, 5) >= 1


def test_a_push_may_begin_again(clip: Path) -> None:
    with RtspRelay(keeps_readers=True) as relay, relay.serve_file(clip, "cam", loop="again") as url:
        assert _keyframes(url, 70) >= 12
