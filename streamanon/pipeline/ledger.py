"""Counts what was done to every frame and every face, and what was not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from streamanon.types import Treatment

if TYPE_CHECKING:
    from streamanon.types import SafeFrame, Scene, Treated


@dataclass(slots=True)
class StepDown:
    """A step down the ladder: the same reason for the same subject in consecutive frames.

    A replacement that is not the best its method has to offer is one, too.

    Attributes:
        first: number of the first frame.
        last: number of the last frame.
        track_id: of the subject, or None for the whole frame.
        treatment: what was done.
        reason: why.
    """

    first: int
    last: int
    track_id: int | None
    treatment: str
    reason: str


@dataclass(slots=True)
class TrackSpan:
    """One track from its first frame to its last.

    Attributes:
        id: of the track.
        first: number of its first frame.
        last: number of its last frame.
        identities: names of the identities shown, in order of appearance.
        replaced: frames in which the face was replaced.
        covered: frames in which it was covered instead, alone or with the whole frame.
    """

    id: int
    first: int
    last: int
    identities: list[str] = field(default_factory=list)
    replaced: int = 0
    covered: int = 0


class Ledger:
    """Keeps the books of one run; used by one thread at a time."""

    def __init__(self, keep: int | None = None) -> None:
        """Open empty books.

        Args:
            keep: tracks and steps down kept at least, and about twice as many at most, for
                streams without end; None for all. The counts are of all in any case.
        """
        self._keep = keep
        self.tracks: dict[int, TrackSpan] = {}
        self.steps_down: list[StepDown] = []
        self.people = 0
        self.replaced = 0
        self.covered = 0
        self.frames = 0
        self.with_faces = 0
        self.damaged = 0
        self.whole_frames = 0
        self.uncovered = 0
        self._open: dict[tuple[int | None, str, str], StepDown] = {}

    def record(self, scene: Scene, safe: SafeFrame, *, examined: bool) -> None:
        """Enter one frame: who was in it, against what was done to it.

        Args:
            scene: as it was seen.
            safe: as it is to be shown.
            examined: whether the detector examined the frame; a frame that is trusted without is
                not hidden.
        """
        index = safe.index
        done = {treated.track_id: treated for treated in safe.treated}
        whole = None in done
        self.frames += 1
        self.whole_frames += whole
        self.damaged += scene.frame.damaged
        self.with_faces += bool(scene.subjects)
        trusted = examined and not scene.distrust and not scene.frame.damaged
        self.uncovered += not trusted and not whole
        for subject in scene.subjects:
            track = self._span(subject.track.id, index)
            treated = done.get(track.id)
            if treated is None:
                self.uncovered += not whole
            elif treated.treatment is Treatment.REPLACED:
                track.replaced += 1
                self.replaced += 1
                if treated.identity and treated.identity not in track.identities:
                    track.identities.append(treated.identity)
            else:
                track.covered += 1
                self.covered += 1
        self._enter_steps(index, safe.treated)
        self._forget_the_oldest()

    def _span(self, track_id: int, index: int) -> TrackSpan:
        """Return the entry of a track that is in a frame."""
        track = self.tracks.get(track_id)
        if track is None:
            self.people += 1
            track = self.tracks[track_id] = TrackSpan(track_id, index, index)
        track.last = index
        return track

    def _forget_the_oldest(self) -> None:
        if self._keep is None:
            return
        if len(self.tracks) > 2 * self._keep:
            newest = sorted(self.tracks.values(), key=lambda track: track.last)[-self._keep :]
            self.tracks = {track.id: track for track in newest}
        if len(self.steps_down) > 2 * self._keep:
            del self.steps_down[: -self._keep]

    def _enter_steps(self, index: int, treated: tuple[Treated, ...]) -> None:
        """Lengthen the steps that go on, start the new ones, forget those that ended."""
        still: dict[tuple[int | None, str, str], StepDown] = {}
        for one in treated:
            if not one.reason and one.treatment is Treatment.REPLACED:
                continue
            key = (one.track_id, one.treatment.value, one.reason)
            step = self._open.get(key)
            if step is None:
                step = StepDown(index, index, *key)
                self.steps_down.append(step)
            step.last = index
            still[key] = step
        self._open = still
