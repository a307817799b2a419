"""What a run did, as numbers and as JSON. It holds no pixels, no embeddings and no paths."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from array import array

    from streamanon.pipeline.ledger import Ledger


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


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run.

    Attributes:
        ledger: every track, every step down, every count.
        frames_read: frames that came out of the source.
        frames_dropped: of these, thrown away to keep up with a live source.
        elapsed_s: from start to the closed output.
        stages: timing by stage name.
        input_sha256: of the input file, or "" when it was not asked for.
        output_sha256: of the output file, or "" when it was not asked for.
    """

    ledger: Ledger
    frames_read: int
    frames_dropped: int
    elapsed_s: float
    stages: dict[str, Timing]
    input_sha256: str = ""
    output_sha256: str = ""

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
            "input_sha256": self.input_sha256,
            "output_sha256": self.output_sha256,
            "uncovered": self.uncovered,
            "frames": {
                "read": self.frames_read,
                "dropped": self.frames_dropped,
                "examined": ledger.examined,
                "with_faces": ledger.with_faces,
                "covered_whole": ledger.whole_frames,
                "damaged": ledger.damaged,
                "released": ledger.frames,
            },
            "faces": {
                "replaced": sum(track.replaced for track in tracks),
                "covered": sum(track.covered for track in tracks),
            },
            "tracks": [asdict(track) for track in tracks],
            "steps_down": [asdict(step) for step in ledger.steps],
            "speed": {
                "elapsed_s": round(self.elapsed_s, 3),
                "frames_per_s": round(self.frames_per_s, 2),
                "stages": {name: asdict(stage) for name, stage in self.stages.items()},
            },
        }
