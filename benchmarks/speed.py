"""Frames per second of whole runs on one clip: ours, deface's, and decode+encode alone."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from collections.abc import Callable

    from av import VideoFrame

from streamanon.config import Config


@dataclass(frozen=True)
class Timing:
    """One whole run.

    Attributes:
        fps: frames of the clip over wall seconds, process start included.
        cpu_ms: CPU milliseconds a frame, all threads.
        peak_mb: largest resident size in MB.
    """

    fps: float
    cpu_ms: float
    peak_mb: float


def make_720p(source: Path, target: Path) -> None:
    """Scale a clip to 1280x720 with its sound dropped."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        encoded = outside.add_stream("libx264", rate=stream.average_rate)
        encoded.width, encoded.height, encoded.pix_fmt = 1280, 720, "yuv420p"
        encoded.options = {"crf": "16", "preset": "veryfast"}
        for frame in inside.decode(stream):
            scaled = frame.reformat(1280, 720, "yuv420p", interpolation="BICUBIC")
            scaled.pict_type = 0
            outside.mux(encoded.encode(scaled))
        outside.mux(encoded.encode())


def count_frames(path: Path) -> int:
    """Return the number of frames a clip decodes to."""
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def decode_encode(source: Path, target: Path) -> None:
    """Decode and encode with our default settings, in two threads, and do nothing else."""
    frames: queue.Queue[VideoFrame | None] = queue.Queue(4)
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        stream = inside.streams.video[0]
        stream.thread_type = "AUTO"
        encoded = outside.add_stream("libx264", rate=stream.average_rate)
        encoded.width, encoded.height = stream.width, stream.height
        encoded.pix_fmt = "yuv420p"
        encoded.options = {"crf": str(Config().crf), "preset": Config().preset}

        def read() -> None:
            for frame in inside.decode(stream):
                frames.put(frame)
            frames.put(None)

        reader = threading.Thread(target=read)
        reader.start()
        while (frame := frames.get()) is not None:
            frame.pict_type = 0
            outside.mux(encoded.encode(frame))
        outside.mux(encoded.encode())
        reader.join()


def timed(command: list[str], frames: int) -> Timing:
    """Run a command to its end and account for it as the operating system does."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    elapsed = time.perf_counter() - started
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {complaint.decode()[-400:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return Timing(frames / elapsed, 1000 * cpu / frames, usage.ru_maxrss / 1024)


def competitors(
    clip: Path, folder: Path, deface: Path | None
) -> dict[str, Callable[[], list[str]]]:
    """Return the command of each contestant."""

    def ours(method: str) -> list[str]:
        output = folder / f"{method}.mp4"
        return [sys.executable, "-m", "streamanon", "run", str(clip), "-o", str(output),
                "--overwrite", "--method", method]  # fmt: skip

    def floor() -> list[str]:
        code = (
            "import sys, pathlib; from benchmarks.speed import decode_encode; "
            "decode_encode(*map(pathlib.Path, sys.argv[1:]))"
        )
        return [sys.executable, "-c", code, str(clip), str(folder / "floor.mp4")]

    found: dict[str, Callable[[], list[str]]] = {
        "decode+encode": floor,
        "mosaic": lambda: ours("mosaic"),
        "warp": lambda: ours("warp"),
    }
    if deface is not None:
        name = str(deface)
        found["deface"] = lambda: [name, str(clip), "-o", str(folder / "d.mp4")]
        found["deface --scale 640x360"] = lambda: [
            name, str(clip), "-o", str(folder / "f.mp4"), "--scale", "640x360",
        ]  # fmt: skip
    return found


def measure(clip: Path, deface: Path | None, rounds: int) -> dict[str, list[Timing]]:
    """Run every contestant in turn, several rounds, so that a slow minute hits all of them."""
    frames = count_frames(clip)
    results: dict[str, list[Timing]] = {}
    with tempfile.TemporaryDirectory() as name:
        contestants = competitors(clip, Path(name), deface)
        for _ in range(rounds):
            for label, command in contestants.items():
                results.setdefault(label, []).append(timed(command(), frames))
    return results
