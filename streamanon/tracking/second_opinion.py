"""A second detector's opinion on what the first one is not sure of.

A detector that hardly misses a face also finds some in a shoe, a cup or hair. A track that it never
was sure of is looked at by another detector, in enlarged crops of several frames, turned four ways.
Where that one sees next to nothing in any of them, the track is refuted: no face. One of the two
being sure of a face, in any frame, proves the track for good.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import TYPE_CHECKING

import numpy as np

from streamanon.imaging.boxes import centre, iou, share_inside, side
from streamanon.imaging.picture import as_picture, clip_box, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.protocols import Detector
    from streamanon.tracking.look_back import PendingFrame
    from streamanon.types import F32, Picture, Track

SURE_SCORE = 0.7
"""Score of the first detector that proves a face."""

SURE_MESH_PX = 80.0
"""Side of the smallest face that a mesh proves: to smaller ones meshes fit whatever they show."""

FRAMINGS = (
    (2.5, 160, 1),
    (3.0, 128, -1),
    (4.0, 128, 1),
    (2.5, 160, -1),
    (3.0, 128, 1),
    (4.0, 128, -1),
)
"""Side of a crop in sides of the face, px it is scaled to, and -1 for mirrored; used in turn."""

PROOF, REFUTED = 0.3, 0.06
"""Mean score of the second detector, over half of LOOKS looks, that proves a face, and over LOOKS
looks below which there is none.

