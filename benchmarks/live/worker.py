"""Runs streams of the product for a while, in a process of its own.

Reads a JSON document from standard input and writes one to standard output
(see :class:`benchmarks.live.load.Load`).
"""

import json
import os
import sys
import time
from array import array
from collections import Counter
from contextlib import suppress
from logging import Logger
from pathlib import Path
from typing import Any

from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.config import Config
from streamanon.factory import Factory
from streamanon.live.stream import STREAM_LOG, Stream
from streamanon.media.address import Address
from streamanon.types import FULL_QUALITY
from testkit.logs import logged

_SAMPLE_S = 1.0


class _Pinned(SteppedAnonymiser):
    """Has one level only, however busy the machine is."""

    @property
    def levels(self) -> tuple[str, ...]:
        return (FULL_QUALITY,)


class PinnedFactory(Factory):
    """Builds lines that stay at full quality."""

    def ladder(self, method: str, log: Logger) -> SteppedAnonymiser:
        """Return an anonymiser with one level, full quality."""
        return _Pinned(self.anonymiser, method, log)


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run streams side by side and return the measurements."""
    with logged(STREAM_LOG) as lines:
        return {**_run(asked), "log": lines}


def _run(asked: dict[str, Any]) -> dict[str, Any]:
    factory = (PinnedFactory if asked["pinned"] else Factory)(Config(method=asked["method"]))
    each = [factory.for_stream() for _ in asked["streams"]]
    streams = [
        Stream("load", Address("rtsp", inlet), [Address("rtsp", outlet)], own)
        for (inlet, outlet), own in zip(asked["streams"], each, strict=True)
    ]
    for stream in streams:
        stream.start()
    while not all(stream.status().frames for stream in streams):
        if not all(stream.running for stream in streams):
            return {"error": str([stream.error for stream in streams])}
        time.sleep(0.1)
    began_s, used_s = time.monotonic(), sum(os.times()[:4])
    memory, levels = array("d"), Counter[str]()  # lists would grow by megabytes an hour
    while (passed_s := time.monotonic() - began_s) < asked["seconds"]:
        readings = [stream.status() for stream in streams]
        memory.extend((round(passed_s, 1), round(_resident_mb(), 1)))
        levels.update(one.level for one in readings)
        time.sleep(_SAMPLE_S)
    elapsed_s = time.monotonic() - began_s
    for stream in streams:
        stream.stop()
    return {
        "began_s": began_s,
        "elapsed_s": elapsed_s,
        "cpu_cores": (sum(os.times()[:4]) - used_s) / elapsed_s,
        "memory": list(zip(memory[::2], memory[1::2], strict=True)),
        "levels": dict(levels),
        "streams": [_outcome(stream) for stream in streams],
        "runtimes": {name: one for own in each for name, one in own.runtimes.items()},
    }


def _outcome(stream: Stream) -> dict[str, Any]:
    status = stream.status()
    return {
        "latency_ms": [1000 * one for report in stream.reports for one in report.latency_s],
        "frames": status.frames,
        "dropped": dict(status.dropped),
        "treatments": dict(status.treatments),
        "reconnects": status.reconnects,
        "restarts": status.restarts,
        "uncovered": sum(report.uncovered for report in stream.reports),
        "error": status.error,
    }


def _resident_mb() -> float:
    """Return the resident memory of this process and its children."""
    own = Path("/proc/self/task")
    pids = ["self"]
    for task in own.iterdir():
        with suppress(OSError):  # a thread may end meanwhile
            pids += (task / "children").read_text().split()
    pages = 0
    for pid in pids:
        with suppress(OSError):  # so may a process
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
