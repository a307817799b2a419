"""What servers, disks and processes do to live outputs, done to them for real."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from streamanon.sinks.live import output
from streamanon.sinks.live.sink import LiveSink
from testkit.numbered_frames import counted, feed, number, some
from testkit.paths import ROOT
from testkit.servers.ports import free_port
from testkit.servers.rtsp_relay import RtspRelay
from testkit.videos import read_frames
from testkit.waiting import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
WRITES = 10
"""Fewer come through in a second when each one waits for a server."""


def children(of: int) -> list[int]:
    """Return the processes that write outputs for a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _, rest = status.read_text().rpartition(")")
            command = (status.parent / "cmdline").read_bytes()
            if int(rest.split()[1]) == of and b"streamanon.sinks" in command:
                found.append(int(name.split()[0]))
    return found


def alive(process: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_server_that_comes_later_and_dies_and_returns(
    opened: Any, readers: Any, said: list[str]
) -> None:
    relay = RtspRelay()
    relay.port = free_port()
    sink = opened(relay.url("out"))
    after = feed(sink, 0, until=lambda: sink.state[0].reason == "Connection refused")
    with relay:
        reader = readers(relay.url("out"))
        after = feed(sink, after, until=lambda: len(reader.numbers) > 25)
        relay.kill()
        after = feed(sink, after, until=lambda: not sink.state[0].connected)
        seen = len(reader.numbers)
        relay.start()
        after = feed(sink, after, until=lambda: len(reader.numbers) > seen and len(said) == 4)
    assert reader.numbers == sorted(set(reader.numbers))
    events = [line.split(" ", 2)[2] for line in said]
    assert events[0] == "failed (Connection refused): trying again until it works"
    assert events[1].startswith("works again after ")
    assert events[2].startswith("failed (")
    assert events[3].startswith("works again after ")
    assert len(events) == 4


def test_a_server_that_is_away_is_knocked_at_and_costs_no_writer_a_try(
    opened: Any, readers: Any
) -> None:
    with RtspRelay() as relay:
        sink = opened(relay.url("out"))
        reader = readers(relay.url("out"))
        after = feed(sink, 0, until=lambda: len(reader.numbers) > 10)
        relay.kill()
        after = feed(sink, after, until=lambda: not sink.state[0].connected)
        after = feed(sink, after, until=some(60))
        assert sink.state[0].restarts == 0
        relay.start()
        after = feed(sink, after, until=lambda: sink.state[0].connected)
        assert sink.state[0].restarts == 1
        seen = len(reader.numbers)
        feed(sink, after, until=lambda: len(reader.numbers) > seen + 10)


@linux
def test_a_writer_that_is_kept_ready_goes_when_it_is_not_needed(opened: Any) -> None:
    sink = opened(f"rtsp://127.0.0.1:{free_port()}/out")
    feed(sink, 0, until=lambda: sink.state[0].reason == "Connection refused")
    feed(sink, 0, until=lambda: len(children(os.getpid())) == 1)
    sink.close(complete=True)
    assert children(os.getpid()) == []
    ready = subprocess.run(
        [sys.executable, "-m", "streamanon.sinks.writers.push"],
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
    )
    assert (ready.stdout, ready.stderr) == (b"", b"")


def test_a_server_that_is_there_and_refuses_is_asked_now_and_then(opened: Any) -> None:
    with RtspRelay("joe", "s3cret") as relay:
        sink = opened(relay.url("out", "joe:wr0ng"))
        feed(sink, 0, until=lambda: sink.state[0].restarts > 2)
        assert "401" in sink.state[0].reason


def test_players_that_come_back_a_moment_later_find_a_keyframe(
    opened: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_EXTRA_KEYFRAMES_S", 1.2)
    sink = opened(f"record:{tmp_path}")
    after = feed(sink, 0, until=lambda: sink.state[0].connected)
    feed(sink, after, until=some(105))
    sink.close(complete=True)
    [piece] = tmp_path.glob("*.mkv")
    with av.open(str(piece)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
        keys = [
            float((packet.pts or 0) * packet.time_base) for packet in packets if packet.is_keyframe
        ]
    steps = np.diff(keys)
    assert steps.min() < 1.5
    assert steps[-1] == pytest.approx(2, abs=0.1)


def test_a_server_that_never_answers(
    opened: Any, said: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(output, "_OPEN_TIMEOUT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sink = opened(
            f"rtsp://127.0.0.1:{port}/x", f"rtmp://127.0.0.1:{port}/a/b", f"record:{tmp_path}"
        )
        written = feed(
            sink,
            0,
            until=lambda: (
                min(one.restarts for one in sink.state[:2]) > 0 and sink.state[2].connected
            ),
        )
        assert written > WRITES
        assert {one.reason for one in sink.state[:2]} == {"no answer for 1 s"}
    assert len(said) == 2


@linux
def test_a_writer_that_freezes_is_replaced(
    opened: Any, readers: Any, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_WRITE_TIMEOUT_S", 0.7)
    with RtspRelay() as relay:
        sink = opened(relay.url("out"))
        reader = readers(relay.url("out"))
        after = feed(sink, 0, until=lambda: len(reader.numbers) > 10)
        [writer] = children(os.getpid())
        os.kill(writer, signal.SIGSTOP)
        frozen_at, after = after, flood(sink, after)
        assert after - frozen_at > WRITES
        assert not alive(writer)
        seen = len(reader.numbers)
        feed(sink, after, until=lambda: len(reader.numbers) > seen and len(said) == 2)
    assert "no answer for 0.7 s" in said[0]
    assert "works again" in said[1]


def flood(sink: LiveSink, start: int) -> int:
    """Write pictures full of noise, which fill every pipe, until the output was restarted."""
    rng, index = np.random.default_rng(1), start
    before = sink.state[0].restarts
    deadline = time.monotonic() + 60
    while sink.state[0].restarts == before:
        assert time.monotonic() < deadline
        frame = counted(index)
        frame.picture.planes[0][40:] = rng.integers(16, 235, (200, 320), np.uint8)
        sink.write(frame)
        time.sleep(1 / 30)
        index += 1
    return index


@linux
def test_a_writer_that_is_killed_is_replaced(opened: Any, readers: Any, said: list[str]) -> None:
    with RtspRelay() as relay:
        sink = opened(relay.url("out"))
        reader = readers(relay.url("out"))
        after = feed(sink, 0, until=lambda: len(reader.numbers) > 10)
        for writer in children(os.getpid()):
            os.kill(writer, signal.SIGKILL)
        seen = len(reader.numbers)
        feed(sink, after, until=lambda: len(reader.numbers) > seen + 35)
    assert sink.state[0].restarts == 1
    assert "its writer died, exit code -9" in said[0]


@linux
def test_credentials_are_nowhere_to_be_seen(opened: Any, said: list[str]) -> None:
    with RtspRelay("joe", "s3cret") as relay:
        sink = opened(relay.url("out", "joe:s3cret"))
        feed(sink, 0, until=lambda: sink.state[0].connected)
        [writer] = children(os.getpid())
        for what in ("cmdline", "environ"):
            assert b"s3cret" not in Path(f"/proc/{writer}/{what}").read_bytes()
        relay.kill()
        after = feed(sink, 0, until=lambda: not sink.state[0].connected)
        wrong = opened(relay.url("out", "joe:wr0ng"))
        relay.start()
        feed(wrong, after, until=lambda: "401" in wrong.state[0].reason)
    shown = " ".join(said) + repr(sink.state) + repr(wrong.state)
    assert "***" in shown
    assert "s3cret" not in shown
    assert "wr0ng" not in shown


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_the_recording_and_nothing_else(
    opened: Any, readers: Any, said: list[str], small_disk: Path
) -> None:
    with RtspRelay() as relay:
        sink = opened(f"record:{small_disk / 'films'}", relay.url("out"))
        reader = readers(relay.url("out"))
        after = feed(sink, 0, until=lambda: len(reader.numbers) > 25)
        filler = small_disk / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        after = feed(sink, after, until=lambda: sink.state[0].restarts > 1)
        assert "space left" in sink.state[0].reason
        pieces = list((small_disk / "films").glob("*.mkv"))
        assert len(pieces) == 1
        assert len(read_frames(pieces[0])) > 20
        filler.unlink()
        after = feed(sink, after, until=lambda: sink.state[0].connected)
        feed(sink, after, until=some(40))
        assert sink.state[1].restarts == 0
    sink.close(complete=True)
    assert reader.numbers == list(range(reader.numbers[0], reader.numbers[-1] + 1))
    assert len(list((small_disk / "films").glob("*.mkv"))) == 2
    assert "No space left on device" in said[0]
    assert "works again" in said[1]


_VICTIM = """
import logging, sys, time
from testkit.numbered_frames import counted, stream_info
from streamanon.media.address import output_address
from streamanon.sinks.live.sink import open_outputs
sink = open_outputs([output_address(text) for text in sys.argv[1:]], stream_info(), crf=20,
                    preset="ultrafast", sound=None, log=logging.getLogger())
recorded = 0
for index in range(10_000):
    recorded += sink.state[0].connected
    sink.write(counted(index))
    if recorded == 60:
        print("up", flush=True)
    time.sleep(1 / 30)
"""


@linux
def test_writers_die_with_us_and_leave_what_was_recorded(tmp_path: Path) -> None:
    with RtspRelay() as relay, socket.create_server(("127.0.0.1", 0)) as hole:
        outputs = [
            f"record:{tmp_path}",
            relay.url("out"),
            f"rtsp://127.0.0.1:{hole.getsockname()[1]}/x",
        ]
        tests = str(ROOT)
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, *outputs],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": tests},
        )
        assert victim.stdout
        with victim.stdout:
            victim.stdout.readline()
        writers = children(victim.pid)
        assert len(writers) == 3
        victim.kill()
        victim.wait()
        wait_until(lambda: not any(map(alive, writers)))
    [piece] = tmp_path.glob("*.mkv")
    assert len(read_frames(piece)) > 10


@linux
def test_writers_finish_what_they_write_when_all_processes_are_terminated(
    opened: Any, said: list[str], tmp_path: Path
) -> None:
    """A service that is stopped: SIGTERM goes to all its processes at once."""
    sink = opened(f"record:{tmp_path}")
    after = feed(sink, 0, until=lambda: sink.state[0].connected)
    after = feed(sink, after, until=some(20))
    for writer in children(os.getpid()):
        os.kill(writer, signal.SIGTERM)
    after = feed(sink, after, until=some(20))
    sink.close(complete=True)
    assert said == []
    [piece] = tmp_path.glob("*.mkv")
    with av.open(str(piece)) as container:
        assert container.duration  # written last
    assert after - 1 in map(number, read_frames(piece))


def test_closing_does_not_wait_for_an_answer(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_OPEN_TIMEOUT_S", 1000.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        sink = opened(*(f"rtsp://127.0.0.1:{port}/{name}" for name in "abc"))
        feed(sink, 0, until=some(20))
        sink.close(complete=True)
