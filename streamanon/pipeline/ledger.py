"""Counts how every frame and every face was hidden, and which were not."""

from collections import Counter
from dataclasses import dataclass, field

from streamanon.types import SafeFrame, Scene, Treated, Treatment


@dataclass(slots=True)
class StepDown:
    """A lower quality than the best, of one subject for one reason in consecutive frames.

    A replacement of lower quality than its method's best counts as well.

    Attributes:
        first: index of the first frame.
        last: index of the last frame.
        track_id: track of the subject, or None for the whole frame.
        treatment: method that hid it.
        reason: why it was not hidden in a better way.
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
        id: track id.
        first: index of its first frame.
        last: index of its last frame.
        identities: names of the identities shown, in order of appearance.
        replaced: frames in which the face was replaced.
        covered: frames in which it was covered, alone or with the whole frame.
        shown: frames in which it was left as it is, with a permit.
    """

    id: int
    first: int
    last: int
    identities: list[str] = field(default_factory=list)
    replaced: int = 0
    covered: int = 0
    shown: int = 0


class Ledger:
    """Counts the frames and faces of one run; used by one thread at a time.

    Attributes:
        methods: faces by the method that drew their replacement, or by treatment without one.
    """

    def __init__(self, keep: int | None = None) -> None:
        """Create an empty one. Counts include what is not kept.

        Of streams without end it keeps up to twice ``keep`` tracks and steps down; None for all.
        """
        self._keep = keep
        self.tracks: dict[int, TrackSpan] = {}
        self.steps_down: list[StepDown] = []
        self.people = 0
        self.replaced = 0
        self.covered = 0
        self.shown = self.shown_frames = 0
        self.methods: Counter[str] = Counter()
        self.frames = 0
        self.with_faces = 0
        self.damaged = 0
        self.whole_frames = 0
        self.uncovered = 0
        self._open: dict[tuple[int | None, str, str], StepDown] = {}

    def record(self, scene: Scene, safe: SafeFrame, *, examined: bool) -> None:
        """Count one frame, and what of its scene was not hidden.

        One that the detector did not examine, and that is not covered whole, counts as uncovered.
        """
        index = safe.index
        self.frames += 1
        if scene.frame.permit:
            self.shown_frames += 1
            return
        done = {treated.track_id: treated for treated in safe.treated}
        whole = None in done
        self.whole_frames += whole
        self.damaged += scene.frame.damaged
        self.with_faces += bool(scene.subjects)
        trusted = examined and not scene.distrust and not scene.frame.damaged
        self.uncovered += not trusted and not whole
        for subject in scene.subjects:
            track = self._span(subject.track.id, index)
            treated = done.get(track.id)
            if treated is None or (treated.treatment is Treatment.SHOWN and not subject.permit):
                self.uncovered += not whole
            elif treated.treatment is Treatment.SHOWN:
                track.shown += 1
                self.shown += 1
            elif treated.treatment is Treatment.REPLACED:
                track.replaced += 1
                self.replaced += 1
                if treated.identity and treated.identity not in track.identities:
                    track.identities.append(treated.identity)
            else:
                track.covered += 1
                self.covered += 1
        self.methods.update(one.hidden_by for one in safe.treated if one.track_id is not None)
        self._add_steps_down(index, safe.treated)
        self._drop_oldest()

    def _span(self, track_id: int, index: int) -> TrackSpan:
        """Return the span of a track, extended to a frame."""
        track = self.tracks.get(track_id)
        if track is None:
            self.people += 1
            track = self.tracks[track_id] = TrackSpan(track_id, index, index)
        track.last = index
        return track

    def _drop_oldest(self) -> None:
        if self._keep is None:
            return
        if len(self.tracks) > 2 * self._keep:
            newest = sorted(self.tracks.values(), key=lambda track: track.last)[-self._keep :]
            self.tracks = {track.id: track for track in newest}
        if len(self.steps_down) > 2 * self._keep:
            del self.steps_down[: -self._keep]

    def _add_steps_down(self, index: int, treated: tuple[Treated, ...]) -> None:
        """Extend the steps down that continue, and start new ones."""
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
