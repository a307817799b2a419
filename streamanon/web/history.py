"""Figures of the last minutes, for a page that has just been opened."""

import time
from collections import deque
from typing import Any

from streamanon.live.status import Status

SAMPLE_S = 1.0
"""Seconds between samples."""

_SAMPLES = 180

_FIGURES = ("fps_in", "fps_out", "latency_p50_ms", "latency_p99_ms", "faces")


class History:
    """A bounded list of samples of one stream's figures."""

    def __init__(self) -> None:
        self._samples: deque[dict[str, float]] = deque(maxlen=_SAMPLES)

    def add(self, status: Status) -> None:
        """Take a sample."""
        sample = {name: float(getattr(status, name)) for name in _FIGURES}
        sample["dropped"] = float(sum(status.dropped.values()))
        sample["at"] = round(time.time(), 1)
        self._samples.append(sample)

    def to_json(self) -> dict[str, Any]:
        """Return the samples, oldest first; ``dropped`` counts from the start."""
        return {"sample_s": SAMPLE_S, "samples": list(self._samples)}
