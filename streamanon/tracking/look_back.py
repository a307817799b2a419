"""Covers a face in the frames before it was detected, while these are held back.

A detector finds a face late that is half in the frame, blurred or turned away. So every face that
is new, or back after it was lost, is searched for in the frames before, with a closer look than the
one that missed it. Where it is found, it is added to the frame; between two finds, its box is
interpolated; before the first find, a growing cover stays for a few frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from streamanon.errors import error_line
from streamanon.imaging.boxes import centre, iou, union
from streamanon.tracking.finder import Finder, carried
from streamanon.tracking.tracker import DETECTED_SCORE, reach_edge, seen_cover, unseen_cover
from streamanon.types import F32, Face, Frame, Track

PATIENCE = 4
"""Consecutive misses that end the search, and frames covered before the first find."""

BRIDGED_S = 0.2
"""Longest time between two meshes of a face that is seen throughout, in which it keeps the later
one."""

SAME_FACE = 0.5
"""Overlap (IoU) above which two boxes of one frame are the same face."""


@dataclass(slots=True)
class PendingFrame:
    """A frame in the look-ahead window.

    Attributes:
        frame: raw frame.
        distrust: why the whole frame must be covered, or "".
        cut: True for the first frame of a shot.
        tracks: tracks in the frame, by id.
    """

    frame: Frame
    distrust: str = ""
    cut: bool = False
    tracks: dict[int, Track] = field(default_factory=dict)

    def distrust_detector(self, error: Exception) -> None:
        """Have the whole frame covered, because the detector failed on it."""
        self.distrust = f"detector failed: {error_line(error)}"

    def sees(self, track_id: int) -> bool:
        """Tell whether a track was observed, not only predicted, in this frame."""
        track = self.tracks.get(track_id)
        return track is not None and track.unseen_s == 0.0

    def search(self, finder: Finder, track_id: int, expected: Face) -> Face | None:
        """Return the face of a track near its expected place, unless it is another track's."""
        found = finder.find_near(self.frame.picture, expected)
        if found is None:
            return None
        others = (
            track.face for key, track in self.tracks.items() if key != track_id and self.sees(key)
        )
        return None if any(iou(other.box, found.box) > SAME_FACE for other in others) else found

    def seen_cover(self, box: F32) -> F32:
        """Return the cover of a face seen in this frame."""
        return seen_cover(box, self.frame.picture.width, self.frame.picture.height)

    def reach_edge(self, cover: F32) -> F32:
        """Return a cover stretched to the frame edge if it is close to it."""
        return reach_edge(cover, self.frame.picture.width, self.frame.picture.height)

    def add_unseen(self, track_id: int, box: F32, cover: F32, unseen_s: float) -> None:
        """Add a track that is not seen in this frame, but probably in it."""
        self.tracks[track_id] = Track(track_id, Face(box, 0.0), self.reach_edge(cover), unseen_s)


def search_back(window: Sequence[PendingFrame], track_id: int, finder: Finder) -> int:
    """Add a track that is seen in the last frame of a window to the frames before.

    What only may be a face is not searched for.

    Returns:
        The number of frames in which the face was found. A frame that could not be searched is not
        trusted any more.
    """
    position = len(window) - 1
    known = {position: window[position].tracks[track_id].face}
    finds, misses = 0, 0 if known[position].score >= DETECTED_SCORE else PATIENCE
    while position > 0 and not window[position].cut:
        position -= 1
        pending = window[position]
        if pending.sees(track_id):
            known[position] = pending.tracks[track_id].face
            break
        if pending.distrust or misses >= PATIENCE:
            continue
        try:
            face = pending.search(finder, track_id, _expected(known, position))
        except Exception as error:  # noqa: BLE001  any failure: the frame is not trusted
            pending.distrust_detector(error)
            continue
        if face is None:
            misses += 1
        else:
            known[position], misses, finds = face, 0, finds + 1
            pending.tracks[track_id] = Track(track_id, face, pending.seen_cover(face.box))
    positions = sorted(known)
    for earlier, later in pairwise(positions):
        _interpolate(window[earlier : later + 1], track_id)
    _cover_before(window[: positions[0] + 1], track_id)
    return finds


