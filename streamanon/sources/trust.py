"""Which packets are worth decoding, and which pictures are to be believed.

Between two keyframes a picture is told by its difference from the ones before. After a loss the
decoder goes on with what it has, and says nothing: what it shows until the next keyframe may be
anything, a smeared face included.
"""

from __future__ import annotations

_SECOND = 90_000
_JUMP = _SECOND
_PATIENCE = 10 * _SECOND
"""Some encoders refresh the picture bit by bit and never send a keyframe."""


class Trust:
    """Follows one connection; all times are in ticks of 1/90000 s."""

    def __init__(self) -> None:
        self._waiting_since: int | None = None
        self._begun = False
        self._dts: int | None = None
        self._arrival = 0
        self._doubtful_since: int | None = None
        self._awaited: int | None = None

    def admits(self, *, keyframe: bool, dts: int | None, arrival: int) -> bool:
        """Tell whether a packet is to be decoded: all are from a keyframe on.

        The timestamps of the source jumping means that something is missing; packets that arrive
        late together do not.
        """
        if not self._begun or self._jumps(dts, arrival):
            self._begun = True
            self._waiting_since = arrival
        self._dts, self._arrival = dts, arrival
        if self._waiting_since is not None:
            if not keyframe and arrival - self._waiting_since < _PATIENCE:
                return False
            self._waiting_since = None
        return True

    def _jumps(self, dts: int | None, arrival: int) -> bool:
        if dts is None or self._dts is None:
            return False
        advance = dts - self._dts
        return advance < -_JUMP or advance > arrival - self._arrival + _JUMP

    def doubt(self, arrival: int) -> None:
        """Believe no picture until the next keyframe: something was lost or damaged."""
        self._doubtful_since, self._awaited = arrival, None

    def expect(self, pts: int | None) -> None:
        """Note a keyframe that was admitted without a sign of damage."""
        if self._doubtful_since is not None and self._awaited is None:
            self._awaited = pts if pts is not None else 0

    def believes(self, *, keyframe: bool, pts: int | None, arrival: int) -> bool:
        """Tell whether an undamaged picture may be believed."""
        since = self._doubtful_since
        if since is None:
            return True
        renewed = keyframe and self._awaited is not None and (pts is None or pts >= self._awaited)
        if renewed or arrival - since > _PATIENCE:
            self._doubtful_since = None
            return True
        return False
