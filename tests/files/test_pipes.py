"""Runs between pipes: as a part of other programs' command lines."""

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from termios import FIONREAD
from typing import Any

import av
import pytest

from streamanon.child_process import module_command
from streamanon.cli.main import execute
from streamanon.media import shared_packets
from streamanon.pipeline.document import sha256
from testkit.paths import DEMO, PHOTOS
from testkit.waiting import wait_until

needs_ffmpeg = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
_RUN = module_command("streamanon", "run")


def _run(*arguments: str, sent: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [*_RUN, *arguments, "--method", "mosaic"]
    return subprocess.run(command, input=sent, capture_output=True, check=False)


def _tracks(path: Path) -> tuple[str, int, list[str]]:
    """Return the format of a file, the number of its frames, and the codecs of its sound."""
    with av.open(str(path)) as container:
        sounds = [stream.codec_context.name for stream in container.streams.audio]
        return container.format.name, sum(1 for _ in container.decode(video=0)), sounds


def test_a_video_goes_from_standard_input_to_standard_output(
    face_clip: Path, tmp_path: Path
) -> None:
    done = _run("-", "-o", "-", sent=face_clip.read_bytes())
    assert done.returncode == 0, done.stderr
    (tmp_path / "out").write_bytes(done.stdout)
    assert _tracks(tmp_path / "out") == ("matroska,webm", 16, ["aac"])


def test_nothing_is_sent_of_what_fails(face_clip: Path, tmp_path: Path) -> None:
    done = _run("/dev/stdin", "-o", "/dev/stdout", sent=face_clip.read_bytes()[:2000])
    assert (done.returncode, done.stdout) == (1, b"")
    lines = done.stderr.decode().splitlines()
    assert [line.startswith("streamanon: error: ") for line in lines] == [False, True]


def test_named_pipes_stay_what_they_are(face_clip: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    for path in (source, target):
        os.mkfifo(path)
    with ThreadPoolExecutor() as pool:
        pool.submit(source.write_bytes, face_clip.read_bytes())
        received = pool.submit(target.read_bytes)
        assert execute(["run", str(source), "-o", str(target), "--method", "mosaic"]) == 0
    assert target.is_fifo()
    (tmp_path / "received").write_bytes(received.result())
    assert _tracks(tmp_path / "received") == ("mov,mp4,m4a,3gp,3g2,mj2", 16, ["aac"])


def test_a_file_goes_into_a_pipe_at_once_under_the_name_of_the_pipe(
    face_clip: Path, tmp_path: Path
) -> None:
    run = subprocess.Popen(
        [*_RUN, str(face_clip), "-o", "-", "--method", "mosaic"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert run.stdout
    run.stdout.close()
    printed = run.communicate()[1].decode()
    assert run.returncode == 1
    assert "->" not in printed, "it went on although its reader had gone"
    done = _run(str(face_clip), "-o", "-", "--format", "mp4", sent=b"")
    assert done.stderr.startswith(f"{face_clip.name} -> -: 16 frames".encode())
    (tmp_path / "out").write_bytes(done.stdout)
    assert _tracks(tmp_path / "out") == ("mov,mp4,m4a,3gp,3g2,mj2", 16, ["aac"])


def test_what_does_not_go_into_one_pipe_is_said(
    face_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for inputs in ([str(face_clip.parent)], [str(face_clip), str(face_clip)]):
        assert execute(["run", *inputs, "-o", "/dev/full"]) == 2
        assert "output /dev/full is a pipe: several inputs need a folder" in capfd.readouterr().err
    picture = str(PHOTOS / "london_001_neutral.webp")
    assert execute(["run", picture, "-o", "/dev/full", "--format", "mkv"]) == 2
    assert f"--format is for videos: {picture} is a picture" in capfd.readouterr().err


def test_a_reader_that_has_gone_is_a_failure(
    face_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", str(face_clip), "-o", "/dev/full", "--method", "mosaic"]) == 1
    assert "output /dev/full could not be written" in capfd.readouterr().err


def test_standard_input_is_read_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "-", "-", "-o", str(tmp_path)]) == 2
    assert "named twice" in capfd.readouterr().err


def _endless(container: str, *options: str, fps: int = 25) -> subprocess.Popen[bytes]:
    """Start an ffmpeg that writes a face and a tone until nobody reads them."""
    command = ["ffmpeg", "-v", "quiet", "-stream_loop", "-1", "-i", str(DEMO)]
    command += ["-f", "lavfi", "-i", "sine=r=48000", "-map", "0:v", "-map", "1:a", "-r", str(fps)]
    command += ["-s", "320x180", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]
    command += ["-c:a", "aac", *options, "-f", container, "-"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("before", "after"),
    [("matroska", "mkv"), ("mpegts", "mkv"), ("mpegts", "nut"), ("nut", "webm")],
)
def test_an_input_that_never_ends_comes_out_while_it_comes(
    tmp_path: Path, before: str, after: str
) -> None:
    producer = _endless(before)
    command = [*_RUN, "-", "-o", "-", "--format", after, "--method", "mosaic"]
    run = subprocess.Popen(
        command, stdin=producer.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert producer.stdout
    assert run.stdout
    producer.stdout.close()
    received = run.stdout.read(100_000)  # as long as both run
    assert (producer.poll(), run.poll()) == (None, None)
    run.stdout.close()
    printed = run.communicate()[1].decode().splitlines()
    assert (run.returncode, producer.wait()) != (0, 0)
    assert printed[-1] == (
        "streamanon: error: output - could not be written (Broken pipe): what read it has ended"
    )
    (tmp_path / "out").write_bytes(received)
    with av.open(str(tmp_path / "out")) as container:
        assert container.format.name.split(",")[0] == ("nut" if after == "nut" else "matroska")
        ends = {"video": 0.0, "audio": 0.0}
        for packet in container.demux():
            if packet.pts is not None:
                ends[packet.stream.type] = float(packet.pts * packet.time_base)
    assert min(ends.values()) > 0.5
    assert abs(ends["video"] - ends["audio"]) < 0.5, "seconds between sound and picture"


@needs_ffmpeg
def test_a_pipe_becomes_what_the_file_becomes(tmp_path: Path) -> None:
    source, piped, filed = (tmp_path / name for name in ("in.mkv", "a.mkv", "b.mkv"))
    producer = _endless("matroska", "-t", "3")
    source.write_bytes(producer.communicate()[0])
    report = tmp_path / "report.json"
    done = _run("-", "-o", str(piped), "--report", str(report), sent=source.read_bytes())
    assert done.returncode == 0, done.stderr
    assert execute(["run", str(source), "-o", str(filed), "--method", "mosaic"]) == 0
    assert piped.read_bytes() == filed.read_bytes()
    assert json.loads(report.read_text())["files"][0]["input_sha256"] == sha256(source)


@needs_ffmpeg
@pytest.mark.parametrize(
    ("container", "options", "frames", "sound"),
    [
        ("yuv4mpegpipe", ["-an", "-c:v", "wrapped_avframe", "-pix_fmt", "yuv420p"], 25, []),
        ("mp4", ["-movflags", "frag_keyframe+empty_moov"], 25, ["aac"]),
        ("flv", ["-ar", "44100"], 24, ["aac"]),
        ("image2pipe", ["-an", "-c:v", "mjpeg", "-pix_fmt", "yuvj420p"], 25, []),
        ("image2pipe", ["-an", "-c:v", "png"], 25, []),
    ],
)
def test_what_can_be_read_once_is_read_once(
    tmp_path: Path, container: str, options: list[str], frames: int, sound: list[str]
) -> None:
    sent = _endless(container, *options, "-t", "1").communicate()[0]
    done = _run("-", "-o", "-", "--format", "mkv", sent=sent)
    assert done.returncode == 0, done.stderr
    assert b"to its end first" not in done.stderr
    (tmp_path / "out").write_bytes(done.stdout)
    assert _tracks(tmp_path / "out") == ("matroska,webm", frames, sound)


def test_an_index_at_the_end_is_said(face_clip: Path) -> None:
    done = _run("-", "-o", "-", sent=face_clip.read_bytes())
    assert b"input - is read to its end first: its index is at its end\n" in done.stderr


@needs_ffmpeg
def test_sound_goes_on_after_the_pictures_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_packets, "_MOST_BYTES", 100_000)
    source, out = tmp_path / "in.mkv", tmp_path / "out.mkv"
    options = ["-c:a", "pcm_s16le", "-t", "9", "-filter:v", "trim=end=1"]
    sent = _endless("matroska", *options).communicate()[0]
    os.mkfifo(source)
    with ThreadPoolExecutor() as pool:
        pool.submit(source.write_bytes, sent)
        assert execute(["run", str(source), "-o", str(out), "--method", "mosaic"]) == 0
    with av.open(str(out)) as container:
        heard = [packet.pts for packet in container.demux(audio=0) if packet.pts is not None]
    assert heard == sorted(heard)
    assert heard[-1] > 8000, "ms"


@contextmanager
def _fed(output: Path, *options: str, cut: int | None = None) -> Iterator[Any]:
    """Start a run from a pipe, send it some bytes, and leave the pipe open."""
    sent = _endless("matroska", "-t", "3").communicate()[0][:cut]
    command = [*_RUN, "-", "-o", str(output), "--method", "mosaic", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdin
        run.stdin.write(sent)
        run.stdin.flush()
        yield run


@needs_ffmpeg
@pytest.mark.parametrize(
    ("cut", "printed"),
    [
        (0, "input - is empty"),
        (300, "nothing came for 0.5 s"),
        (60_000, "nothing came for 0.5 s"),
    ],
)
def test_a_writer_that_stalls_is_said(tmp_path: Path, cut: int, printed: str) -> None:
    with _fed(tmp_path / "out.mkv", "--stall-s", "0.5", cut=cut) as run:
        if not cut:
            run.stdin.close()
        lines = run.stderr.read().decode().splitlines()
    assert run.returncode == 1
    assert printed in lines[-1]
    assert list(tmp_path.iterdir()) == []


@needs_ffmpeg
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_run_that_waits_for_a_pipe(tmp_path: Path, number: int) -> None:
    with _fed(tmp_path / "out.mkv") as run:
        wait_until(lambda: list(tmp_path.iterdir()))
        run.send_signal(number)
        lines = run.stderr.read().decode().splitlines()
    assert run.returncode == 128 + number
    assert lines[-1] == "streamanon: error: interrupted: no unfinished file was left"
    assert list(tmp_path.iterdir()) == []


@needs_ffmpeg
def test_signals_end_a_run_whose_reader_is_slow() -> None:
    producer = _endless("matroska")
    command = [*_RUN, "-", "-o", "-", "--method", "mosaic", "--crf", "0"]
    with subprocess.Popen(
        command, stdin=producer.stdout, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert producer.stdout
        assert run.stdout
        assert run.stderr
        producer.stdout.close()
        waiting = run.stdout.fileno()
        wait_until(lambda: struct.unpack("i", fcntl.ioctl(waiting, FIONREAD, bytes(4)))[0] > 60_000)
        run.send_signal(signal.SIGINT)
        lines = run.stderr.read().decode().splitlines()
        assert run.wait() == 128 + signal.SIGINT
    producer.wait()
    assert lines[-1].startswith("streamanon: error: interrupted")


def test_sealing_needs_a_place(face_clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", str(face_clip), "-o", "-", "--seal", "me.pub"]) == 2
    assert "--seal writes beside the output" in capfd.readouterr().err


def test_the_format_of_a_file_is_its_suffix(face_clip: Path, capfd: Any, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    assert execute(["run", str(face_clip), "-o", str(out), "--format", "nut"]) == 2
    assert "--format is for pipes" in capfd.readouterr().err
