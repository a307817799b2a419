"""The see stage: from a raw frame to everybody in it, without threads.

Frames wait in a short window before they are released, so that a face found late can be covered
in the frames before (:mod:`streamanon.tracking.look_back`). Every frame is given to the detector.
A frame that cannot be examined is not trusted: it is covered whole.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from streamanon.errors import StageError, error_line
from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import union
from streamanon.tracking.embedding_sampler import Witness
from streamanon.tracking.finder import Finder
from streamanon.tracking.look_back import Held, search_back
from streamanon.tracking.scene_cuts import CutDetector
from streamanon.tracking.smoothing import FaceSmoother
from streamanon.tracking.tracker import SURE_SCORE, Tracker, with_margin
from streamanon.types import Mesh, Scene, Subject, Track

if TYPE_CHECKING:
    from streamanon.protocols import Detector, Embedder, Mesher
    from streamanon.tracking.identity_assigner import IdentityBook
    from streamanon.types import Frame, Identity

LOOK_AHEAD = 12
"""Frames a file's frame waits for what the next ones show."""

WINDOW_BYTES = 96 * 2**20
"""Most bytes of pictures that wait; large pictures wait for fewer frames."""

MOST_FAILURES = 25
"""Frames in a row the detector may fail on before the run is given up."""


@dataclass(slots=True)
class Seen:
    """What the observer did, in frames unless said otherwise.

    Attributes:
        examined: frames the detector looked at.
        births: tracks that started.
        backfilled: sights of a face entered into frames before it was detected.
        coasted: covers of a face that was not seen in its frame.
        cuts: scene cuts.
        detector_failures: frames the detector failed on.
        mesh_failures: times the mesh network failed.
        looked_at: numbers of the examined frames that :meth:`answers_for` was not asked for yet.
    """

    examined: int = 0
    births: int = 0
    backfilled: int = 0
    coasted: int = 0
    cuts: int = 0
    detector_failures: int = 0
    mesh_failures: int = 0
    looked_at: set[int] = field(default_factory=set)

    def examine(self, index: int) -> None:
        """Note that the detector looked at a frame."""
        self.examined += 1
        self.looked_at.add(index)

    def answers_for(self, index: int) -> bool:
        """Tell whether a frame was examined, and forget it; from any thread."""
        known = index in self.looked_at
        self.looked_at.discard(index)
        return known


