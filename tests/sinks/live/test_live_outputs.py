"""Every kind of live output, written for real and read back by what others use."""

import random
import re
import shutil
import socket
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamanon.errors import UsageError
from streamanon.media.address import Address, output_address
from streamanon.media.audio import AudioFormat, AudioPacket, AudioQueue
from streamanon.sinks.live.destination import destination
from streamanon.sinks.live.encoder import Encoder, as_frame
from streamanon.sinks.live.sink import Clock
from streamanon.sinks.writers.messages import MuxJob
from streamanon.sinks.writers.recording import Recording
from streamanon.sinks.writers.writer import ClosedError
from testkit.numbered_frames import (
    SIZE,
    counted,
    feed,
    grab,
    number,
    some,
    stream_info,
    write_all,
)
from testkit.servers.ports import free_port
from testkit.servers.rtsp_relay import RtspRelay
from testkit.videos import read_frames


def without_gaps(numbers: list[int]) -> bool:
    return len(numbers) > 20 and numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_rtsp(opened: Any, readers: Any, said: list[str]) -> None:
    with RtspRelay() as relay:
        sink = opened(relay.url("out"))
        reader = readers(relay.url("out"))
        feed(sink, 0, until=lambda: len(reader.numbers) > 25)
        assert without_gaps(reader.numbers[:25])
        steps = np.diff(reader.times_s[:25])
        assert np.abs(steps - 1 / 30).max() < 0.005
        [state] = sink.state
        assert (state.connected, state.restarts, state.reason) == (True, 0, "")
        assert said == []


@pytest.mark.parametrize(
    ("url", "kind", "how"),
    [
        ("rtmp://127.0.0.1:{}/live/key", socket.SOCK_STREAM, {"options": {"listen": "1"}}),
        ("udp://127.0.0.1:{}", socket.SOCK_DGRAM, {"format": "mpegts"}),
    ],
    ids=["rtmp", "udp"],
)
def test_without_a_server(opened: Any, readers: Any, url: str, kind: int, how: Any) -> None:
    url = url.format(free_port(kind))
    reader = readers(url, **how)
    sink = opened(url)
    feed(sink, 0, until=lambda: len(reader.numbers) > 22)
    assert without_gaps(reader.numbers[:22])


