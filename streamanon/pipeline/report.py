"""What a run did, as numbers and as JSON. It holds no pixels, no embeddings and no paths."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from array import array

    from streamanon.pipeline.ledger import Ledger
    from streamanon.pipeline.observer import Seen


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one stage works on one item.

    Attributes:
        p50_ms: median.
        p95_ms: 95th percentile.
        total_s: sum over the run.
    """

    p50_ms: float
    p95_ms: float
    total_s: float


def timing(times_s: array[float]) -> Timing:
    """Summarise the working times of a stage."""
    if not times_s:
        return Timing(0.0, 0.0, 0.0)
    values = np.asarray(times_s)
    p50, p95 = np.percentile(values, [50, 95]) * 1000
    return Timing(round(float(p50), 3), round(float(p95), 3), round(float(values.sum()), 3))


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
        stages: timing by stage name.
    """

    ledger: Ledger
    seen: Seen
    frames_read: int
    frames_dropped: int
    elapsed_s: float
    stages: dict[str, Timing]

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
                "stages": {name: asdict(stage) for name, stage in self.stages.items()},
            },
        }
