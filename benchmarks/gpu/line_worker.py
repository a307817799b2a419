"""Whole lines with the network on one runtime, one measurement after the other, in one process.

Reads ``{"runtime": ..., "points": [...]}`` with the fields of :class:`Point` from standard input;
writes one line of JSON for each point. The lines of a point run side by side
and share one network, as the streams of ``streamanon live`` do.
"""

import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.speed import figures, grid
from benchmarks.speed.account import Usage
from benchmarks.speed.rounds import Run
from benchmarks.speed.worker import anonymise, as_json
from streamanon.backends.shared import SharedBackend
from streamanon.config import Config
from streamanon.errors import StreamanonError
from streamanon.factory import Factory
from streamanon.files.jobs import Job
from streamanon.protocols import Source
from streamanon.sinks.live.encoder import Encoder, h264_options
from streamanon.sinks.live.sink import LiveSink

METHOD = "anonygan"


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    Attributes:
        scene: video file.
        height: height of the frames in px.
        faces: number of faces in a frame.
        lines: number of lines side by side.
        rate: frames a second at which cameras deliver, or None for files.
    """

    scene: str
    height: int
    faces: int
    lines: int
    rate: float | None


def measured(factory: Factory, point: Point, folder: Path) -> dict[str, Any]:
    """Run the lines of a point and return their figures (:mod:`benchmarks.speed.figures`).

    Files are written as files; cameras are encoded as live streams are, and the packets discarded.
    """
    network = factory.face_network.live  # loaded before the measurement
    assert isinstance(network, SharedBackend)
    each = [factory.for_stream() for _ in range(point.lines)]
    sizes, busy_s = network.sizes.copy(), network.busy_s

    def work(number: int) -> Run:
        if point.rate:  # cameras do not all deliver at the same moment
            time.sleep(number / point.lines / point.rate)
        job = Job(Path(point.scene), folder / f"{number}.mp4")
        began, used_s = time.monotonic(), cpu_s()
        report = anonymise(job, each[number], point.rate, encoded if point.rate else None)
        usage = Usage(time.monotonic() - began, (cpu_s() - used_s) / point.lines, peak_mb())
        return Run(usage, {**as_json(report), "runtimes": each[number].runtimes})

    began = time.monotonic()
    with ThreadPoolExecutor(point.lines) as pool:
        runs = list(pool.map(work, range(point.lines)))
    elapsed_s = time.monotonic() - began
    threads = grid.available_threads()
    cell = grid.Cell(point.height, point.faces, METHOD, threads, point.rate, factory.config.runtime)
    shared = together(network.sizes - sizes, network.busy_s - busy_s, elapsed_s)
    return figures.row(cell, runs, {}) | {"lines": point.lines, "network": shared}


def encoded(source: Source) -> LiveSink:
    """Return a sink that encodes a live stream and discards the packets."""
    options = h264_options(source.info, Config().crf, Config().live_preset)
    return LiveSink([(Encoder("libx264", source.info, options), ())], source.info)


def together(sizes: Counter[int], busy_s: float, elapsed_s: float) -> dict[str, Any]:
    """Return the number of runs of the network, their batch sizes, and its load.

    Args:
        sizes: number of runs by batch size.
        busy_s: time in which the network was running.
        elapsed_s: total time.
    """
    runs = sizes.total()
    calls = sum(size * count for size, count in sizes.items())
    found = {
        "runs": runs,
        "calls_a_run": calls / runs if runs else None,
        "ms_a_run": 1000 * busy_s / runs if runs else None,
        "busy": busy_s / elapsed_s,
        "sizes": {str(size): count for size, count in sorted(sizes.items())},
    }
    return {name: figures.rounded(value) for name, value in found.items()}


def cpu_s() -> float:
    """Return the processor time this process has used."""
    return sum(os.times()[:2])


def peak_mb() -> float:
    """Return the largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Measure the points given on standard input."""
    asked = json.load(sys.stdin)
    config = Config(method=METHOD, runtime=asked["runtime"], overwrite=True)
    try:
        factory = Factory(config)
        warm_up = Point(**asked["points"][0])
        with tempfile.TemporaryDirectory() as name:
            measured(factory, replace(warm_up, lines=1, rate=None), Path(name))
            for described in asked["points"]:
                row = measured(factory, Point(**described), Path(name))
                print(json.dumps(row), flush=True)
    except StreamanonError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def task(runtime: str, points: list[Point]) -> str:
    """Return the JSON document for standard input."""
    return json.dumps({"runtime": runtime, "points": [asdict(point) for point in points]})


if __name__ == "__main__":
    sys.exit(main())
