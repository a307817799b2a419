"""Every kind of live input is read for real, where this machine has what it takes."""

import logging
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from streamanon.errors import MediaError, StreamanonError, UsageError
from streamanon.media.address import Address
from streamanon.sources.live.connection import Connection, StreamProperties
from streamanon.sources.live.input_options import InputOptions, input_options
from streamanon.sources.live.source import LiveSource
from streamanon.types import Frame
from testkit.addresses import live_input
from testkit.clips import Clip, write_clip
from testkit.logs import log_into
from testkit.servers import gstreamer, nginx
from testkit.servers.mjpeg import mjpeg_camera
from testkit.servers.ports import free_port
from testkit.servers.rtsp_relay import RtspRelay, publish
from testkit.waiting import wait_until

OPTIONS = {"tune": "zerolatency", "g": "10"}
HOSTS = ("127.0.0.1", "localhost")
"""FFmpeg reads by itself from addresses in numbers; what is behind a name is fetched for it."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("kinds") / "clip.mp4"
    pts = tuple(range(0, 50 * 512, 512))
    return write_clip(path, Clip(pts=pts, sound="aac", options=OPTIONS))


def _open(url: str, transport: str = "tcp", *, wait: bool = False) -> LiveSource:
    log = logging.getLogger("test")
    return LiveSource(live_input(url), transport=transport, wait=wait, log=log)


def _watch(
    url: str, count: int = 40, transport: str = "tcp", *, sound: str = "aac", wait: bool = False
) -> list[Frame]:
    """Read frames and check what holds for every kind of input."""
    began_s = time.monotonic()
    source = _open(url, transport, wait=wait)
    frames = list(islice(source, count))
    heard = source.sound.take_until(10**18) if source.sound else []
    source.close()
    assert len(frames) == count
    assert source.state.reconnects == 0
    assert all(later.pts > earlier.pts for earlier, later in pairwise(frames))
    assert began_s < frames[-1].time_s <= time.monotonic()
    assert not any(frame.damaged for frame in frames)
    assert (source.sound.format.codec if source.sound else "") == sound
    assert bool(heard) == bool(sound)
    return frames


def _step_ms(frames: list[Frame]) -> float:
    return float(np.median(np.diff([frame.pts for frame in frames]))) / 90


def test_rtsp_by_udp(clip: Path) -> None:
    with RtspRelay() as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        assert _step_ms(_watch(url, transport="udp")) == pytest.approx(40, abs=1)


@pytest.mark.skipif(gstreamer.missing(), reason="gst-rtsp-server is not installed")
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_rtsp_from_a_server_that_is_not_ours(transport: str) -> None:
    with gstreamer.gstreamer(160, 96) as url:
        frames = _watch(url, 40, transport, sound="pcm_alaw")
    assert _step_ms(frames) == pytest.approx(40, abs=1)
    assert (frames[0].picture.width, frames[0].picture.height) == (160, 96)


@pytest.mark.skipif(nginx.missing(), reason="nginx with its RTMP module is not installed")
def test_rtmp_and_a_playlist(clip: Path, tmp_path: Path) -> None:
    with nginx.nginx(tmp_path) as server, publish(clip, server.url("cam"), loop="steady"):
        assert _step_ms(_watch(server.url("cam"))) == pytest.approx(40, abs=1)
        server.wait_for("cam")
        for host in HOSTS:
            start = time.monotonic()
            frames = _watch(server.playlist("cam").replace(HOSTS[0], host), 60)
            assert _step_ms(frames) == pytest.approx(40, abs=1)
            assert time.monotonic() - start > 1.5  # at its pace, not as fast as it can be read


@pytest.mark.skipif(nginx.missing(), reason="nginx with its RTMP module is not installed")
def test_rtmp_that_is_known_to_have_no_sound_is_opened_sooner(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    write_clip(silent, Clip(size=(96, 64), pts=tuple(range(0, 50 * 512, 512)), options=OPTIONS))
    with nginx.nginx(tmp_path) as server, publish(silent, server.url("cam"), loop="steady"):
        first = input_options(live_input(server.url("cam")), "tcp")
        sooner = first.for_reconnect(sound=False)
        for how in (first, sooner):
            connection = Connection(how, None)
            assert isinstance(connection.next(10), StreamProperties)
            connection.abandon()
    searched_us = [int(how.tries[0]["analyzeduration"]) for how in (first, sooner)]
    assert searched_us == [3_000_000, 500_000]
    assert first.for_reconnect(sound=True) == first


def test_udp_with_a_change_of_size_in_mid_stream(clip: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.mp4"
    pts = tuple(range(0, 100 * 512, 512))
    write_clip(wide, Clip(size=(192, 64), pts=pts, options=OPTIONS, sound="aac"))
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    said: list[str] = []
    with publish(clip, url, loop="steady"):
        source = LiveSource(live_input(url), log=log_into(said))
        frames = list(islice(source, 20))
    assert source.info.rate == 25
    with publish(wide, url, loop="steady"):
        frames += islice(source, 60)
        source.close()
    assert all(later.pts > earlier.pts for earlier, later in pairwise(frames))
    picture = frames[-1].picture
    assert (picture.width, picture.height) == (96, 64)
    assert picture.planes[0][:14].max() <= 17
    assert any("the picture is 192x64 from here, shown within 96x64" in line for line in said)


def test_a_lost_udp_sender_is_waited_for_on_the_same_port(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamanon.sources.live.source._MAX_S", 0.01)
    url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    said: list[str] = []
    with publish(clip, url, loop="steady"):
        source = LiveSource(live_input(url), log=log_into(said))
        frames = iter(source)
        next(frames)
    senders = ExitStack()

    def send_again() -> None:
        wait_until(lambda: any("lost" in line for line in said))
        senders.enter_context(publish(clip, url, loop="steady"))

    sender = Thread(target=send_again)
    sender.start()
    with senders:
        wait_until(lambda: next(frames) is not None and source.state.reconnects == 1)
        source.close()
        sender.join()
    assert not any("in use" in line for line in said), said


@pytest.mark.skipif(shutil.which("srt-live-transmit") is None, reason="srt-tools is not installed")
def test_srt(clip: Path) -> None:
    inner = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    host = f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
    tool = ["srt-live-transmit", "-q", "-loglevel:fatal", inner]
    server = subprocess.Popen([*tool, f"srt://{host}?mode=listener&passphrase=s3cr3t-enough"])
    try:
        with publish(clip, f"{inner}?pkt_size=1316", loop="steady"):
            frames = _watch(f"srt://{host}?passphrase=s3cr3t-enough", wait=True)
            assert _step_ms(frames) == pytest.approx(40, abs=1)
            with pytest.raises(
                MediaError, match="check host, port, mode and passphrase"
            ) as refused:
                _open(f"srt://{host}?passphrase=wrong-s3cr3t")
            assert "s3cr3t" not in str(refused.value)
    finally:
        server.kill()
        server.wait()


def test_srt_without_its_tool_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match=r"install it .*srt-tools"):
        _open("srt://host:9000")


@pytest.mark.parametrize("host", HOSTS)
def test_pictures_over_http_have_the_time_of_their_arrival(host: str) -> None:
    with mjpeg_camera() as url:
        frames = _watch(f"{url.replace(HOSTS[0], host)}/camera", 30, sound="")
    steps = np.diff([frame.time_s for frame in frames])
    assert steps.sum() > 29 * 0.16 / 3 - 0.5
    assert max(steps) > 3 * min(steps)


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_screen(tmp_path: Path) -> None:
    with (tmp_path / "number").open("w+") as number:
        command = ["Xvfb", "-displayfd", str(number.fileno()), "-screen", "0", "161x97x24"]
        server = subprocess.Popen(command, pass_fds=[number.fileno()], stderr=subprocess.DEVNULL)
        try:
            while not (display := (tmp_path / "number").read_text().strip()):
                assert server.poll() is None
                time.sleep(0.02)
            frames = _watch(f"screen::{display}", 10, sound="")
        finally:
            server.terminate()
            server.wait()
    assert (frames[0].picture.width, frames[0].picture.height) == (160, 96)


def test_a_synthetic_picture_is_paced() -> None:
    start = time.monotonic()
    frames = _watch("lavfi:testsrc2=size=97x64:rate=50", 40, sound="")
    assert time.monotonic() - start > 0.7
    assert _step_ms(frames) == pytest.approx(20, abs=0.1)
    assert frames[0].picture.width == 96
    slow = _watch("lavfi:testsrc2=size=96x64:rate=5", 15, sound="")
    assert np.diff([frame.pts for frame in slow]) == pytest.approx(18_000, abs=90)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("/dev/video97", "/dev/video97 does not exist: plug it in"),
        ("webcam:98", "webcam:98 does not exist"),
        ("lavfi:nosuchfilter=1", "no graph that makes pictures"),
        ("lavfi:sine", "has no video"),
        ("screen::97", "cannot be captured"),
        ("rtsp://me:s3cr3t@no-such-host.invalid/1", "check the name, the network"),
        ("rtsp://me:s3cr3t@127.0.0.1:{closed}/1", "nothing listens there"),
        ("rtmp://127.0.0.1:{closed}/live/s3cr3t", "nothing listens there"),
        ("http://me:s3cr3t@127.0.0.1:{closed}/x?token=s3cr3t", "nothing listens there"),
        ("http://me:s3cr3t@127.0.0.1:{html}/page", "no video that can be read"),
        ("http://me:s3cr3t@127.0.0.1:{silent}/x", "no answer in time"),
        ("rtsp://me:s3cr3t@127.0.0.1:{silent}/x", "no answer in time"),
        ("udp://127.0.0.1:{closed}", "no answer in time"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    url: str, complaint: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    def hasty(address: Address, transport: str) -> InputOptions:
        options = input_options(address, transport)
        return replace(options, open_s=0.5) if complaint == "no answer in time" else options

    monkeypatch.setattr("streamanon.sources.live.source.input_options", hasty)
    with mjpeg_camera() as page, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        ports = {
            "closed": free_port(),
            "html": page.rpartition(":")[2],
            "silent": silent.getsockname()[1],
        }
        with pytest.raises(StreamanonError, match=complaint) as refused:
            _open(url.format(**ports))
    said = "".join(capfd.readouterr()) + str(refused.value)
    assert "s3cr3t" not in said
    assert "\n" not in said
