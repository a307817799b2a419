"""Whole lines, from source to output, with the network on a GPU and on the processor.

A row for each point (:class:`benchmarks.gpu.line_worker.Point`) and runtime, or one that says why a
runtime is not available. ``line_fps`` is the rate at which one line wrote frames, ``fps_runs`` that
of each; ``latency_ms`` is from a frame leaving its source to the encoder having taken it;
``network`` holds its batch sizes and load.
"""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT
from benchmarks.gpu.line_worker import Point, task
from benchmarks.speed.clips import scenes

RATE = 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """The measurements made with every runtime.

    Attributes:
        points: height, faces, lines, rate; a rate of None stands for a file.
        frames: length of each scene.
    """

    points: Sequence[tuple[int, int, int, float | None]]
    frames: int


FULL = Plan(
    (
        *((720, 1, lines, RATE) for lines in (1, 4, 16)),
        *((1080, faces, 1, rate) for faces in (1, 4) for rate in (RATE, None)),
    ),
    frames=240,
)
QUICK = Plan(((360, 1, 2, RATE), (360, 1, 1, None)), frames=90)  # live, faces wait 1.2 s


def measured(
    runtime: str, plan: Plan, clip: Path, cache: Path, limit_s: float
) -> Iterator[dict[str, Any]]:
    """Measure the points of a plan; yield each row as soon as it is ready.

    Args:
        runtime: runtime of the network.
        plan: points to measure.
        clip: footage of one person, which scenes are made of.
        cache: folder for the scenes.
        limit_s: time limit of all points together.
    """
    made = scenes(clip, plan.frames, [point[:2] for point in plan.points], cache)
    points = [Point(str(made[point[:2]]), *point) for point in plan.points]
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gpu.line_worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        limit = threading.Timer(limit_s, process.kill)
        limit.start()
        try:
            process.stdin.write(task(runtime, points))
            process.stdin.close()
            for line in process.stdout:
                yield json.loads(line)
            if process.wait():
                yield {"runtime": runtime, "missing": _why(process.returncode, complaints, limit_s)}
        finally:
            limit.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


def _why(code: int, complaints: Any, limit_s: float) -> str:
    if code == -9:
        return f"took longer than {limit_s:.0f} s"
    complaints.seek(0)
    said = [line for line in complaints.read().splitlines() if line and not line.startswith(" ")]
    return said[-1] if said else f"ended with {code}"


def described(row: dict[str, Any]) -> str:
    """Return a row as a line of text."""
    if "missing" in row:
        return f"{row.get('runtime', 'lines'):12} missing: {row['missing']}"
    scene = f"{row['lines']:2} x {row['height']}p, {row['faces']} faces, "
    scene += f"{row['rate']:g} fps" if row["rate"] else "file"
    late = row["latency_ms"] or {}
    shares = " ".join(
        f"{name} {stage['worked_ms']['p50']:.1f}"
        for name, stage in row["stages"].items()
        if stage["worked_ms"]
    )
    return (
        f"{row['runtime']:12} {scene:32} {row['line_fps']:6.1f} fps each, "
        f"p50 {late.get('p50', 0):.0f} p99 {late.get('p99', 0):.0f} ms, {row['dropped']} dropped, "
        f"ms: {shares}, {row['cpu_ms']:.0f} of the processor; network {row['network']['ms_a_run']} "
        f"ms for {row['network']['calls_a_run']}, busy {row['network']['busy']}"
        + ("" if row["alive"] else f"; not valid: {row['reason']}")
    )
