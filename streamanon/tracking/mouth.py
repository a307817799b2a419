"""What people show between their lips, steady over time."""

from dataclasses import astuple

import numpy as np

from streamanon.face.mouth_inside import mouth_inside
from streamanon.types import Frame, MouthInside, Track

TAU_S = 0.06
"""Time constant with which it follows what is seen: speech shows and hides teeth in a tenth of a
second."""


class MouthFollower:
    """Follows the mouth of one face; called in order of time."""

    def __init__(self) -> None:
        """Create one that has seen nothing."""
        self._known: MouthInside | None = None
        self._time_s = 0.0

    def __call__(self, frame: Frame, track: Track) -> MouthInside | None:
        """Return what a face shows between its lips; None where it cannot be told."""
        mesh, before = track.face.mesh, self._known
        since_s, self._time_s = frame.time_s - self._time_s, frame.time_s
        now = None if mesh is None else mouth_inside(frame.picture, mesh.points[:, :2])
        if now and before:
            kept = float(np.exp(-abs(since_s) / TAU_S))
            pairs = zip(astuple(now), astuple(before), strict=True)
            now = MouthInside(*(new + kept * (old - new) for new, old in pairs))
        self._known = now
        return now
