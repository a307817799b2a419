"""The see stage: from a raw frame to a scene with every face in it, without threads.

Every frame is examined by the detector. Frames wait in a short window before they are released, so
that a face found late can be covered in the frames before (:mod:`streamanon.tracking.look_back`). A
frame that cannot be examined is not trusted and is covered whole.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from streamanon.errors import StageError, error_line
from streamanon.face import landmarks as lm
from streamanon.imaging.boxes import union
from streamanon.protocols import Detector, Mesher
from streamanon.safety.permits import Permissions
from streamanon.safety.policy import is_large
from streamanon.tracking.embedding_sampler import EmbeddingSampler
from streamanon.tracking.finder import Finder, carried, has_kept_still
from streamanon.tracking.kept_faces import KeptFaces
from streamanon.tracking.look_back import PendingFrame, fit_back, search_back
from streamanon.tracking.mouth import MouthFollower
from streamanon.tracking.scene_cuts import CutDetector
from streamanon.tracking.second_opinion import SecondOpinion
from streamanon.tracking.smoothing import FaceSmoother
from streamanon.tracking.tracker import DETECTED_SCORE, SURE_SCORE, Tracker, with_margin
from streamanon.types import Face, Frame, Mesh, Picture, Scene, Subject, Track

LOOK_AHEAD = 12
"""Frames by which a file's frame is held back for faces that are found late."""

WINDOW_BYTES = 192 * 2**20
"""Most bytes of pictures held back; of large pictures, fewer frames."""

TRIES, RETRY_EVERY, RETRY_KNOWN_EVERY = 3, 3, 2
"""Frames in which a mesh is fitted in vain to a face, after which it is tried in every third, or
second if it had one lately."""

DOUBTFUL_EVERY = 6
"""One of so many frames in which a mesh is fitted to what is not certainly a face, if none fits."""

SEARCH_S, SEARCH_EVERY = 0.15, 2
"""Time for which a lost face is searched for in every frame; later in one of so many. Its cover
stays, and the detector goes on looking at the whole frame."""

TURNED_EVERY = 9
"""One of so many frames in which faces without a mesh are tried on their side and upside down."""

KNOWN_S, CARRY_S, STILL_CARRY_S = 1.0, 0.13, 0.35
"""Time for which the last mesh of a face helps to fit the next one, and for which it is carried
along with a face to which none fits, and with a small one that keeps still."""

FADE_S = 0.2
"""Time in which a new face fades into the cover that is about to take its place."""

DOUBTED_AFTER = 2
"""Frames in a row without a mesh after which one counts from the second frame in a row on that it
fits: a single one would flash between covers."""

MAX_FAILURES = 25
"""Consecutive frames on which the detector may fail before the run ends."""


@dataclass(slots=True)
class _Known:
    """A face when the last mesh was fitted to it, which it has, the time, and whether it had none.

    Attributes:
        face: the face, as it was detected.
        mesh: its mesh.
        time_s: time of the frame.
        dropped: whether it was seen without a mesh since.
    """

    face: Face
    mesh: Mesh
    time_s: float
    dropped: bool = False

    def is_carried(self, face: Face, time_s: float) -> bool:
        """Tell whether the mesh still is that of a face to which none fits."""
        return not self.dropped and time_s - self.time_s < self.carry_s(face)

    def carry_s(self, face: Face) -> float:
        """Return the time for which the mesh is carried along."""
        return STILL_CARRY_S if has_kept_still(self.face, face) else CARRY_S


@dataclass(slots=True)
class ObserverStats:
    """Counts of what the observer did, of frames unless stated otherwise.

    Attributes:
        examined: frames examined by the detector.
        births: tracks started.
        backfilled: faces found in frames before the one they were detected in.
        coasted: covers of faces not seen in their frame.
        refuted: what the detector took for a face and was none, or was gone, in a frame each.
        cuts: scene cuts.
        detector_failures: frames the detector failed on.
        mesh_failures: meshes that could not be fitted because the network failed.
        unconfirmed: indices of examined frames not yet asked for by :meth:`was_examined`.
    """

    examined: int = 0
    births: int = 0
    backfilled: int = 0
    coasted: int = 0
    refuted: int = 0
    cuts: int = 0
    detector_failures: int = 0
    mesh_failures: int = 0
    unconfirmed: set[int] = field(default_factory=set)

    def add_examined(self, index: int) -> None:
        """Count a frame that the detector examined."""
        self.examined += 1
        self.unconfirmed.add(index)

    def was_examined(self, index: int) -> bool:
        """Tell once whether a frame was examined; called from any thread."""
        examined = index in self.unconfirmed
        self.unconfirmed.discard(index)
        return examined


