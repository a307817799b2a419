"""Streams under load: cameras, a server, the product, a server, players."""

import json
import os
import subprocess
import sys
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import ROOT
from benchmarks.live.player import PlayedFrame
from benchmarks.live.processes import camera, player
from streamanon.errors import StreamanonError
from testkit.servers.rtsp_relay import RtspRelay

WARM_UP_S = 3.0
"""Seconds at the start of each run that are left out."""

_MAX_SAMPLES = 120


@dataclass(frozen=True, slots=True)
class Load:
    """One measurement.

    Attributes:
        clip: numbered clip that every camera plays.
        streams: number of streams in one process.
        method: method of hiding faces.
        seconds: length of the measurement.
        pinned: True to stay at full quality; frames are dropped instead.
    """

    clip: Path
    streams: int
    method: str
    seconds: float
    pinned: bool = False

    def measure(self) -> dict[str, Any]:
        """Run everything and return the figures.

        Raises:
            StreamanonError: a stream failed.
        """
        with ExitStack() as stack:
            inlet, outlet = (stack.enter_context(RtspRelay()) for _ in range(2))
            paths = [f"stream{number}" for number in range(self.streams)]
            urls = [(inlet.url(path), outlet.url(path)) for path in paths]
            sent = [stack.enter_context(camera(one, self.clip)) for one, _ in urls]
            watched = [stack.enter_context(player(one, count_magenta=False)) for _, one in urls]
            load_before = os.getloadavg()[0]
            answer = self._work(urls)
            pairs = [(one.all, two.all) for one, two in zip(sent, watched, strict=True)]
        since_s = answer["began_s"] + WARM_UP_S
        until_s = answer["began_s"] + answer["elapsed_s"]
        glass = [glass_to_glass_ms(*pair, since_s, until_s) for pair in pairs]
        seen = [sum(since_s < one.at_s < until_s for one in two) for _, two in pairs]
        return {
            "streams": self.streams,
            "method": self.method,
            "pinned": self.pinned,
            "seconds": round(answer["elapsed_s"], 1),
            "captured_to_written_ms": percentiles(self._latencies(answer)),
            "glass_to_glass_ms": percentiles([one for stream in glass for one in stream]),
            "fps_sent": round(self._sent_fps(pairs, since_s, until_s), 2),
            "fps_seen": [round(count / (until_s - since_s), 2) for count in seen],
            "frames": sum(one["frames"] for one in answer["streams"]),
            "dropped": _summed([one["dropped"] for one in answer["streams"]]),
            "treatments": _summed([one["treatments"] for one in answer["streams"]]),
            "uncovered": sum(one["uncovered"] for one in answer["streams"]),
            "reconnects": sum(one["reconnects"] for one in answer["streams"]),
            "restarts": sum(one["restarts"] for one in answer["streams"]),
            "levels": _shares(answer["levels"]),
            "cpu_cores": round(answer["cpu_cores"], 2),
            "load_before": round(load_before, 2),
            "memory": _thinned(answer["memory"]),
            "growth_mb_per_hour": growth(answer["memory"]),
            "runtimes": answer["runtimes"],
        }

    def _work(self, urls: Sequence[tuple[str, str]]) -> dict[str, Any]:
        asked = {
            "method": self.method,
            "streams": urls,
            "seconds": self.seconds + WARM_UP_S,
            "pinned": self.pinned,
        }
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.live.worker"],
            cwd=ROOT,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise StreamanonError(f"the streams failed: {done.stderr.strip().splitlines()[-1]}")
        answer: dict[str, Any] = json.loads(done.stdout)
        for problem in filter(None, [answer.get("error"), *_errors(answer)]):
            raise StreamanonError(f"a stream failed: {problem}")
        return answer

    def _latencies(self, answer: dict[str, Any]) -> list[float]:
        """Return the newest 10,000 latencies that the line measured, without the warm-up."""
        share = WARM_UP_S / answer["elapsed_s"]
        each = [stream["latency_ms"] for stream in answer["streams"]]
        return [one for stream in each for one in stream[round(share * len(stream)) :]]

    def _sent_fps(self, pairs: Sequence[Any], since_s: float, until_s: float) -> float:
        counts = [sum(since_s < at < until_s for _, at in sent) for sent, _ in pairs]
        return float(np.mean(counts)) / (until_s - since_s)


def percentiles(values: Sequence[float]) -> dict[str, Any]:
    """Return p50 and p99 with their n; None without values."""
    if not values:
        return {"p50": None, "p99": None, "n": 0}
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": round(float(p50), 2), "p99": round(float(p99), 2), "n": len(values)}


def glass_to_glass_ms(
    sent: Sequence[tuple[int, float]], seen: Sequence[PlayedFrame], since_s: float, until_s: float
) -> list[float]:
    """Return the age of each picture when it was played, identified by its number."""
    times: defaultdict[int, list[float]] = defaultdict(list)
    for number, at_s in sent:
        times[number].append(at_s)
    found = []
    for one in seen:
        before = bisect_right(times[one.number], one.at_s)
        if before and since_s < one.at_s < until_s:
            found.append(1000 * (one.at_s - times[one.number][before - 1]))
    return found


def _errors(answer: dict[str, Any]) -> list[str]:
    return [stream["error"] for stream in answer.get("streams", ())]


def _summed(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    names = dict.fromkeys(name for one in counts for name in one)
    return {name: sum(one.get(name, 0) for one in counts) for name in names}


def _shares(counts: dict[str, int]) -> dict[str, float]:
    return {name: round(count / sum(counts.values()), 3) for name, count in counts.items()}


def _thinned(series: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = max(1, len(series) // _MAX_SAMPLES)
    return list(series[::step])


def growth(series: Sequence[tuple[float, float]]) -> float | None:
    """Return the slope of memory over the second half, in MB an hour."""
    half = series[len(series) // 2 :]
    if len(half) < 10:
        return None
    times, sizes = (np.array(one) for one in zip(*half, strict=True))
    return round(float(np.polyfit(times, sizes, 1)[0]) * 3600, 2)
