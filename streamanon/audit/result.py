"""Findings of an audit over a clip, as numbers and as JSON; no pixels, no embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streamanon.audit.geometry import SAME_SHAPE
from streamanon.audit.judge import RECOGNISED, SAME_PERSON, UNCHANGED, FaceComparison
from streamanon.errors import StreamanonError, counted


@dataclass(frozen=True, slots=True)
class Leak:
    """A face that is not hidden, in a frame of this number, from 0, and time."""

    frame: int
    time_s: float
    comparison: FaceComparison

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        comparison = self.comparison
        return {
            "frame": self.frame,
            "time_s": round(self.time_s, 4),
            "box": [round(float(edge), 1) for edge in comparison.box],
            "unchanged": comparison.unchanged,
            "recognised": comparison.recognised,
            "kept": round(comparison.kept, 3),
            "cosine": None if comparison.cosine is None else round(comparison.cosine, 3),
        }


@dataclass(slots=True)
class AuditResult:
    """Sums up the comparisons of all frames.

    Attributes:
        frame_s: usual duration of a frame, seconds.
        frames: number of frames compared.
        frames_with_face: number of frames whose original shows a face.
        faces: number of comparisons, one per face and frame.
        leaks: faces that are not hidden, in order.
        leaking_frames: (number, seconds) of frames with a leak, in order.
        cosines: cosines of all faces that the recogniser can tell apart.
        kept: structure kept of every face.
        shapes: cosines of the shapes that were compared.
        shown: faces that were left as they are on request, which are in none of the other figures.
    """

    frame_s: float
    frames: int = 0
    frames_with_face: int = 0
    faces: int = 0
    leaks: list[Leak] = field(default_factory=list)
    leaking_frames: list[tuple[int, float]] = field(default_factory=list)
    cosines: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    shapes: list[float] = field(default_factory=list)
    shown: int = 0

    def add(self, time_s: float, comparisons: Sequence[FaceComparison]) -> None:
        """Count the faces of the next frame."""
        leaks = [
            Leak(self.frames, time_s, comparison) for comparison in comparisons if comparison.leaks
        ]
        if leaks:
            self.leaks += leaks
            self.leaking_frames.append((self.frames, time_s))
        self.frames += 1
        self.frames_with_face += bool(comparisons)
        self.faces += len(comparisons)
        self.cosines += [
            comparison.cosine for comparison in comparisons if comparison.cosine is not None
        ]
        self.kept += [comparison.kept for comparison in comparisons]
        self.shapes += [
            comparison.shape for comparison in comparisons if comparison.shape is not None
        ]

    @property
    def warning(self) -> str:
        """What a result that hides every face still gives away, or ""."""
        if not self.shapes or np.mean(self.shapes) < SAME_SHAPE:
            return ""
        return (
            f"faces keep their shape (mean cosine {np.mean(self.shapes):.2f} of "
            f"{counted(len(self.shapes), 'comparison')}, below {SAME_SHAPE} wanted), which can "
            "tell who somebody is without any pixel: `--method anonygan` and `warp` change it, "
            "`mosaic` leaves none"
        )

    @property
    def passed(self) -> bool:
        """True when faces were found and all of them are hidden."""
        return self.faces > 0 and not self.leaks

    @property
    def leak_rate(self) -> float:
        """Frames with a leak over frames with a face, 0..1."""
        self.require_faces()
        return len(self.leaking_frames) / self.frames_with_face

    def require_faces(self) -> None:
        """Distinguish a clip without faces, where nothing was compared, from a clean one.

        Raises:
            StreamanonError: No face was found in the original.
        """
        if not self.faces and self.shown:
            raise StreamanonError(
                f"all {self.shown} faces of ORIGINAL are shown on request: nothing was audited"
            )
        if not self.faces:
            raise StreamanonError(
                f"no face found in ORIGINAL ({self.frames} frames): nothing was audited"
            )

    def longest_leak(self) -> tuple[int, float]:
        """Return the length of the longest run of leaking frames, in frames and in seconds."""
        longest, longest_s = 0, 0.0
        run, start_s, last = 0, 0.0, -2
        for frame, time_s in self.leaking_frames:
            run, start_s = (run + 1, start_s) if frame == last + 1 else (1, time_s)
            last = frame
            if run > longest:
                longest, longest_s = run, time_s - start_s + self.frame_s
        return longest, longest_s

    def to_json(self) -> dict[str, Any]:
        """Return all figures as plain values."""
        rate = self.leak_rate
        frames, seconds = self.longest_leak()
        return {
            "passed": self.passed,
            "frames": self.frames,
            "frames_with_face": self.frames_with_face,
            "faces": self.faces,
            "shown": self.shown,
            "leaking_frames": len(self.leaking_frames),
            "leak_rate": round(rate, 5),
            "unchanged": sum(leak.comparison.unchanged for leak in self.leaks),
            "recognised": sum(leak.comparison.recognised for leak in self.leaks),
            "longest_leak_frames": frames,
            "longest_leak_s": round(seconds, 3),
            "kept_mean": round(float(np.mean(self.kept)), 4),
            "kept_max": round(float(np.max(self.kept)), 4),
            "faces_recogniser_sees": len(self.cosines),
            "cosine_mean": round(float(np.mean(self.cosines)), 4) if self.cosines else None,
            "cosine_max": round(float(np.max(self.cosines)), 4) if self.cosines else None,
            "shapes_compared": len(self.shapes),
            "shape_cosine_mean": round(float(np.mean(self.shapes)), 4) if self.shapes else None,
            "thresholds": {
                "same_shape": SAME_SHAPE,
                "unchanged": UNCHANGED,
                "recognised": RECOGNISED,
                "same_person": SAME_PERSON,
            },
            "leaks": [leak.to_json() for leak in self.leaks],
        }

    def summary(self) -> str:
        """Return the outcome in one line."""
        self.require_faces()
        seen = counted(self.faces, "face")
        closest = f"; cosine to the source at most {max(self.cosines):.2f}" if self.cosines else ""
        if self.shown:
            closest += f"; {self.shown} more shown on request"
        if self.passed:
            faceless = self.frames - self.frames_with_face
            where = counted(self.frames, "frame") + (f" ({faceless} without)" if faceless else "")
            return f"pass: {seen} in {where}, none unchanged, none recognised{closest}"
        number, time_s = self.leaking_frames[0]
        frames, seconds = self.longest_leak()
        unchanged = sum(leak.comparison.unchanged for leak in self.leaks)
        recognised = sum(leak.comparison.recognised for leak in self.leaks)
        return (
            f"FAIL: {len(self.leaking_frames)} of {counted(self.frames_with_face, 'frame')} with a "
            f"face ({100 * self.leak_rate:.1f} %) leak, first frame {number} at {time_s:.2f} s, "
            f"longest {counted(frames, 'frame')} ({seconds:.2f} s); of {seen} {unchanged} "
            f"unchanged, {recognised} recognised{closest}"
        )
