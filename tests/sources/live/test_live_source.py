"""A live source against a real RTSP server that is killed, frozen and made to send garbage."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from threading import Event, Timer

import numpy as np
import pytest

from streamanon.errors import MediaError
from streamanon.sources.live.source import LiveSource
from streamanon.types import Frame
from testkit.addresses import live_input
from testkit.clips import Clip, write_clip
from testkit.logs import Log, log_into
from testkit.servers.rtsp_relay import RtspRelay, publish
from testkit.videos import read_frames
from testkit.waiting import wait_until

STEP = 1800  # 50 frames a second
OPTIONS = {"tune": "zerolatency", "g": "10", "crf": "12"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _clip(tmp_path_factory.mktemp("live") / "clip.mp4")


def _clip(path: Path, size: tuple[int, int] = (96, 64), sound: str = "aac") -> Path:
    pts = tuple(range(0, 50 * 256, 256))
    return write_clip(path, Clip(size=size, pts=pts, sound=sound, options=OPTIONS))


BEGAN_S = time.monotonic()


def _open(url: str, log: Log | None = None, **how: object) -> LiveSource:
    return LiveSource(live_input(url), log=log_into(log if log is not None else []), **how)  # type: ignore[arg-type]


def _take(source: LiveSource, count: int) -> list[Frame]:
    """Take frames and check what holds for all of them."""
    frames = list(islice(source, count))
    assert len(frames) == count
    for earlier, later in pairwise(frames):
        assert later.index == earlier.index + 1
        assert later.pts > earlier.pts
    assert BEGAN_S < frames[-1].time_s <= time.monotonic()
    return frames


def _steady(frames: list[Frame]) -> bool:
    steps = np.diff([frame.pts for frame in frames])
    return bool(abs(np.median(steps) - STEP) < 100)


def test_frames_come_at_their_time_with_their_sound(clip: Path, relay: RtspRelay) -> None:
    log = Log()
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url, log)
        info = source.info
        assert (info.width, info.height, info.live, info.path) == (96, 64, True, None)
        assert info.rate == 25  # what the encoder wrote into its stream
        assert info.container is not None
        assert info.container.pixel_format == "yuv420p"
        frames = _take(source, 50)
        assert _steady(frames)
        assert not any(frame.damaged for frame in frames)
        assert source.state.connected
        assert source.state.reconnects == 0
        sound = source.sound
        assert sound is not None
        assert (sound.format.codec, sound.format.rate) == ("aac", 48000)
        heard = sound.take_until(frames[-1].pts)
        assert len(heard) > 30
        assert all(b.pts - a.pts == a.duration for a, b in pairwise(heard[5:]))
        assert abs(heard[-1].pts - frames[-1].pts) < 45_000
        source.close()
        source.close()
        assert list(islice(source, 1)) == []
    assert log == [f"{url}: connected, 96x64, 25 fps, h264, sound aac"]


def test_pictures_that_were_reordered_come_in_order(tmp_path: Path, relay: RtspRelay) -> None:
    path = tmp_path / "reordered.mp4"
    pts = tuple(range(0, 50 * 256, 256))
    write_clip(path, Clip(pts=pts, options={"g": "25", "bf": "3", "b-adapt": "0"}))
    with relay.serve_file(path, "cam", loop="steady") as url:
        source = _open(url)
        frames = _take(source, 90)
        source.close()
    assert not any(frame.damaged for frame in frames)
    # the block of clips.py moves by 4 px a frame, 8 times
    places = [int(np.argmax(frame.picture.planes[0][4] > 200)) // 4 for frame in frames]
    breaks = sum(later != (earlier + 1) % 8 for earlier, later in pairwise(places))
    assert breaks <= 2  # where the clip begins again


def test_pictures_that_are_believed_are_those_that_were_sent(clip: Path, relay: RtspRelay) -> None:
    sent = {frame.to_ndarray()[:64].tobytes() for frame in read_frames(clip)}
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url)
        believed = Counter[bool]()
        for number, frame in enumerate(islice(source, 150)):
            if number in (31, 95):
                relay.lose(2)
            if number == 63:
                relay.send_garbage(3000)
            if frame.damaged:
                believed[False] += 1
            else:
                believed[True] += 1
                assert frame.picture.planes[0].tobytes() in sent
        source.close()
    assert believed[False] > 0
    assert believed[True] > 75


def test_a_server_that_is_killed_is_found_again(clip: Path, relay: RtspRelay) -> None:
    log = Log()
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url, log)
        last = _take(source, 10)[-1]
        relay.kill()
        Timer(0.5, relay.start).start()
        frames = _take(source, 60)
        assert frames[0].index == last.index + 1
        assert frames[0].pts > last.pts
        assert any(b.pts - a.pts > 8 * STEP for a, b in pairwise(frames))
        assert source.state.reconnects == 1
        assert source.state.reason == "the source ended"
        source.close()
    assert log.has("lost: the source ended; reconnecting")
    assert log.has("back, 96x64")


def test_a_frozen_server_is_waited_for(clip: Path, relay: RtspRelay) -> None:
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url)
        _take(source, 5)
        relay.stall()
        Timer(1.0, relay.resume).start()
        _take(source, 40)
        assert source.state.reconnects == 0
        source.close()


def test_and_given_up_when_it_takes_too_long(clip: Path, relay: RtspRelay) -> None:
    log = Log()
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url, log)
        source._options = replace(source._options, stall_s=1.0)
        _take(source, 5)
        relay.stall()
        Timer(3.0, relay.resume).start()
        assert _steady(_take(source, 60)[-20:])
        assert source.state.reconnects >= 1
        source.close()
    assert log.has("no picture for 1 s; reconnecting")


def test_timestamps_that_jump_do_not_show(clip: Path, relay: RtspRelay) -> None:
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url, log := Log())
        for seconds in (1000, -5000):
            relay.jump(seconds)
            frames = _take(source, 40)
            assert _steady(frames)
            assert max(np.diff([frame.pts for frame in frames])) < 45_000
        assert source.state.reconnects == 0
        source.close()
    assert log.has("its time stamps jumped by +1000")
    assert not log.has("its time stamps jumped by -5000")  # one line a minute


def test_a_push_that_begins_again_goes_on(clip: Path) -> None:
    with RtspRelay(keeps_readers=True) as relay, relay.serve_file(clip, "cam", loop="again") as url:
        source = _open(url)
        assert _steady(_take(source, 120))
        assert source.state.reconnects == 0
        source.close()


def test_a_push_that_ends_ends_its_readers(clip: Path, relay: RtspRelay) -> None:
    with relay.serve_file(clip, "cam", loop="again") as url:
        source = _open(url)
        _take(source, 120)
        assert source.state.reconnects > 0
        source.close()


def test_a_server_that_is_away_is_asked_often(clip: Path, relay: RtspRelay) -> None:
    log = Log()
    with relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url, log)
        _take(source, 5)
        relay.kill()
        Timer(4.0, relay.start).start()
        _take(source, 60)
        source.close()
    [back] = [line for line in log if "back, " in line]
    assert (
        int(back.rpartition("(try ")[2].rstrip(")")) > 6
    )  # as many as when each wait were twice the last: 5


def test_another_size_and_other_sound_after_a_reconnect(tmp_path: Path, relay: RtspRelay) -> None:
    log, wide = Log(), _clip(tmp_path / "wide.mp4", (160, 64), "libmp3lame")
    with relay.serve_file(_clip(tmp_path / "first.mp4"), "cam", loop="steady") as url:
        source = _open(url, log)
        _take(source, 5)
    with publish(wide, url, loop="steady"):
        relay.hang_up()
        frames = _take(source, 60)
        assert source.sound is not None
        source.sound.take_until(10**18)
        relay.hang_up()
        frames += _take(source, 60)
        source.close()
    assert source.sound.take_until(10**18) == []
    assert sum("it is left out from here" in line for line in log) == 1
    picture = frames[-1].picture
    assert (picture.width, picture.height) == (96, 64)
    assert picture.planes[0][:10].max() <= 17  # black above
    assert picture.planes[0][32].min() > 30
    assert log.has("the picture is 160x64 from here, shown within 96x64")


def test_it_stops_at_once_whatever_it_is_doing(clip: Path, relay: RtspRelay) -> None:
    with relay.serve_file(clip, "cam", loop="steady") as url:
        for torment in (relay.resume, relay.stall, relay.kill):
            source = _open(url, wait=True)  # until the push is back
            _take(source, 3)
            torment()
            Timer(0.4, source.stop).start()
            for _ in source:  # which would go on for ever
                pass
            source.close()
            relay.restart()


def test_with_wait_it_goes_on_trying(clip: Path, relay: RtspRelay) -> None:
    log, url = Log(), relay.url("cam")
    relay.kill()
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(_open, url, log, wait=True)
        wait_until(lambda: log)
        time.sleep(1)
        assert len(log) == 1
        assert log.has("nothing listens there", "; waiting for it")
        relay.start()
        with relay.serve_file(clip, "cam", loop="steady"):
            source = opening.result(60)
            _take(source, 5)
            source.close()


def test_waiting_ends_when_it_is_stopped(relay: RtspRelay) -> None:
    stopping = Event()
    Timer(0.5, stopping.set).start()
    with pytest.raises(MediaError):
        _open(relay.url("nothing"), wait=True, stopping=stopping)


@pytest.mark.parametrize(
    ("credentials", "path", "complaint"),
    [
        ("me:s3cr3t", "other", "knows no such stream: check the path"),
        ("me:wr0ng", "cam", "user or password is missing or wrong"),
        ("", "cam", "user or password is missing or wrong"),
    ],
)
def test_refusals_are_one_line_without_the_password(
    clip: Path, credentials: str, path: str, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with RtspRelay("me", "s3cr3t") as relay, relay.serve_file(clip, "cam", loop="steady") as url:
        source = _open(url)
        _take(source, 2)
        relay.hang_up()
        _take(source, 3)
        source.close()
        with pytest.raises(MediaError, match=complaint) as refused:
            _open(relay.url(path, credentials))
    assert "\n" not in str(refused.value)
    said = "".join(capfd.readouterr()) + str(refused.value)
    assert "s3cr3t" not in said
    assert "wr0ng" not in said