class Observer:
    """Turns frames into scenes, in order, delayed by the look-ahead window."""

    def __init__(  # noqa: PLR0913  the parts that see, and what they are asked
        self,
        detector: Detector,
        mesher: Mesher | None = None,
        sampler: EmbeddingSampler | None = None,
        *,
        look_ahead: int | None = None,
        permissions: Permissions | None = None,
        kept: KeptFaces | None = None,
        second: SecondOpinion | None = None,
    ) -> None:
        """Create one for one line of one stream.

        Args:
            detector: finds faces.
            mesher: fits meshes; None where boxes are enough.
            sampler: collects evidence for identities; None where they are not needed.
            look_ahead: frames by which a live frame is held back, in which people are covered until
                they have identities; None for files, where frames wait for these, too, as far as
                memory allows.
            permissions: what may be seen; None for nothing.
            kept: recognises people who may be seen; None if there are none.
            second: tells which tracks are no faces; None to believe the detector.
        """
        self.stats = ObserverStats()
        self._finder = Finder(detector, mesher)
        self._sampler = sampler
        self._waits = look_ahead is None
        self._look_ahead = LOOK_AHEAD if look_ahead is None else look_ahead
        self._permissions, self._kept = permissions or Permissions(), kept
        self._second = second
        self._cuts = CutDetector()
        self._tracker: Tracker | None = None
        self._window: deque[PendingFrame] = deque()
        self._present: set[int] = set()
        self._large: set[int] = set()
        self._meshes: dict[int, _Known] = {}
        self._misfits: dict[int, int] = {}
        self._smoothers: dict[int, FaceSmoother] = {}
        self._mouths: dict[int, MouthFollower] = {}
        self._failures = 0
        self._passing = False

    def fit_meshes(self, *, enabled: bool) -> None:
        """Choose whether faces get meshes and identities from the next frame on."""
        if self._finder.meshes != enabled:
            self._meshes.clear()
            self._misfits.clear()
            self._smoothers.clear()
        self._finder.meshes = enabled

    def push(self, frame: Frame) -> list[Scene]:
        """Examine the next frame and return the scenes that are ready.

        Raises:
            StageError: the detector failed on too many frames in a row.
        """
        self._window.append(self._examine(frame))
        self._look_back()
        size = sum(plane.nbytes for plane in frame.picture.planes)
        most = WINDOW_BYTES // size
        return self._release(min(self._look_ahead, most), most)

    def flush(self) -> list[Scene]:
        """Return the scenes held back, at the end of the stream or when it pauses."""
        return self._release(0, 0)

    def _examine(self, frame: Frame) -> PendingFrame:
        """Find and follow every face of a frame."""
        pending = PendingFrame(frame)
        if frame.permit:
            self._passing = True
            return pending
        if frame.damaged:
            pending.distrust = "damaged frame"
            return pending
        try:
            self._track(pending)
        except Exception as error:
            self._failures += 1
            self.stats.detector_failures += 1
            if self._failures >= MAX_FAILURES:
                failed = f"the detector failed on {self._failures} frames in a row"
                raise StageError("see", f"{failed}: {error_line(error)}") from error
            pending.tracks.clear()
            pending.distrust_detector(error)
            return pending
        self._failures = 0
        self.stats.add_examined(frame.index)
        self.stats.mesh_failures = self._finder.mesh_failures
        if self._second:
            self._second.consider(pending)
        if self._sampler:
            self._sample(pending, self._sampler)
        if self._kept:
            for track in pending.tracks.values():
                self._kept.sample(frame, track)
        return pending

    def _track(self, pending: PendingFrame) -> None:
        """Detect faces, match them to the tracks and fit their meshes."""
        picture, time_s = pending.frame.picture, pending.frame.time_s
        tracker = self._tracker = self._tracker or Tracker(picture.width, picture.height)
        pending.cut = self._cuts.is_cut(picture) or pending.frame.cut or self._passing
        self._passing = False
        followed = tracker.ids
        if pending.cut:
            tracker.reset(picture.width, picture.height)
            self.stats.cuts += 1
        old = tracker.ids
        tracks = tracker.update(self._finder.find_all(picture), time_s)
        for track in sorted(tracks, key=lambda track: track.unseen_s):
            now, known = track, self._meshes.get(track.id)
            if track.unseen_s == 0:
                mesh = self._fitted(picture, track, time_s)
                now = replace(track, face=replace(track.face, mesh=mesh))
            elif track.face.score >= SURE_SCORE and self._is_searched_for(track):
                expected = replace(track.face, mesh=known.mesh if known else None)
                found = pending.search(self._finder, track.id, expected)
                now = tracker.observe(track.id, found, time_s) if found else track
            pending.tracks[track.id] = now
            self._remember(now, time_s)
        self.stats.births += len(tracker.ids - old)
        if self._sampler:
            for track_id in sorted(followed - tracker.ids):
                self._sampler.conclude(track_id, followed)

    def _is_searched_for(self, track: Track) -> bool:
        """Tell whether a lost face is searched for in the newest frame."""
        turn = (self.stats.examined + track.id) % SEARCH_EVERY == 0
        return track.unseen_s < SEARCH_S or turn

    def _remember(self, track: Track, time_s: float) -> None:
        """Remember the mesh that was fitted to a track, and forget one that was too long ago."""
        mesh, known = track.face.mesh, self._meshes.get(track.id)
        if mesh is not None and mesh.presence > 0:
            self._meshes[track.id] = _Known(track.face, mesh, time_s)
        elif known and track.unseen_s == 0 and time_s - known.time_s > KNOWN_S:
            del self._meshes[track.id]
        elif known and mesh is None:
            known.dropped = True

    def _sample(self, pending: PendingFrame, sampler: EmbeddingSampler) -> None:
        """Collect evidence from each face; part tracks that went on over somebody else."""
        picture, time_s = pending.frame.picture, pending.frame.time_s
        for track in list(pending.tracks.values()):
            changed = self._cuts.abrupt
            since_s = sampler.sample(picture, track, time_s, pending.tracks, changed=changed)
            if since_s is not None:
                self._part(track.id, since_s, [*self._window, pending], sampler)

    def _part(
        self, track_id: int, since_s: float, window: list[PendingFrame], sampler: EmbeddingSampler
    ) -> None:
        """Give a track another id from a time on, in the frames held back too."""
        assert self._tracker
        new_id = self._tracker.part(track_id)
        sampler.part(track_id, new_id, window[-1].tracks)
        for pending in window:
            if pending.frame.time_s >= since_s and track_id in pending.tracks:
                track = pending.tracks.pop(track_id)
                pending.tracks[new_id] = replace(track, id=new_id)
        self._misfits[new_id] = self._misfits.pop(track_id, 0)
        if track_id in self._meshes:
            self._meshes[new_id] = self._meshes.pop(track_id)
        self.stats.births += 1

    def _fitted(self, picture: Picture, track: Track, time_s: float) -> Mesh | None:
        """Return the mesh of a face that was detected; None where none fits, or lately none did."""
        if track.face.score < DETECTED_SCORE:
            return None
        tried, known = self._misfits.get(track.id, 0), self._meshes.get(track.id)
        mesh = None
        if self._is_due(track.face, tried, known=known is not None):
            before, upright = known.mesh if known else None, tried % TURNED_EVERY > 0
            mesh = self._finder.fit_mesh(picture, track.face, before, upright=upright)
        shown = known is not None and not known.dropped
        doubted = mesh is not None and tried >= DOUBTED_AFTER and not shown
        self._misfits[track.id] = int(doubted) if mesh else tried + 1
        if mesh is None and known and known.is_carried(track.face, time_s):
            return carried(known.face, track.face)
        return None if doubted else mesh

    def _is_due(self, face: Face, tried: int, *, known: bool) -> bool:
        """Tell whether to fit a mesh to a face to which none fitted in so many frames."""
        if face.score < SURE_SCORE and not known:
            return tried % DOUBTFUL_EVERY == 0
        return tried < TRIES or tried % (RETRY_KNOWN_EVERY if known else RETRY_EVERY) == 0

    def _look_back(self) -> None:
        """Search the frames held back for faces that appeared or reappeared in the newest one."""
        window = list(self._window)[-self._look_ahead - 1 :]
        if len(window) < 2 or window[-1].cut:
            return
        for track_id, track in window[-1].tracks.items():
            if window[-1].sees(track_id) and not window[-2].sees(track_id):
                self.stats.backfilled += search_back(window, track_id, self._finder)
            if track.face.mesh is not None:
                fit_back(window, track_id, self._finder)

    def _release(self, keep: int, most: int) -> list[Scene]:
        """Return the scenes of all but the newest frames, and of none that are to wait.

        Args:
            keep: frames that stay.
            most: frames that may stay because they wait.
        """
        scenes = []
        while len(self._window) > keep:
            if len(self._window) <= most and self._is_to_wait(self._window[0]):
                break
            scenes.append(self._scene(self._window.popleft()))
        self._forget_ended_tracks()
        return scenes

    def _is_to_wait(self, pending: PendingFrame) -> bool:
        """Tell whether a frame shows somebody who is still to get an identity."""
        if self._sampler is None or self._tracker is None or not self._waits:
            return False
        followed = self._tracker.ids
        return any(
            track.face.mesh is not None
            and track.id in followed
            and self._sampler.is_awaited(track.id)
            for track in pending.tracks.values()
        )

    def _believed(self, pending: PendingFrame) -> list[Track]:
        """Return the tracks of the oldest frame held back that may be faces which show."""
        second, tracks = self._second, list(pending.tracks.values())
        if second is None:
            return tracks
        if self._waits:
            for track in tracks:
                second.conclude(track.id, [pending, *self._window])
        believed = [track for track in tracks if second.is_to_hide(pending, track)]
        self.stats.refuted += len(tracks) - len(believed)
        return believed

    def _scene(self, pending: PendingFrame) -> Scene:
        believed = self._believed(pending)
        tracks = [self._smoothed(track, pending.frame.time_s) for track in believed]
        self.stats.coasted += sum(track.unseen_s > 0 for track in tracks)
        frame, size = pending.frame, (pending.frame.picture.width, pending.frame.picture.height)
        kept = self._kept.permits(frame.index, tracks) if self._kept else {}
        permits = {
            track.id: self._permissions.subject(track.cover, size) or kept.get(track.id)
            for track in tracks
        }
        subjects = tuple(
            Subject(track, permit=permits[track.id])
            if permits[track.id]
            else self._subject(track, pending.frame, tracks)
            for track in tracks
        )
        return Scene(frame, subjects, pending.distrust, self._permissions.covers(*size))

    def _subject(self, track: Track, frame: Frame, tracks: Sequence[Track]) -> Subject:
        """Return a track of a frame as a subject, and who it becomes.

        Somebody who is covered hands an identity to nobody new, but does not wear it, either.
        """
        if self._sampler is None:
            return Subject(track)
        if track.face.mesh and not self._is_large(track.id, track.face.mesh):
            track = replace(track, face=replace(track.face, mesh=None))
        assigner, identity = self._sampler.assigner, None
        visible = {one.id for one in tracks}
        drawn = {one.id for one in tracks if one.face.mesh is not None}
        decided = assigner.has_identity(track.id)
        if track.face.mesh is not None and (self._waits or decided):
            identity = assigner.identity_of(track.id, drawn if decided else visible)
        person, glasses = assigner.person_of(track.id), self._sampler.glasses_of(track.id)
        mouth = None
        if identity is not None:
            mouth = self._mouths.setdefault(track.id, MouthFollower())(frame, track)
        faded = self._faded(track, frame.time_s)
        return Subject(track, identity, person, glasses=glasses, mouth=mouth, faded=faded)

    def _is_large(self, track_id: int, mesh: Mesh) -> bool:
        """Tell whether a face is large enough to be replaced, or was so just now."""
        large = is_large(mesh, before=track_id in self._large)
        (self._large.add if large else self._large.discard)(track_id)
        return large

    def _faded(self, track: Track, time_s: float) -> float:
        """Return the share of the cover in what hides a face that is about to be covered."""
        known = self._meshes.get(track.id)
        if not self._window and track.face.mesh and track.face.mesh.presence == 0 and known:
            return min((time_s - known.time_s) / known.carry_s(track.face), 1.0)
        for pending in self._window:
            until_s = pending.frame.time_s - time_s
            if pending.cut or until_s >= FADE_S or track.id not in pending.tracks:
                break
            if pending.tracks[track.id].face.mesh is None:
                return 1 - until_s / FADE_S
        return 0.0

    def _smoothed(self, track: Track, time_s: float) -> Track:
        """Return a track with a smoothed mesh, which its cover contains."""
        mesh = track.face.mesh
        if mesh is None:
            return track
        smoother = self._smoothers.setdefault(track.id, FaceSmoother())
        try:
            smooth = replace(mesh, points=smoother(mesh.points, time_s))
        except ValueError:  # not the shape of a face: covered
            return replace(track, face=replace(track.face, mesh=None))
        cover = union(track.cover, with_margin(lm.face_box_from_mesh(smooth.points)))
        return replace(track, face=replace(track.face, mesh=smooth), cover=cover)

    def _forget_ended_tracks(self) -> None:
        """Drop the state of tracks that are neither followed nor in a frame held back."""
        present = self._tracker.ids if self._tracker else set()
        present.update(*(pending.tracks for pending in self._window))
        for track_id in self._present - present:
            self._smoothers.pop(track_id, None)
            self._mouths.pop(track_id, None)
            self._large.discard(track_id)
            self._meshes.pop(track_id, None)
            self._misfits.pop(track_id, None)
            if self._sampler:
                self._sampler.forget(track_id)
            if self._second:
                self._second.forget(track_id)
            if self._kept:
                self._kept.forget(track_id)
        self._present = present
