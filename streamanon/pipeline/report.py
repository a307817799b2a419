"""What a run did, as numbers and as JSON. It holds no pixels, no embeddings and no paths."""

from __future__ import annotations

from array import array
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from streamanon.pipeline.ledger import Ledger
    from streamanon.pipeline.observer import Seen


def no_times() -> array[float]:
    """Return an empty series of seconds, 4 bytes an entry."""
    return array("f")


@dataclass(frozen=True, slots=True)
class StageTimes:
    """What one stage did with its time: an entry a frame, in order, then those of its closing.

    Attributes:
        worked_s: on the frame.
        waited_s: before that: for room to hand the frame before on, and for this one to come.
    """

    worked_s: array[float] = field(default_factory=no_times)
    waited_s: array[float] = field(default_factory=no_times)

    def to_json(self) -> dict[str, float]:
        """Return a summary."""
        return {
            **_percentiles_ms(self.worked_s),
            "total_s": round(sum(self.worked_s), 3),
            "waited_s": round(sum(self.waited_s), 3),
        }


def _percentiles_ms(times_s: array[float]) -> dict[str, float]:
    """Return the median and the 95th percentile; zeros for nothing."""
    p50, p95 = np.percentile(times_s or [0.0], [50, 95]) * 1000
    return {"p50_ms": round(float(p50), 3), "p95_ms": round(float(p95), 3)}


def uncovered(ledger: Ledger, seen: Seen) -> int:
    """Count what was not hidden: faces and untrusted frames, and frames trusted unseen."""
    return ledger.uncovered + max(0, ledger.trusted - seen.examined)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run.

    Attributes:
        ledger: every track, every step down, what was done.
        seen: what the observer did.
        frames_read: frames that came out of the source.
        frames_dropped: of these, thrown away to keep up with a live source.
        elapsed_s: from start to the closed output.
        stages: times by stage name.
        latency_s: an entry a frame written: since it left the source; in files this includes the
            look-ahead. What the encoder holds back is not part of it.
    """

    ledger: Ledger
    seen: Seen
    frames_read: int
    frames_dropped: int
    elapsed_s: float
    stages: dict[str, StageTimes]
    latency_s: array[float]

    @property
    def uncovered(self) -> int:
        """Faces and untrusted frames that were not hidden; anything but 0 is a failure."""
        return uncovered(self.ledger, self.seen)

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
                "examined": self.seen.examined,
                "with_faces": ledger.with_faces,
                "covered_whole": ledger.whole_frames,
                "damaged": ledger.damaged,
                "released": ledger.frames,
            },
            "faces": {
                "replaced": sum(track.replaced for track in tracks),
                "covered": sum(track.covered for track in tracks),
                "backfilled": self.seen.backfilled,
                "coasted": self.seen.coasted,
            },
            "cuts": self.seen.cuts,
            "failures": {
                "detector": self.seen.detector_failures,
                "mesh": self.seen.mesh_failures,
            },
            "tracks": [asdict(track) for track in tracks],
            "steps_down": [asdict(step) for step in ledger.steps],
            "speed": {
                "elapsed_s": round(self.elapsed_s, 3),
                "frames_per_s": round(self.frames_per_s, 2),
                "latency": _percentiles_ms(self.latency_s),
                "stages": {name: stage.to_json() for name, stage in self.stages.items()},
            },
        }
