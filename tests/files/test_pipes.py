"""Runs between pipes: as a part of other programs' command lines."""

import os
import subprocess
import threading
from pathlib import Path

import av
import pytest

from streamanon.child_process import module_command
from streamanon.cli.main import execute

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
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("streamanon: error: ")


def test_named_pipes_stay_what_they_are(face_clip: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
    received: list[bytes] = []
    for path in (source, target):
        os.mkfifo(path)
    partners = [
        threading.Thread(target=lambda: source.write_bytes(face_clip.read_bytes())),
        threading.Thread(target=lambda: received.append(target.read_bytes())),
    ]
    for partner in partners:
        partner.start()
    assert execute(["run", str(source), "-o", str(target), "--method", "mosaic"]) == 0
    for partner in partners:
        partner.join()
    assert target.is_fifo()
    (tmp_path / "received").write_bytes(received[0])
    assert _tracks(tmp_path / "received") == ("mov,mp4,m4a,3gp,3g2,mj2", 16, ["aac"])


def test_a_reader_that_has_gone_is_a_failure(
    face_clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["run", str(face_clip), "-o", "/dev/full", "--method", "mosaic"]) == 1
    assert "output /dev/full could not be written" in capfd.readouterr().err


def test_standard_input_is_read_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["run", "-", "-", "-o", str(tmp_path)]) == 2
    assert "named twice" in capfd.readouterr().err