Of 405 faces that YuNet doubts because they are blurred, dark, tilted, half hidden or cut off, 5
stay below in a single picture; of what it takes for a face by mistake, most.
"""

FAINTEST_SCORE = 0.02
"""Least score that the second detector is to answer."""

LOOKS = len(FRAMINGS)
"""Looks before a track can be refuted."""

LOOK_EVERY, LATER_EVERY = 2, 3
"""A track is looked at in one of so many frames that see it, and when it is refuted."""

MOST_LOOKS = 2
"""Most looks in one frame."""

SAME_PLACE = 0.1
"""Overlap (IoU) from which a track that appears where a proven one was lost is proven, too."""

SAME_FACE = 0.3
"""Overlap (IoU) from which the second detector sees the same face, if not by its middle."""

OTHER_FACE = 0.5
"""Overlap with a proven face from which the second detector sees that one: IoU, or what it found in
a turned crop, where it takes parts of upright faces for one, within that face."""


@dataclass(slots=True)
class _Evidence:
    """Whether a track certainly is a face, how many frames saw it, and the newest second scores."""

    proven: bool = False
    frames: int = 0
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKS))

    @property
    def refuted(self) -> bool:
        """Whether it is no face."""
        full = len(self.scores) == LOOKS
        return not self.proven and full and float(np.mean(self.scores)) < REFUTED

    @property
    def due(self) -> bool:
        """Whether it is to be looked at in this frame."""
        return not self.proven and self.frames % (LATER_EVERY if self.refuted else LOOK_EVERY) == 1

    def add(self, score: float) -> None:
        """Add the score of a look."""
        self.scores.append(score)
        newest = list(self.scores)[-LOOKS // 2 :]
        self.proven = len(newest) == LOOKS // 2 and float(np.mean(newest)) >= PROOF


class SecondOpinion:
    """Tells which tracks are no faces; for one line of one stream."""

    def __init__(self, detector: Detector) -> None:
        """Take the second detector; it answers faces from :data:`FAINTEST_SCORE` on."""
        self._detector = detector
        self._evidence: dict[int, _Evidence] = {}
        self._framings = cycle(FRAMINGS)

    def consider(self, pending: PendingFrame) -> None:
        """Look at the doubtful tracks of the newest frame that are due."""
        seen = [track for key, track in pending.tracks.items() if pending.sees(key)]
        for track in seen:
            self._take_note(track)
        lost = [
            track.face.box
            for key, track in pending.tracks.items()
            if not pending.sees(key) and self.is_proven(key)
        ]
        for track in seen:
            if any(iou(track.face.box, box) > SAME_PLACE for box in lost):
                self._evidence[track.id].proven = True
        due = [track for track in seen if self._evidence[track.id].due]
        due.sort(key=lambda track: len(self._evidence[track.id].scores))
        for track in due[:MOST_LOOKS]:
            self._look(pending, track)

    def conclude(self, track_id: int, window: Sequence[PendingFrame]) -> None:
        """Look at a doubtful track until it is judged, before the first frame of a window is out.

        Frames are held back, oldest first; those that do not see the track are left out.
        """
        evidence = self._evidence.get(track_id)
        frames = [pending for pending in window if pending.sees(track_id)]
        if evidence is None or evidence.proven or not frames:
            return
        if any(pending.tracks[track_id].face.score >= SURE_SCORE for pending in frames):
            evidence.proven = True  # found by looking back
        missing = LOOKS - len(evidence.scores)
        for pending in islice(cycle(frames), max(missing, 0)):
            if not evidence.proven:
                self._look(pending, pending.tracks[track_id])

    def is_proven(self, track_id: int) -> bool:
        """Tell whether a track certainly is a face."""
        return track_id in self._evidence and self._evidence[track_id].proven

    def is_refuted(self, track_id: int) -> bool:
        """Tell whether a track is no face; False for one that is not known."""
        return track_id in self._evidence and self._evidence[track_id].refuted

    def forget(self, track_id: int) -> None:
        """Drop a track that has ended."""
        self._evidence.pop(track_id, None)

    def _take_note(self, track: Track) -> None:
        """Count a frame that sees a track, and what proves it there."""
        evidence = self._evidence.setdefault(track.id, _Evidence())
        evidence.frames += 1
        fitted = track.face.mesh is not None and side(track.face.box) >= SURE_MESH_PX
        evidence.proven = evidence.proven or track.face.score >= SURE_SCORE or fitted

    def _look(self, pending: PendingFrame, track: Track) -> None:
        others = [
            other.face.box
            for key, other in pending.tracks.items()
            if key != track.id and pending.sees(key) and self.is_proven(key)
        ]
        try:
            score = self._score(pending.frame.picture, track.face.box, others)
        except Exception:  # noqa: BLE001  any failure: the track stays covered
            score = 1.0
        self._evidence[track.id].add(score)

    def _score(self, picture: Picture, box: F32, others: Sequence[F32]) -> float:
        """Return the best score of a face in a box, 0..1, that is not one of the others."""
        times, side_px, mirrored = next(self._framings)
        half = np.float32(times * side(box) / 2)
        around = np.concatenate([centre(box) - half, centre(box) + half]).astype(np.float32)
        x0, y0, x1, y1 = clipped = clip_box(picture, around)
        scale = side_px / (times * side(box))
        size = max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))
        image = shrink(picture, clipped, size)[:, ::mirrored]
        to_frame = np.tile(np.array([x1 - x0, y1 - y0], np.float32) / size, 2)
        best = 0.0
        for turns in range(4):  # it sees upright faces only
            overlap = share_inside if turns else iou
            turned = np.ascontiguousarray(np.rot90(image, turns))
            for face in self._detector.detect(as_picture(turned)):
                low_x, low_y, high_x, high_y = _turned_back(face.box, turned.shape[:2], turns)
                if mirrored < 0:
                    low_x, high_x = size[0] - high_x, size[0] - low_x
                placed = np.array([low_x, low_y, high_x, high_y]) * to_frame + (x0, y0, x0, y0)
                found = placed.astype(np.float32)
                is_other = any(overlap(found, other) > OTHER_FACE for other in others)
                if not is_other and _is_at(found, box):
                    best = max(best, face.score)
            if best >= PROOF:
                break
        return best


def _turned_back(box: F32, shape: tuple[int, int], turns: int) -> tuple[float, ...]:
    """Return a box of a picture of this shape, turned left so often, as one of the upright one."""
    x0, y0, x1, y1 = box.tolist()
    height, width = shape
    for _ in range(turns):
        x0, y0, x1, y1 = height - y1, x0, height - y0, x1
        height, width = width, height
    return x0, y0, x1, y1


def _is_at(found: F32, box: F32) -> bool:
    """Tell whether a face lies where another detector saw one."""
    middle = centre(found)
    inside = bool((middle > box[:2]).all() and (middle < box[2:]).all())
    return inside or iou(found, box) > SAME_FACE