@pytest.mark.skipif(not shutil.which("srt-live-transmit"), reason="srt-tools are not installed")
def test_srt(opened: Any, readers: Any, tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    server = subprocess.Popen(
        ["srt-live-transmit", "-q", f"srt://127.0.0.1:{port}?mode=listener", "file://con"],
        stdout=subprocess.PIPE,
    )
    assert server.stdout
    try:
        reader = readers(f"pipe:{server.stdout.fileno()}", format="mpegts")
        sink = opened(f"srt://127.0.0.1:{port}")
        feed(sink, 0, until=lambda: len(reader.numbers) > 22)
        assert without_gaps(reader.numbers[:22])
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_hls_keeps_a_few_seconds_and_deletes_the_rest(opened: Any, tmp_path: Path) -> None:
    folder = tmp_path / "live %d, 100%"
    sink = opened(f"hls:{folder}")
    feed(sink, 0, until=lambda: sink.state[0].connected)
    write_all(sink, (counted(index, pts=18_000 * index) for index in range(200)))
    sink.close(complete=True)
    assert list(tmp_path.iterdir()) == [folder]
    segments = sorted(folder.glob("*.ts"))
    playlist = (folder / "index.m3u8").read_text()
    listed = [line for line in playlist.splitlines() if line.endswith(".ts")]
    assert len(listed) == 6
    assert len(segments) <= 8
    assert "#EXT-X-ENDLIST" in playlist
    numbers = list(map(number, read_frames(folder / "index.m3u8")))
    assert numbers == list(range(numbers[0], 200))
    assert len(numbers) >= 50


def test_hls_goes_on_where_it_was_left(opened: Any, tmp_path: Path) -> None:
    folder = tmp_path / "live"
    for run in range(2):
        sink = opened(f"hls:{folder}")
        while not sink.state[0].connected:
            sink.write(counted(0))
            time.sleep(0.03)
        feed(sink, 100 * run + 1, until=some(30))
        sink.close(complete=True)
    playlist = (folder / "index.m3u8").read_text()
    assert playlist.count("#EXTINF") == 2
    assert "#EXT-X-DISCONTINUITY" in playlist
    assert playlist.count("#EXT-X-ENDLIST") == 1


@pytest.mark.parametrize("listed", ["notes.txt", "../notes.txt", "live-000001.ts/../notes.txt"])
def test_hls_deletes_nothing_that_a_foreign_playlist_lists(listed: str, tmp_path: Path) -> None:
    (tmp_path / "index.m3u8").write_text(f"#EXTM3U\n#EXTINF:2,\n{listed}\n" * 20)
    address = output_address(f"hls:{tmp_path}")
    assert address is not None
    with pytest.raises(UsageError, match=re.escape(f"its index.m3u8 lists {listed!r}, wanted")):
        destination(address)


def test_hls_leaves_nothing_behind_when_it_is_written_again(opened: Any, tmp_path: Path) -> None:
    for run in range(3):
        sink = opened(f"hls:{tmp_path}")
        while not sink.state[0].connected:
            sink.write(counted(1000 * run))
            time.sleep(0.03)
        numbers = range(1000 * run, 1000 * run + 100)
        write_all(sink, (counted(index, pts=18_000 * index) for index in numbers))
        sink.close(complete=True)
    listed = {
        line for line in (tmp_path / "index.m3u8").read_text().splitlines() if line.endswith(".ts")
    }
    assert len(listed) == 6
    unlisted = {path.name for path in tmp_path.glob("*.ts")} - listed
    assert len(unlisted) <= 1  # as many as one writer leaves


def test_a_recording_comes_in_pieces(opened: Any, tmp_path: Path) -> None:
    sink = opened(f"record:{tmp_path}")
    feed(sink, 0, until=lambda: sink.state[0].connected)
    start = 1000
    numbers = range(start, start + 650)
    write_all(sink, (counted(index, pts=18_000 * index) for index in numbers))  # five a second
    sink.close(complete=True)
    pieces = sorted(tmp_path.glob("*.mkv"), key=lambda path: path.stat().st_mtime)
    assert len(pieces) == 3
    assert {stat.S_IMODE(piece.stat().st_mode) for piece in pieces} == {0o600}
    found: list[int] = []
    for piece in pieces:
        frames = read_frames(piece)
        times = [frame.time for frame in frames]
        assert times[0] == pytest.approx(0, abs=0.1)
        assert all(first < second for first, second in pairwise(times))
        assert times[-1] < 63
        found += [number(frame) for frame in frames if number(frame) >= start]
    assert found == list(numbers)


def test_a_recording_can_be_played_while_it_goes_on(opened: Any, tmp_path: Path) -> None:
    sink = opened(f"record:{tmp_path}")
    begin = feed(sink, 0, until=lambda: sink.state[0].connected)
    [piece] = tmp_path.glob("*.mkv")

    def playable() -> int:
        with suppress(av.error.EOFError):  # nothing was flushed yet
            return len(packets_by_number(piece))
        return 0

    feed(sink, begin, until=lambda: playable() > 30)


def test_a_recording_has_the_permissions_asked_for(tmp_path: Path) -> None:
    encoder = Encoder("libx264", stream_info(), {"preset": "ultrafast"})
    job = MuxJob("recording", str(tmp_path), mode=0o640)
    with closing(Recording(job, encoder.header())):
        [piece] = tmp_path.glob("*.mkv")
        assert stat.S_IMODE(piece.stat().st_mode) == 0o640


def test_several_outputs_share_one_encode(opened: Any, readers: Any, tmp_path: Path) -> None:
    with RtspRelay() as relay:
        url = f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}"
        folders = [tmp_path / "one", tmp_path / "two"]
        sink = opened(relay.url("out"), url, *(f"record:{folder}" for folder in folders))
        seen = [readers(relay.url("out")), readers(url, format="mpegts")]
        after = feed(sink, 0, until=lambda: all(len(reader.numbers) > 30 for reader in seen))
        after = feed(sink, after, until=lambda: all(state.connected for state in sink.state))
        feed(sink, after, until=some(30))
        sink.close(complete=True)
    one, two = (packets_by_number(next(folder.glob("*.mkv"))) for folder in folders)
    both = one.keys() & two.keys()
    assert both
    assert [one[number] for number in both] == [two[number] for number in both]


