"""Follows faces from frame to frame and returns a box that certainly hides each.

A track starts with the first detection: a false track costs a mosaic over background, whereas
waiting for n detections would cost n raw frames. A face that is not detected is extrapolated at its
last velocity, under a cover that grows with time and speed.
"""

from dataclasses import dataclass, replace
from itertools import count
from math import hypot

import numpy as np

from streamanon.imaging.boxes import centre, iou, share_inside, side, union
from streamanon.types import F32, Face, Track

MARGIN = np.array([-0.18, -0.28, 0.18, 0.14], np.float32)
"""Margins of a cover around a face box, in box widths and heights; largest at the forehead."""

COAST_S = 1.0
"""How long a face is covered after it was last seen."""

SHORT_COAST_S = 0.5
"""The same for a face predicted outside the frame, or seen for less than this time."""

DOUBTED_COAST_S = 0.2
"""The same for a face that never reached :data:`SURE_SCORE`."""

DETECTED_SCORE = 0.3
"""Detector score below which there only may be a face; tracks of certain ones never follow it."""

COVERED = 0.9
"""Share of what may be a face within the cover of one that was just lost, from which it starts no
track: it mostly is that one. Later that cover may end before the track does."""

SURE_SCORE = 0.6
"""Detector score from which on a face counts as certain."""

GROWTH_PER_S = 0.5
"""Growth of an unseen face's cover at each edge, in box sides; speed adds to it."""

GATE = 0.8
"""Largest distance from the expected position, in box sides; grows while a face is unseen."""

SIZE_RATIO = 2.2
"""Largest ratio of sizes between two detections."""

EDGE = 0.4
"""A cover this close to the frame edge, in box sides, is stretched to the edge."""

CUT_OFF = 0.15
"""A face this close to the frame edge, in box sides, may extend beyond it."""

WHOLE_ASPECT = (0.62, 0.95)
"""Range of width over height of whole faces; boxes outside it are of faces cut off."""

CUT_OFF_GROWTH, AWAY_MARGIN = 0.35, 0.28
"""Additional margin of the cover of a face that is cut off, in longer box sides; and its whole
margin on the side that faces away from the frame's edge. On 2,770 pictures of faces cut
off by 20 to 65 % the latter leaves as much uncovered as the former did on all sides (0.01 %)."""

TOP_SPEED = 6.0
"""Highest predicted speed of a face, in box sides a second; more is detector noise."""

_VELOCITY_WEIGHT = 0.5
_DAMPING_S = 0.4


@dataclass(frozen=True, slots=True)
class _State:
    """A track at its last observation."""

    id: int
    face: Face
    best_score: float
    born_s: float
    seen_s: float
    velocity: F32

    def predict(self, time_s: float) -> F32:
        """Return the box expected at a time: constant velocity, damped within a second."""
        span_s = _DAMPING_S * (1.0 - np.exp(-(time_s - self.seen_s) / _DAMPING_S))
        return np.asarray(self.face.box + np.tile(self.velocity, 2) * np.float32(span_s))


class Tracker:
    """Gives each face a lasting id; ids are never reused, not even after a cut."""

    def __init__(self, width: int, height: int) -> None:
        """Create one without tracks, for frames of a size in px."""
        self._width, self._height = width, height
        self._states: dict[int, _State] = {}
        self._ids = count(1)

    @property
    def ids(self) -> set[int]:
        """Ids of the tracks followed at the moment."""
        return set(self._states)

    def reset(self, width: int, height: int) -> None:
        """Forget all tracks, at a scene cut; frames are of this size in px from now on."""
        self._width, self._height = width, height
        self._states.clear()

    def update(self, faces: list[Face], time_s: float) -> list[Track]:
        """Match the faces of one frame to the tracks and start tracks for the rest.

        Args:
            faces: faces of one frame, best first, with finite boxes.
            time_s: time of the frame, later than that of the frame before.

        Returns:
            All tracks in the frame; those not seen in it have ``unseen_s`` above 0, the box where
            they are expected and the best score they ever had.
        """
        matches = self._match(faces, time_s)
        tracks = [self.observe(key, faces[index], time_s) for index, key in matches.items()]
        seen = {track.id for track in tracks}
        coasting = []
        for key, state in list(self._states.items()):
            if key in seen:
                continue
            if self._has_ended(state, time_s):
                del self._states[key]
            else:
                coasting.append(self._coast(state, time_s))
        for index, face in enumerate(faces):
            if index not in matches and not _is_covered(face, coasting):
                tracks.append(self._start(face, time_s))
        tracks += coasting
        return sorted(tracks, key=lambda track: track.id)

    def observe(self, track_id: int, face: Face, time_s: float) -> Track:
        """Update a track with a face found by the detector or otherwise; return it."""
        before = self._states[track_id]
        expected = before.predict(time_s)
        dt_s = time_s - before.seen_s
        moved = (centre(face.box) - centre(before.face.box)) / np.float32(max(dt_s, 1e-3))
        clear = face.score >= min(SURE_SCORE, before.best_score)  # half hidden, a box jumps
        weight = np.float32(_VELOCITY_WEIGHT if clear else 0)
        velocity = before.velocity + weight * (moved - before.velocity)
        excess = float(np.hypot(*velocity)) / max(TOP_SPEED * side(face.box), 1e-3)
        self._states[track_id] = replace(
            before,
            face=face,
            best_score=max(before.best_score, face.score),
            seen_s=time_s,
            velocity=np.asarray(velocity / max(1.0, excess), np.float32),
        )
        return Track(track_id, face, self._seen_cover(union(face.box, expected)))

    def part(self, track_id: int) -> int:
        """Have a track end and another go on in its place, with somebody else; return its id."""
        new_id = next(self._ids)
        self._states[new_id] = replace(self._states.pop(track_id), id=new_id)
        return new_id

    def _start(self, face: Face, time_s: float) -> Track:
        """Start a track with a face that matches no other; return it."""
        state = _State(next(self._ids), face, face.score, time_s, time_s, np.zeros(2, np.float32))
        self._states[state.id] = state
        return Track(state.id, face, self._seen_cover(face.box))

    def _seen_cover(self, box: F32) -> F32:
        return seen_cover(box, self._width, self._height)

    def _coast(self, state: _State, time_s: float) -> Track:
        expected, unseen_s = state.predict(time_s), time_s - state.seen_s
        speed = float(np.hypot(*state.velocity))
        cover = unseen_cover(union(state.face.box, expected), unseen_s, speed)
        cover = union(self._seen_cover(state.face.box), cover)
        cover = reach_edge(cover, self._width, self._height)
        return Track(state.id, Face(expected, state.best_score), cover, unseen_s)

    def _has_ended(self, state: _State, time_s: float) -> bool:
        x, y = centre(state.predict(time_s))
        inside = 0 <= x < self._width and 0 <= y < self._height
        proven = state.seen_s - state.born_s >= SHORT_COAST_S
        limit_s = COAST_S if inside and proven else SHORT_COAST_S
        if state.best_score < SURE_SCORE:
            limit_s = DOUBTED_COAST_S
        return time_s - state.seen_s > limit_s

    def _match(self, faces: list[Face], time_s: float) -> dict[int, int]:
        """Return track ids by face number: nearest pairs first, certain ones before detected ones.

        While something hides the middle of a face, its sides are two faces. The whole one that
        shows again is the one that was certain before.
        """
        pairs = []
        for key, state in self._states.items():
            expected, unseen_s = state.predict(time_s), time_s - state.seen_s
            for index, face in enumerate(faces):
                if face.score < DETECTED_SCORE and state.best_score >= SURE_SCORE:
                    continue
                score = match_score(expected, face.box, unseen_s)
                if score > 0:
                    certain = min(face.score, state.best_score) >= SURE_SCORE
                    pairs.append((certain, face.score >= DETECTED_SCORE, score, index, key))
        matches: dict[int, int] = {}
        for _, _, _, index, key in sorted(pairs, reverse=True):
            if index not in matches and key not in matches.values():
                matches[index] = key
        return matches


