"""Covers a face in the frames before it was found, while they are still held.

A detector finds a face that turns up late: half in the frame, blurred, turned away. So every face
that is new, or back after it was lost, is searched for in the frames before, with a closer look
than the one that missed it. Where it is found it is entered; between two finds its place is
interpolated; before the first find a growing cover stays for a few frames more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from streamanon.errors import error_line
from streamanon.imaging.boxes import centre, iou, union
from streamanon.tracking.tracker import reach_edge, seen_cover, unseen_cover
from streamanon.types import Face, Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.tracking.finder import Finder
    from streamanon.types import F32, Frame

PATIENCE = 4
"""Misses in a row that end the search; as many frames are covered before the first find."""


SAME_FACE = 0.5
"""Overlap (IoU) from which on two boxes of one frame are one face."""


@dataclass(slots=True)
class Held:
    """A frame on its way through the look-ahead window.

    Attributes:
        frame: raw.
        distrust: why the whole frame must be covered, or "".
        cut: True when it starts a new shot.
        tracks: everybody in it, by id.
    """

    frame: Frame
    distrust: str = ""
    cut: bool = False
    tracks: dict[int, Track] = field(default_factory=dict)

    def sees(self, track_id: int) -> bool:
        """Tell whether a track was observed, not only predicted, in this frame."""
        track = self.tracks.get(track_id)
        return track is not None and track.unseen_s == 0.0

    def shows_another(self, track_id: int, box: F32) -> bool:
        """Tell whether a box is the face of another track seen in this frame."""
        return any(
            iou(track.face.box, box) > SAME_FACE
            for key, track in self.tracks.items()
            if key != track_id and self.sees(key)
        )

    def seen_cover(self, box: F32) -> F32:
        """Return the cover of a face seen in this frame."""
        return seen_cover(box, self.frame.picture.width, self.frame.picture.height)

    def at_edge(self, cover: F32) -> F32:
        """Return a cover that leaves no strip at the frame edge."""
        return reach_edge(cover, self.frame.picture.width, self.frame.picture.height)

    def is_at_edge(self, box: F32) -> bool:
        """Tell whether a face in a box may have come in over the frame edge just before."""
        return not np.array_equal(self.at_edge(box), box)


def search_back(window: Sequence[Held], track_id: int, finder: Finder) -> int:
    """Enter a track that is seen in the last frame of a window into the frames before it.

    Args:
        window: consecutive frames; the last one sees the track.
        track_id: of the track.
        finder: takes the closer look.

    Returns:
        In how many frames the face was found. One that could not be searched is not trusted.
    """
    position = len(window) - 1
    known = {position: window[position].tracks[track_id].face}
    finds = misses = 0
    while position > 0 and not window[position].cut:
        position -= 1
        held = window[position]
        if held.sees(track_id):
            known[position] = held.tracks[track_id].face
            break
        if held.distrust or misses >= PATIENCE:
            continue
        try:
            face = finder.near(held.frame.picture, _expected(known, position))
        except Exception as error:  # noqa: BLE001  whatever it was: not trusted
            held.distrust = f"detector failed: {error_line(error)}"
            continue
        if face is None or held.shows_another(track_id, face.box):
            misses += 1
        else:
            known[position], misses, finds = face, 0, finds + 1
            held.tracks[track_id] = Track(track_id, face, held.seen_cover(face.box))
    places = sorted(known)
    for earlier, later in pairwise(places):
        _bridge(window[earlier : later + 1], track_id)
    _reach_before(window[: places[0] + 1], track_id)
    return finds


def _expected(known: dict[int, Face], position: int) -> Face:
    """Return the earliest face known, moved on by the motion between the two earliest."""
    first, *rest = sorted(known)
    face = known[first]
    if not rest:
        return face
    speed = (centre(known[rest[0]].box) - centre(face.box)) / np.float32(rest[0] - first)
    away = -speed * np.float32(min(first - position, 3))
    return replace(face, box=np.asarray(face.box + np.tile(away, 2), np.float32))


def _bridge(window: Sequence[Held], track_id: int) -> None:
    """Interpolate a track between the first and the last frame of a window, which see it."""
    start, end = window[0], window[-1]
    before, after = start.tracks[track_id].face.box, end.tracks[track_id].face.box
    for held in window[1:-1]:
        since_s = held.frame.time_s - start.frame.time_s
        until_s = end.frame.time_s - held.frame.time_s
        share = np.float32(since_s / (since_s + until_s))
        box = np.asarray(before + share * (after - before), np.float32)
        unseen_s = min(since_s, until_s)
        _cover(held, track_id, box, unseen_cover(box, unseen_s), unseen_s)


def _reach_before(window: Sequence[Held], track_id: int) -> None:
    """Cover a track, first seen in the last frame of a window, in the frames before.

    For a few frames; for all of them where the face may have come in slowly over the edge.
    """
    first = window[-1].tracks[track_id].face.box
    for step, (later, held) in enumerate(pairwise(reversed(window)), start=1):
        if later.cut or held.sees(track_id) or (step > PATIENCE and not held.is_at_edge(first)):
            break
        unseen_s = window[-1].frame.time_s - held.frame.time_s
        cover = union(held.seen_cover(first), unseen_cover(first, unseen_s))
        if track_id in held.tracks:
            cover = union(cover, held.tracks[track_id].cover)
        _cover(held, track_id, first, cover, unseen_s)


def _cover(held: Held, track_id: int, box: F32, cover: F32, unseen_s: float) -> None:
    """Enter a track that is only believed to be in a frame."""
    held.tracks[track_id] = Track(track_id, Face(box, 0.0), held.at_edge(cover), unseen_s)
