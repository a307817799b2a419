"""What people show between their lips, steady over time."""

import numpy as np

from streamanon.face.drawing import Follower
from streamanon.face.mouth_inside import mouth_inside
from streamanon.types import F32, Frame, MouthInside, Track

TAU_S = 0.06
"""Time constant with which it follows what is seen: speech shows and hides teeth in a tenth of a
second."""


class MouthFollower:
    """Follows the mouth of one face; called in order of time."""

    def __init__(self) -> None:
        """Create one that has seen nothing."""
        self._begin()

    def _begin(self) -> None:
        self._shown: Follower[F32] = Follower(TAU_S)
        self._teeth: Follower[F32] = Follower(TAU_S)
        self._teeth_bgr: F32 | None = None

    def __call__(self, frame: Frame, track: Track) -> MouthInside | None:
        """Return what a face shows between its lips; None where it cannot be made out."""
        mesh = track.face.mesh
        now = None if mesh is None else mouth_inside(frame.picture, mesh.points[:, :2])
        if now is None:
            self._begin()
            return None
        numbers = np.array([now.upper, now.lower, now.tongue, now.light])
        if now.teeth_bgr is not None:
            self._teeth_bgr = self._teeth.follow(now.teeth_bgr, frame.time_s)
        upper, lower, tongue, light = self._shown.follow(numbers, frame.time_s).tolist()
        return MouthInside(upper, lower, tongue, light, self._teeth_bgr)
