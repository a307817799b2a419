"""A second detector's opinion on what the first one is not sure of.

A detector that hardly misses a face also finds some in a shoe, a cup or hair. A track that it never
was sure of is looked at by another detector, in enlarged crops of several frames, turned four ways.
Where that one sees next to nothing in any of them, the track is refuted: no face. One of the two
being sure of a face, in any frame, proves the track for good.

A face that was lost is looked for in the same way, wherever its cover reaches. Where the second one
does not see it either, it is gone: out of the frame, turned away or behind something. And what the
first one takes for a face in somebody's hair, it has to see, too.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import inf, isinf

import numpy as np

from streamanon.imaging.boxes import centre, iou, share_inside, side
from streamanon.imaging.picture import as_picture, clip_box
from streamanon.protocols import Detector
from streamanon.tracking.look_back import PendingFrame
from streamanon.tracking.tracker import DETECTED_SCORE, DOUBTED_COAST_S
from streamanon.tracking.view import View
from streamanon.types import F32, Track

SURE_SCORE = 0.7
"""Score of the first detector that proves a face."""

SURE_MESH_PX = 80.0
"""Side of the smallest face that a mesh proves: to smaller ones meshes fit whatever they show."""

FAINT_SCORE = 0.15
"""Least score of the first detector that is worth a second opinion.

Of faces of which 30 to 35 % show beside, above or below something, it sees 68 % at 0.3 and 88 % at
this score, of which :data:`FAINT_PROOF` keeps all but a few.
"""

FRAMINGS = (
    (2.5, 160, 1),
    (3.0, 128, -1),
    (4.0, 128, 1),
    (2.5, 160, -1),
    (3.0, 128, 1),
    (4.0, 128, -1),
)
"""Side of a crop in sides of the face, or that of a larger cover, px it is scaled to, and -1 for
mirrored; used in turn."""

PROOF, REFUTED = 0.3, 0.06
"""Mean score of the second detector, over half of LOOKS looks, that proves a face, and over LOOKS
looks below which there is none.

Of 405 faces that YuNet doubts because they are blurred, dark, tilted, half hidden or cut off, 5
stay below in a single picture; of what it takes for a face by mistake, most.
"""

FAINT_PROOF = 0.15
"""Mean score of the second detector below which there is no face where the first one, lately, had
less than :data:`~streamanon.tracking.tracker.DETECTED_SCORE`."""

FAINT_LOOKS = 2
"""Looks after which such a place is refuted where their mean is below :data:`REFUTED`. Of 500 faces
at these scores, small, blurred and half hidden, that more looks would confirm, it refutes none; of
what is no face, four in five."""

FAINTEST_SCORE = 0.02
"""Least score that the second detector is to answer."""

LOOKS = len(FRAMINGS)
"""Looks before a track can be refuted."""

LOOK_EVERY, LATER_EVERY = 2, 3
"""A track is looked at in one of so many frames that see it, and when it is refuted."""

MOST_LOOKS = 3
"""Most looks in one frame."""

HAIR_PROOF = 0.2
"""Mean score of the second detector below which there is no face in hair, whatever the first says.

