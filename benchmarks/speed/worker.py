"""One run of the product in a process of its own, with the times of its stages.

Run as ``python -m benchmarks.speed.worker IN OUT TIMES.json --method M ...``. It does what
``streamanon run`` does. With a rate the clip plays by the wall clock, like a camera: there is no
look-ahead, and frames that come too fast are dropped.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from streamanon.config import Config
from streamanon.factory import Factory
from streamanon.files.jobs import Job
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.protocols import Sink, Source
from streamanon.types import Frame, MediaInfo, Treatment


class Camera:
    """A source whose frames come at an even rate by the wall clock, read or not."""

    def __init__(self, source: Source, rate: float) -> None:
        self._source, self._rate = source, rate

    @property
    def info(self) -> MediaInfo:
        """What is known before the first frame."""
        return replace(self._source.info, live=True)

    def __iter__(self) -> Iterator[Frame]:
        """Yield each frame when it is due."""
        start = time.monotonic()
        for frame in self._source:
            due = start + frame.index / self._rate
            time.sleep(max(0.0, due - time.monotonic()))
            yield frame

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._source.close()


def anonymise(
    job: Job, factory: Factory, rate: float | None, sink: Callable[[Source], Sink] | None = None
) -> Report:
    """Carry out a job; return its report.

    Args:
        job: input and output.
        factory: factory of the parts of the line.
        rate: frames a second to play at, as a camera; None for a file.
        sink: function that opens another output than the job's.
    """
    anonymiser = factory.anonymiser()
    source = factory.source(job.input)
    if rate:
        source = Camera(source, rate)
    observer = factory.observer(anonymiser, live=source.info.live)
    output = sink(source) if sink else factory.sink(job.output, job.input, source.info)
    return run(source, observer, anonymiser, output, stall_s=factory.config.stall_s)


def as_json(report: Report) -> dict[str, Any]:
    """Return the values for the figures; of each stage only the entries that belong to frames."""
    frames = len(report.latency_s)
    tracks = report.ledger.tracks.values()
    return {
        "frames": frames,
        "dropped": report.frames_dropped,
        "uncovered": report.uncovered,
        "replaced": sum(track.replaced for track in tracks),
        "second_best": sum(
            step.last - step.first + 1
            for step in report.ledger.steps_down
            if step.treatment == Treatment.REPLACED.value
        ),
        "covered": sum(track.covered for track in tracks),
        "line_s": report.elapsed_s,
        "latency_s": list(report.latency_s),
        "stages": {
            name: {"worked_s": list(s.worked_s[:frames]), "waited_s": list(s.waited_s[:frames])}
            for name, s in report.stages.items()
        },
    }


def main() -> None:
    """Read the arguments, run, write the times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("times", type=Path)
    parser.add_argument("--method", required=True)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--runtime")
    asked = parser.parse_args()
    chosen: dict[str, Any] = {"runtime": asked.runtime} if asked.runtime else {}
    factory = Factory(Config(method=asked.method, overwrite=True, **chosen))
    report = anonymise(Job(asked.input, asked.output), factory, asked.rate)
    asked.times.write_text(json.dumps({**as_json(report), "runtimes": factory.runtimes}))


if __name__ == "__main__":
    main()