def fit_back(window: Sequence[PendingFrame], track_id: int, finder: Finder) -> None:
    """Fit a mesh to a face in the frames of a window before the last, which has one.

    It ends where the face has a mesh or is not seen, and where none fits; there the mesh is carried
    along through a short gap.
    """
    for position in range(len(window) - 1, 0, -1):
        later, pending = window[position], window[position - 1]
        if later.cut or pending.distrust or not pending.sees(track_id):
            break
        track, known = pending.tracks[track_id], later.tracks[track_id].face.mesh
        if track.face.mesh is not None or track.face.score < DETECTED_SCORE:
            break
        mesh = finder.fit_mesh(pending.frame.picture, track.face, known, upright=True)
        if mesh is None:
            _bridge(window[: position + 1], track_id)
            break
        pending.tracks[track_id] = replace(track, face=replace(track.face, mesh=mesh))


def _bridge(window: Sequence[PendingFrame], track_id: int) -> None:
    """Carry the mesh of a face in the last frame along to the newest one that has one, if near."""
    last, gap = window[-1], dict[int, Face]()
    known = last.tracks[track_id].face
    for position in range(len(window) - 2, -1, -1):
        pending = window[position]
        far = last.frame.time_s - pending.frame.time_s > BRIDGED_S
        if far or window[position + 1].cut or pending.distrust or not pending.sees(track_id):
            return
        face = pending.tracks[track_id].face
        if face.mesh is not None:
            break
        mesh = carried(known, face)
        if mesh is None:
            return
        gap[position] = replace(face, mesh=mesh)
    else:
        return
    for position, face in gap.items():
        tracks = window[position].tracks
        tracks[track_id] = replace(tracks[track_id], face=face)


def _expected(known: dict[int, Face], position: int) -> Face:
    """Return the earliest known face, extrapolated from the motion between the two earliest."""
    first, *rest = sorted(known)
    face = known[first]
    if not rest:
        return face
    speed = (centre(known[rest[0]].box) - centre(face.box)) / np.float32(rest[0] - first)
    away = -speed * np.float32(min(first - position, 3))
    return replace(face, box=np.asarray(face.box + np.tile(away, 2), np.float32))


def _interpolate(window: Sequence[PendingFrame], track_id: int) -> None:
    """Interpolate a track between the first and the last frame of a window, which see it."""
    start, end = window[0], window[-1]
    before, after = start.tracks[track_id].face.box, end.tracks[track_id].face.box
    for pending in window[1:-1]:
        since_s = pending.frame.time_s - start.frame.time_s
        until_s = end.frame.time_s - pending.frame.time_s
        share = np.float32(since_s / (since_s + until_s))
        box = np.asarray(before + share * (after - before), np.float32)
        unseen_s = min(since_s, until_s)
        pending.add_unseen(track_id, box, unseen_cover(box, unseen_s), unseen_s)


def _cover_before(window: Sequence[PendingFrame], track_id: int) -> None:
    """Cover a track that is first seen in the last frame of a window, in the frames before.

    In a few of them, or in all where the face may have come in slowly over the frame edge.
    """
    first = window[-1].tracks[track_id].face.box
    at_edge = not np.array_equal(window[-1].reach_edge(first), first)
    for step, (later, pending) in enumerate(pairwise(reversed(window)), start=1):
        if later.cut or pending.sees(track_id) or (step > PATIENCE and not at_edge):
            break
        unseen_s = window[-1].frame.time_s - pending.frame.time_s
        cover = union(pending.seen_cover(first), unseen_cover(first, unseen_s))
        if track_id in pending.tracks:
            cover = union(cover, pending.tracks[track_id].cover)
        pending.add_unseen(track_id, first, cover, unseen_s)