Of 170 faces that look out from behind another's head, none stays below it; hair mostly does.
"""

HAIR = (-0.3, -0.9, 1.3, -0.1)
"""Box, in widths and heights of a face from its upper left corner, that is its hair."""

HAIR_SIDE = 0.4
"""Least side of what may be hair, in sides of the face; smaller faces are far behind it."""

GONE_AFTER_S = 0.2
"""A face lost for less than this time is covered, whatever was seen."""

SAME_PLACE = 0.1
"""Overlap (IoU) from which a track that appears where a proven one was lost is proven, too."""

SAME_AS_OTHER = 0.8
"""Share of a lost face within one that a frame sees, from which it is that one: two parts of a face
beside a thing in front of it are two faces, and one when the thing has gone."""


@dataclass(slots=True)
class _Looks:
    """In how many frames there was something to look at, and the second detector's newest scores.

    Attributes:
        least: mean score below which there was next to nothing.
    """

    least: float = REFUTED
    frames: int = 0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKS))

    @property
    def found_nothing(self) -> bool:
        """Whether there was next to nothing in enough looks."""
        return self.is_below(self.least)

    def is_below(self, least: float) -> bool:
        """Tell whether the mean of enough looks is below a score."""
        return len(self.scores) == LOOKS and float(np.mean(self.scores)) < least

    @property
    def hardly_found(self) -> bool:
        """Whether there was next to nothing in the first looks."""
        return len(self.scores) >= FAINT_LOOKS and float(np.mean(self.scores)) < REFUTED

    def settle(self) -> None:
        """Take it that more looks would have scored as those so far."""
        missing = LOOKS - len(self.scores)
        self.scores.extend([float(np.mean(self.scores))] * missing)

    @property
    def due(self) -> bool:
        """Whether it is time for another."""
        return self.frames % (LATER_EVERY if self.found_nothing else LOOK_EVERY) == 1


@dataclass(slots=True)
class _Evidence:
    """Whether a track certainly is a face, and the looks that may tell that it is none.

    Attributes:
        detected_s: when the first detector last saw it, not only what may be a face.
        proven: whether it certainly was a face in any frame.
        whole: looks at what is not proven to be a face.
        in_hair: looks since the track lies in somebody's hair, proven or not.
        lost: looks since a proven face was lost.
    """

    detected_s: float = -inf
    proven: bool = False
    whole: _Looks = field(default_factory=_Looks)
    in_hair: _Looks = field(default_factory=lambda: _Looks(HAIR_PROOF))
    lost: _Looks = field(default_factory=_Looks)


class SecondOpinion:
    """Tells which tracks show no face; for one line of one stream."""

    def __init__(self, detector: Detector) -> None:
        """Take the second detector; it answers faces from :data:`FAINTEST_SCORE` on."""
        self._detector = detector
        self._evidence: dict[int, _Evidence] = {}
        self._framings = cycle(FRAMINGS)

    def consider(self, pending: PendingFrame) -> None:
        """Look at the tracks of the newest frame that are doubtful or lost, and due."""
        self._take_note(pending)
        lost: list[tuple[_Looks, Track]] = []
        others: list[tuple[_Looks, Track]] = []
        for track in pending.tracks.values():
            looks = self._asked(pending, track)
            is_lost = looks is not None and looks is self._evidence[track.id].lost
            if looks and (is_lost or pending.sees(track.id)):
                looks.frames += 1
                if looks.due:
                    (lost if is_lost else others).append((looks, track))
        for due in (lost, others):
            due.sort(key=lambda one: len(one[0].scores))
        for looks, track in [*lost, *others][:MOST_LOOKS]:  # covers of lost faces are the largest
            self._look(pending, track, looks)

    def conclude(self, track_id: int, window: Sequence[PendingFrame]) -> None:
        """Look at a doubtful track until it is judged, before the first frame of a window is out.

        Frames are held back, oldest first; those that do not see the track are left out. Where a
        face is seen upright, it is not looked for on its side, nor in all views.
        """
        evidence = self._evidence.get(track_id)
        frames = [pending for pending in window if pending.sees(track_id)]
        if evidence is None or evidence.proven or not frames:
            return
        if any(pending.tracks[track_id].face.score >= SURE_SCORE for pending in frames):
            evidence.proven = True  # found by looking back
        if isinf(evidence.detected_s):
            self._conclude_faint(track_id, frames)
            return
        whole, views = evidence.whole, list[View]()
        enough = LOOKS * _least(window[0], evidence, whole)

        def is_enough() -> bool:
            scores = [*whole.scores, *(view.score for view in views)]
            return len(scores) >= LOOKS // 2 and sum(scores) >= enough

        for pending in islice(cycle(frames), max(LOOKS - len(whole.scores), 0)):
            if evidence.proven or is_enough():
                break
            track = pending.tracks[track_id]
            views.append(self._view(pending, track, track.face.box))
            self._see(views[-1], ways=1)
        while views:
            if not (evidence.proven or is_enough()):
                self._see(views[0], _ways(evidence))
            _add(views.pop(0).score, evidence, whole)

    def _conclude_faint(self, track_id: int, frames: Sequence[PendingFrame]) -> None:
        """Look at what never was more than faint, until it is judged."""
        evidence = self._evidence[track_id]
        for pending in islice(cycle(frames), max(LOOKS - len(evidence.whole.scores), 0)):
            scores = evidence.whole.scores
            enough = len(scores) >= LOOKS // 2 and sum(scores) >= LOOKS * FAINT_PROOF
            if evidence.proven or enough or evidence.whole.hardly_found:
                break
            self._look(pending, pending.tracks[track_id], evidence.whole)
        if evidence.whole.hardly_found:
            evidence.whole.settle()

    def is_to_hide(self, pending: PendingFrame, track: Track) -> bool:
        """Tell whether a track of a frame may be a face that shows."""
        looks = self._asked(pending, track)
        if looks is None:
            return True
        evidence = self._evidence[track.id]
        lost = looks is evidence.lost
        if lost and track.unseen_s <= GONE_AFTER_S:
            return True
        faint = isinf(evidence.detected_s) and looks is evidence.whole
        refuted = looks.is_below(_least(pending, evidence, looks)) or (faint and looks.hardly_found)
        return not (refuted or (lost and self._is_in_a_face(pending, track)))

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended."""
        self._evidence.pop(track_id, None)

    def _take_note(self, pending: PendingFrame) -> None:
        """Note which tracks a frame proves, and which are where they were before."""
        seen = [track for key, track in pending.tracks.items() if pending.sees(key)]
        lost = [
            track.face.box
            for key, track in pending.tracks.items()
            if not pending.sees(key) and self._is_proven(key)
        ]
        for track in seen:
            evidence = self._evidence.setdefault(track.id, _Evidence())
            box, mesh, score = track.face.box, track.face.mesh, track.face.score
            fitted = mesh is not None and side(box) >= SURE_MESH_PX
            detected = score >= DETECTED_SCORE
            follows = detected and any(iou(box, other) > SAME_PLACE for other in lost)
            evidence.proven = evidence.proven or score >= SURE_SCORE or fitted or follows
            evidence.lost = _Looks()
            if detected:
                if isinf(evidence.detected_s):
                    evidence.whole = _Looks()
                evidence.detected_s = pending.frame.time_s
        for track in seen:
            if not self._is_in_hair(pending, track):
                self._evidence[track.id].in_hair = _Looks(HAIR_PROOF)

    def _is_proven(self, track_id: int) -> bool:
        """Tell whether a track certainly is a face."""
        return track_id in self._evidence and self._evidence[track_id].proven

    def _asked(self, pending: PendingFrame, track: Track) -> _Looks | None:
        """Return the looks that decide about a track in a frame; None where it is believed."""
        evidence = self._evidence.get(track.id)
        if evidence is None:
            return None
        if self._is_in_hair(pending, track):
            return evidence.in_hair
        if not evidence.proven:
            return evidence.whole
        return None if pending.sees(track.id) else evidence.lost

    def _others(self, pending: PendingFrame, track: Track) -> list[Track]:
        """Return the other tracks that a frame sees and that certainly are faces."""
        return [
            other
            for key, other in pending.tracks.items()
            if key != track.id and pending.sees(key) and self._is_proven(key)
        ]

    def _is_in_a_face(self, pending: PendingFrame, track: Track) -> bool:
        """Tell whether nearly all of a track lies where a frame sees another face."""
        box = track.face.box
        return any(
            share_inside(box, other.face.box) > SAME_AS_OTHER
            for other in self._others(pending, track)
        )

    def _is_in_hair(self, pending: PendingFrame, track: Track) -> bool:
        """Tell whether what a frame sees lies in the hair of another face, and has no mesh."""
        if not pending.sees(track.id) or track.face.mesh is not None:
            return False
        x, y = centre(track.face.box).tolist()
        least = side(track.face.box) / HAIR_SIDE
        for other in self._others(pending, track):
            x0, y0, x1, y1 = other.face.box.tolist()  # faster than NumPy on four numbers
            across, down = (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)
            inside = HAIR[0] < across < HAIR[2] and HAIR[1] < down < HAIR[3]
            if inside and side(other.face.box) < least:
                return True
        return False

    def _look(self, pending: PendingFrame, track: Track, looks: _Looks) -> None:
        """Add the score of a look at a track; enough that see a face prove it."""
        evidence = self._evidence[track.id]
        where = track.cover if looks is evidence.lost else track.face.box
        view = self._view(pending, track, where)
        self._see(view, _ways(evidence))
        _add(view.score, evidence, looks)

    def _view(self, pending: PendingFrame, track: Track, where: F32) -> View:
        """Return the next view of a track, whose face may be anywhere in a (4,) box."""
        times, side_px, mirrored = next(self._framings)
        others = [
            other.face.box
            for other in self._others(pending, track)
            if not self._is_in_hair(pending, other)
        ]
        reach = np.float32(max(times * side(track.face.box), *(where[2:] - where[:2])))
        around = np.concatenate([centre(where) - reach / 2, centre(where) + reach / 2])
        x0, y0, x1, y1 = clipped = clip_box(pending.frame.picture, around.astype(np.float32))
        scale = side_px / float(reach)
        size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        return View(pending.frame.picture, clipped, size, mirrored, where, others)

    def _see(self, view: View, ways: int) -> None:
        """Look for a face in a view, in so many directions in which it may lie."""
        try:
            while view.turns < ways and view.score < PROOF:
                faces = self._detector.detect(as_picture(view.turned()))
                view.note(faces)
        except Exception:  # noqa: BLE001  any failure: the track stays covered
            view.score = 1.0


def _ways(evidence: _Evidence) -> int:
    """Return the number of directions in which a face may lie."""
    return 1 if isinf(evidence.detected_s) else 4


def _least(pending: PendingFrame, evidence: _Evidence, looks: _Looks) -> float:
    """Return the mean score below which looks show next to nothing, in a frame."""
    faint = pending.frame.time_s - evidence.detected_s > DOUBTED_COAST_S
    return FAINT_PROOF if faint and looks is evidence.whole else looks.least


def _add(score: float, evidence: _Evidence, looks: _Looks) -> None:
    """Add the score of a look; enough that see a face prove it."""
    looks.scores.append(score)
    newest = list(evidence.whole.scores)[-LOOKS // 2 :]
    sure = len(newest) == LOOKS // 2 and float(np.mean(newest)) >= PROOF
    evidence.proven = evidence.proven or sure
