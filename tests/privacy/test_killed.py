"""Killing or interrupting the real command at any moment leaves nothing under the final name."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamanon.atomic_write import AtomicFile


def _start(clip: Path, output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streamanon", "run", str(clip), "-o", str(output)]
    command += ["--method", "mosaic"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run started in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )


def _wait_for_bytes(folder: Path, process: subprocess.Popen[str], size: int) -> None:
    """Wait until the run has written that much under its temporary name."""
    deadline = time.monotonic() + 60
    while sum(path.stat().st_size for path in folder.iterdir()) < size:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("written", [0, 1, 50_000])
def test_sigkill(long_face_clip: Path, tmp_path: Path, written: int) -> None:
    output = tmp_path / "out.mp4"
    process = _start(long_face_clip, output)
    _wait_for_bytes(tmp_path, process, written)
    process.kill()
    process.communicate(timeout=60)
    assert not output.exists()
    AtomicFile(output).discard()  # as the next run does
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_as_ctrl_c_does(
    long_face_clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = _start(long_face_clip, tmp_path / "out.mp4")
    _wait_for_bytes(tmp_path, process, 1)
    process.send_signal(number)
    process.send_signal(number)  # somebody is impatient
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, (out, err)
    assert err.strip().splitlines()[-1].startswith("streamanon: error: interrupted")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