def _is_covered(face: Face, coasting: list[Track]) -> bool:
    """Tell whether what only may be a face lies where one that was just lost is covered anyway."""
    return face.score < DETECTED_SCORE and any(
        track.face.score >= SURE_SCORE
        and track.unseen_s <= DOUBTED_COAST_S
        and share_inside(face.box, track.cover) > COVERED
        for track in coasting
    )


def match_score(expected: F32, box: F32, unseen_s: float = 0.0) -> float:
    """Return how well a face matches an expected box; 0 or less when it cannot be the same."""
    patience = 1.0 + 2.0 * unseen_s
    size, other = side(expected), side(box)
    if not 1 / (SIZE_RATIO * patience) < other / max(size, 1e-6) < SIZE_RATIO * patience:
        return 0.0
    (ax, ay), (bx, by) = centre(expected).tolist(), centre(box).tolist()
    near = 1.0 - hypot(bx - ax, by - ay) / max(size, other) / (GATE * patience)
    return near if near <= -1.0 else near + iou(expected, box)


def with_margin(box: F32) -> F32:
    """Return the box that hides the whole head around a face box."""
    width, height = box[2:] - box[:2]
    return np.asarray(box + MARGIN * np.array([width, height, width, height]), np.float32)


def seen_cover(box: F32, width: int, height: int) -> F32:
    """Return the cover of a face seen in a frame; larger where the frame edge cuts the face off."""
    near = CUT_OFF * side(box)
    inside = box[0] > near and box[1] > near and box[2] < width - near and box[3] < height - near
    aspect = float((box[2] - box[0]) / (box[3] - box[1]))
    if inside or WHOLE_ASPECT[0] < aspect < WHOLE_ASPECT[1]:
        return with_margin(box)
    longer = float((box[2:] - box[:2]).max())
    grown = CUT_OFF_GROWTH * longer
    cover = with_margin(box) + np.array([-grown, -grown, grown, grown], np.float32)
    cover = reach_edge(cover, width, height)
    across = 0 if aspect <= WHOLE_ASPECT[0] else 1  # the axis along which a part is missing
    at_start, at_end = box[across] <= near, box[across + 2] >= (width, height)[across] - near
    if at_start and not at_end:
        cover[across + 2] = min(cover[across + 2], box[across + 2] + AWAY_MARGIN * longer)
    elif at_end and not at_start:
        cover[across] = max(cover[across], box[across] - AWAY_MARGIN * longer)
    return cover


def unseen_cover(box: F32, unseen_s: float, speed_px_s: float = 0.0) -> F32:
    """Return the cover of a face box that was last confirmed some time ago."""
    grown = (GROWTH_PER_S * side(box) + 0.25 * speed_px_s) * min(unseen_s, SHORT_COAST_S)
    return np.asarray(with_margin(box) + np.array([-grown, -grown, grown, grown]), np.float32)


def reach_edge(cover: F32, width: int, height: int) -> F32:
    """Stretch a cover close to the frame edge to the edge, where faces come and go."""
    near = EDGE * side(cover)
    x0, y0, x1, y1 = cover
    return np.array([
        min(x0, 0) if x0 < near else x0,
        min(y0, 0) if y0 < near else y0,
        max(x1, width) if x1 > width - near else x1,
        max(y1, height) if y1 > height - near else y1,
    ], np.float32)  # fmt: skip
