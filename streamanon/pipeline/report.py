"""The report of a run. It contains no pixels, no embeddings and no paths."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload

import numpy as np

from streamanon.pipeline.ledger import Ledger
from streamanon.tracking.observer import ObserverStats


class Times(Sequence[float]):
    """A series of times of 4 bytes each: all of them, or the newest and the total of all."""

    def __init__(self, keep: int | None = None) -> None:
        """Create an empty one that keeps up to twice ``keep`` entries; None for all."""
        self._entries, self._keep = array("f"), keep
        self.total_s = 0.0

    def append(self, time_s: float) -> None:
        """Append a time."""
        self._entries.append(time_s)
        self.total_s += time_s
        if self._keep and len(self._entries) >= 2 * self._keep:
            del self._entries[: self._keep]

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, at: int) -> float: ...
    @overload
    def __getitem__(self, at: slice) -> array[float]: ...
    def __getitem__(self, at: int | slice) -> float | array[float]:
        return self._entries[at]

    def percentiles_ms(self) -> dict[str, float]:
        """Return the median and the 95th percentile of the entries kept; zeros when empty."""
        p50, p95 = np.percentile(self._entries or [0.0], [50, 95]) * 1000
        return {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}


class StageTimes:
    """Times of one stage, for each frame in order and then for closing.

    Attributes:
        worked_s: time worked on the frame.
        waited_s: time waited before: to pass on the frame before, and to receive this one.
    """

    def __init__(self, keep: int | None = None) -> None:
        """Create an empty one; see :class:`Times`."""
        self.worked_s, self.waited_s = Times(keep), Times(keep)

    def to_json(self) -> dict[str, float]:
        """Return a summary."""
        return {
            **self.worked_s.percentiles_ms(),
            "total_s": round(self.worked_s.total_s, 3),
            "waited_s": round(self.waited_s.total_s, 3),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run.

    Attributes:
        ledger: tracks, steps down and how faces were hidden.
        observer: counts of what the observer did.
        frames_read: frames yielded by the source.
        frames_dropped: frames read and dropped to keep up with a live source.
        elapsed_s: time from the start until the output was closed.
        stages: times by stage name.
        latency_s: time of each written frame since it left the source, with the look-ahead and
            without the encoder's delay.
        changes: what was converted of a file and what stayed behind, a line for each.

    Of a live stream or a pipe only the newest times, tracks and steps down are kept; totals include
    all.
    """

    ledger: Ledger
    observer: ObserverStats
    frames_read: int
    frames_dropped: int
    elapsed_s: float
    stages: dict[str, StageTimes]
    latency_s: Times
    changes: tuple[str, ...] = ()

    @property
    def uncovered(self) -> int:
        """Faces and untrusted frames that were not hidden; anything but 0 is a failure."""
        return self.ledger.uncovered

    @property
    def frames_per_s(self) -> float:
        """Frames through the whole line a second."""
        return self.ledger.frames / self.elapsed_s if self.elapsed_s else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        ledger = self.ledger
        tracks = sorted(ledger.tracks.values(), key=lambda track: track.id)
        return {
            "uncovered": self.uncovered,
            "frames": {
                "read": self.frames_read,
                "dropped": self.frames_dropped,
                "examined": self.observer.examined,
                "with_faces": ledger.with_faces,
                "covered_whole": ledger.whole_frames,
                "shown": ledger.shown_frames,
                "damaged": ledger.damaged,
                "released": ledger.frames,
            },
            "faces": {
                "tracks": ledger.people,
                "replaced": ledger.replaced,
                "covered": ledger.covered,
                "shown": ledger.shown,
                "methods": dict(ledger.methods),
                "backfilled": self.observer.backfilled,
                "coasted": self.observer.coasted,
                "refuted": self.observer.refuted,
            },
            "changes": list(self.changes),
            "cuts": self.observer.cuts,
            "failures": {
                "detector": self.observer.detector_failures,
                "mesh": self.observer.mesh_failures,
            },
            "tracks": [asdict(track) for track in tracks],
            "steps_down": [asdict(step) for step in ledger.steps_down],
            "speed": {
                "elapsed_s": round(self.elapsed_s, 3),
                "frames_per_s": round(self.frames_per_s, 2),
                "latency": self.latency_s.percentiles_ms(),
                "stages": {name: stage.to_json() for name, stage in self.stages.items()},
            },
        }