class Observer:
    """Turns frames into scenes, in order, delayed by the look-ahead window."""

    def __init__(
        self,
        detector: Detector,
        mesher: Mesher | None = None,
        embedder: Embedder | None = None,
        book: IdentityBook | None = None,
        *,
        look_ahead: int = LOOK_AHEAD,
    ) -> None:
        """Create one for one stream.

        Args:
            detector: finds faces.
            mesher: fits meshes; None where boxes are enough.
            embedder: describes who a face is; None where nobody gets an identity.
            book: decides who gets which identity; None where nobody gets one.
            look_ahead: frames a frame waits before it is released; 0 for live.
        """
        self.seen = Seen()
        self._finder = Finder(detector, mesher)
        self._witness = Witness(embedder, book) if embedder and book else None
        self._look_ahead = look_ahead
        self._cuts = CutDetector()
        self._tracker: Tracker | None = None
        self._window: deque[Held] = deque()
        self._around: set[int] = set()
        self._meshes: dict[int, Mesh] = {}
        self._smoothers: dict[int, FaceSmoother] = {}
        self._failures = 0

    def attend(self, *, meshes: bool) -> None:
        """Choose what the next frames are looked at for.

        Args:
            meshes: faces get meshes and, where there is a book, identities.
        """
        if self._finder.meshes and not meshes:
            self._meshes.clear()
            self._smoothers.clear()
        self._finder.meshes = meshes

    def push(self, frame: Frame) -> list[Scene]:
        """Look at the next frame and return the scenes that are ready.

        Raises:
            StageError: the detector failed on too many frames in a row.
        """
        held = Held(frame, distrust="damaged frame") if frame.damaged else self._examine(frame)
        self._window.append(held)
        self._look_back()
        size = sum(plane.nbytes for plane in frame.picture.planes)
        return self._release(min(self._look_ahead, WINDOW_BYTES // size))

    def flush(self) -> list[Scene]:
        """Return the scenes still waiting, at the end of the stream or when it pauses."""
        return self._release(0)

    def _examine(self, frame: Frame) -> Held:
        """Find everybody in a frame."""
        held = Held(frame)
        try:
            self._follow(held)
        except Exception as error:  # noqa: BLE001  whatever it was: not trusted
            self._distrust(held, error)
            return held
        self._failures = 0
        self.seen.examine(frame.index)
        self.seen.mesh_failures = self._finder.mesh_failures
        if self._witness:
            for track in held.tracks.values():
                self._witness.consider(frame.picture, track)
        return held

    def _distrust(self, held: Held, error: Exception) -> None:
        """Have a frame covered that could not be examined; not again and again."""
        self._failures += 1
        self.seen.detector_failures += 1
        if self._failures >= MOST_FAILURES:
            failed = f"the detector failed on {self._failures} frames in a row"
            raise StageError("see", f"{failed}: {error_line(error)}") from error
        held.tracks.clear()
        held.distrust = f"detector failed: {error_line(error)}"

    def _follow(self, held: Held) -> None:
        """Detect, match to the tracks, fit the meshes."""
        picture, time_s = held.frame.picture, held.frame.time_s
        tracker = self._tracker = self._tracker or Tracker(picture.width, picture.height)
        held.cut = self._cuts.is_cut(picture)
        if held.cut:
            tracker.reset()
            self.seen.cuts += 1
        old = tracker.ids
        tracks = tracker.update(self._finder.everywhere(picture), time_s)
        for track in sorted(tracks, key=lambda track: track.unseen_s):
            before = self._meshes.get(track.id)
            now = track
            if track.unseen_s == 0:
                mesh = self._finder.mesh(picture, track.face, before)
                now = replace(track, face=replace(track.face, mesh=mesh))
            elif track.face.score >= SURE_SCORE:
                found = self._finder.near(picture, replace(track.face, mesh=before))
                if found and not held.shows_another(track.id, found.box):
                    now = tracker.observe(track.id, found, time_s)
            held.tracks[track.id] = now
            if now.face.mesh:
                self._meshes[track.id] = now.face.mesh
            elif now.unseen_s == 0:
                self._meshes.pop(track.id, None)
        self.seen.births += len(tracker.ids - old)

    def _look_back(self) -> None:
        """Search the waiting frames for those who are new, or back, in the last one."""
        window = list(self._window)
        if len(window) < 2 or window[-1].cut:
            return
        for track_id in list(window[-1].tracks):
            if window[-1].sees(track_id) and not window[-2].sees(track_id):
                self.seen.backfilled += search_back(window, track_id, self._finder)

    def _release(self, keep: int) -> list[Scene]:
        """Let go of all but the newest frames."""
        ready = [self._window.popleft() for _ in range(len(self._window) - keep)]
        scenes = [self._scene(held) for held in ready]
        self._forget_the_gone()
        return scenes

    def _scene(self, held: Held) -> Scene:
        tracks = [self._steady(track, held.frame.time_s) for track in held.tracks.values()]
        self.seen.coasted += sum(track.unseen_s > 0 for track in tracks)
        subjects = tuple(Subject(track, self._identity(track, held)) for track in tracks)
        return Scene(held.frame, subjects, held.distrust)

    def _identity(self, track: Track, held: Held) -> Identity | None:
        if self._witness is None or track.face.mesh is None:
            return None
        return self._witness.identity_of(track.id, held.tracks)

    def _steady(self, track: Track, time_s: float) -> Track:
        """Return a track with its mesh smoothed and inside its cover."""
        mesh = track.face.mesh
        if mesh is None:
            return track
        smoother = self._smoothers.setdefault(track.id, FaceSmoother())
        try:
            steady = replace(mesh, points=smoother(mesh.points, time_s))
        except ValueError:  # not a face's shape: covered
            return replace(track, face=replace(track.face, mesh=None))
        cover = union(track.cover, with_margin(lm.face_box_from_mesh(steady.points)))
        return replace(track, face=replace(track.face, mesh=steady), cover=cover)

    def _forget_the_gone(self) -> None:
        """Drop what was kept about tracks that can no longer come up."""
        present = self._tracker.ids if self._tracker else set()
        present.update(*(held.tracks for held in self._window))
        for track_id in self._around - present:
            self._smoothers.pop(track_id, None)
            self._meshes.pop(track_id, None)
            if self._witness:
                self._witness.forget(track_id)
        self._around = present