def packets_by_number(path: Path) -> dict[int, bytes]:
    """Return the packets of a recording by the number of the picture in them."""
    with av.open(str(path)) as container:
        return {
            number(frame): bytes(packet)
            for packet in container.demux(video=0)
            for frame in packet.decode()
            if isinstance(frame, av.VideoFrame)
        }


def aac(seconds: float) -> tuple[AudioFormat, list[AudioPacket]]:
    """Return a real track of sound, on a timeline that begins at 0."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, av.AudioCodecContext)
    context.sample_rate, context.layout, context.format = 48000, "mono", "fltp"
    context.flags |= 1 << 22
    packets = []
    for start in range(0, round(seconds * 48000), 1024):
        wave = np.sin(np.arange(start, start + 1024) / 10).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, start, Fraction(1, 48000)
        packets += context.encode(frame)
    form = AudioFormat("aac", 48000, "mono", bytes(context.extradata or b""))
    return form, [
        AudioPacket(bytes(packet), round(packet.pts * 90_000 / 48_000), 1920)
        for packet in packets
        if packet.pts is not None and packet.pts >= 0
    ]


def test_sound_keeps_time_with_the_picture(opened: Any, tmp_path: Path) -> None:
    form, packets = aac(8)
    track = AudioQueue(form)
    sink = opened(f"record:{tmp_path}", sound=track)
    begin = feed(sink, 0, until=lambda: sink.state[0].connected)
    heard_from, heard_to = begin * 3000 + 45_000, begin * 3000 + 150_000
    for packet in packets:
        if heard_from <= packet.pts:
            track.put(packet)  # long before its picture, as when the picture is held back
    feed(sink, begin, until=some(50))
    sink.close(complete=True)
    [piece] = tmp_path.glob("*.mkv")
    first_picture: int | None = None
    sounds, latest_picture = [], 0.0
    with av.open(str(piece)) as container:
        for read in container.demux():
            if read.pts is None:
                continue
            time_s = float(read.pts * read.time_base)
            if read.stream.type == "audio":
                sounds.append(time_s)
                assert time_s < latest_picture + 0.05
                continue
            for frame in read.decode():
                assert isinstance(frame, av.VideoFrame)
                first_picture = number(frame) if first_picture is None else first_picture
                latest_picture = frame.time or 0.0
    assert first_picture in (begin - 1, begin)  # it may have been opened while one was written
    assert sounds[0] == pytest.approx((heard_from - first_picture * 3000) / 90_000, abs=0.03)
    assert 1.4 < sounds[-1] < (heard_to - first_picture * 3000) / 90_000


def test_sound_reaches_a_server_and_its_end_stops_no_picture(opened: Any, readers: Any) -> None:
    form, packets = aac(20)
    track = AudioQueue(form)
    with RtspRelay() as relay:
        sink = opened(relay.url("out"), sound=track)
        begin = feed(sink, 0, until=lambda: sink.state[0].connected)
        reader = readers(relay.url("out"))
        waiting = iter(packets)

        def heard() -> bool:
            for packet in waiting:
                track.put(packet)
                if packet.pts > sink_time():
                    break
            return len(reader.sound_s) > 30 and len(reader.numbers) > 20

        began = time.monotonic()

        def sink_time() -> int:
            return begin * 3000 + round((time.monotonic() - began) * 90_000)

        silent_from = feed(sink, begin, until=heard)
        assert reader.tracks == {"h264", "aac"}
        feed(sink, silent_from, until=lambda: reader.numbers[-1] > silent_from + 20)


def test_an_output_that_cannot_hold_the_sound_goes_without(
    opened: Any, readers: Any, said: list[str]
) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key"
    reader = readers(url, options={"listen": "1"})
    track = AudioQueue(AudioFormat("pcm_alaw", 8000, "mono"))
    sink = opened(url, sound=track)
    for index in range(200):
        track.put(AudioPacket(bytes(160), 1800 * index, 1800))
    feed(sink, 0, until=lambda: len(reader.numbers) > 20)
    assert reader.tracks == {"h264"}
    assert [line for line in said if "pcm_alaw" in line] == [
        f"output {sink.state[0].name} goes without sound: it cannot hold pcm_alaw"
    ]


def test_time_stamps_rise_whatever_comes_in() -> None:
    rng = random.Random(5)
    clock, now, last = Clock(), 10**12, -1
    for _ in range(5000):
        now += rng.choice((3000, 3003, 1, 0, -50, -3000, 18_000, 10**9, -(10**9)))
        stamp = clock.at(now)
        assert 0 < stamp - last <= 900_000
        last = stamp


def test_time_stamps_keep_their_distances() -> None:
    clock = Clock()
    stamps = [clock.at(pts) for pts in (7_000, 10_000, 13_007, 40_000)]
    assert [stamp - stamps[0] for stamp in stamps] == [0, 3000, 6007, 33_000]
    assert stamps[0] == 0


def test_placeholders_in_between_leave_the_timeline_alone() -> None:
    clock = Clock()
    clock.at(0)
    clock.at(90_000)
    clock.at(89_000)  # a frame that was on its way while a placeholder was shown
    assert clock.at(93_000) == 93_000


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (Address("virtual-camera", "/dev/video97"), "modprobe v4l2loopback"),
        (Address("hls", "/dev/null/here"), "wanted a folder"),
        (Address("record", "/proc/here"), "wanted a folder"),
        (Address("record", "tape/film.mkv"), "named like a file, wanted a folder"),
        (Address("hls", "Index.M3U8"), "named like a file, wanted a folder"),
    ],
    ids=str,
)
def test_what_cannot_be_written_here_is_said_at_once(address: Address, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        destination(address)


def test_srt_without_its_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UsageError, match="srt-tools"):
        destination(Address("srt", "srt://127.0.0.1:9000"))


def test_a_window_without_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(UsageError, match="needs"):
        destination(Address("window", ""))


@pytest.mark.skipif(sys.platform != "linux", reason="uses an X server")
def test_a_window_shows_what_is_written(opened: Any, screen: Path) -> None:
    sink = opened("window:")
    numbers: list[int] = []

    def shown() -> bool:
        image = grab(screen)
        lit = image.max(axis=2) > 30
        if lit.sum() < SIZE[0] * SIZE[1] * 0.8:
            return False
        y, x = np.argwhere(lit)[0]
        part = np.ascontiguousarray(image[y : y + SIZE[1], x : x + SIZE[0]])
        numbers.append(number(av.VideoFrame.from_ndarray(part, format="bgr24")))
        return len(set(numbers)) > 10

    feed(sink, 0, until=shown)
    assert numbers == sorted(numbers)
    assert sink.state[0].connected


@pytest.mark.skipif(sys.platform != "linux", reason="uses an X server")
def test_a_window_that_is_closed_says_so(screen: Path) -> None:
    window = pytest.importorskip("streamanon.sinks.writers.window", reason="Tk is not installed")
    encoder = Encoder("rawvideo", stream_info())
    shown = window.Window(MuxJob("window", "streamanon"), encoder.header())
    [unit] = encoder.encode(as_frame(counted(1).picture, stream_info(), 0))
    shown.write(unit)
    close = shown._root.protocol("WM_DELETE_WINDOW")
    shown._root.tk.eval(close)  # what Tk does when the button is pressed
    with pytest.raises(ClosedError, match="the window was closed"):
        shown.write(unit)
    shown.close()
