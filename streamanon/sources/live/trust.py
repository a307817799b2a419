"""Which packets are worth decoding, and which pictures are to be believed.

Between two keyframes a picture is told by its difference from the ones before. After a loss the
decoder goes on with what it has, and says nothing: what it shows until the next keyframe may be
anything, a smeared face included.
"""

from __future__ import annotations

_SECOND = 90_000
_JUMP = _SECOND
_PATIENCE = 10 * _SECOND
"""Some encoders renew the picture bit by bit and never send a keyframe; what they make of a loss is
gone by then."""

_LONGEST = 60 * _SECOND
"""Others send one now and then, or when somebody asks."""


class Trust:
    """Follows one connection; all times are in ticks of 1/90000 s."""

    def __init__(self) -> None:
        self._waiting_since: int | None = None
        self._begun = False
        self._dts: int | None = None
        self._arrival = 0
        self._doubtful_since: int | None = None
        self._only_guessed = False
        self._awaited: int | None = None
        self._by_keyframe = True
        self._renewals = 0

    def admits(self, *, keyframe: bool, dts: int | None, arrival: int) -> bool:
        """Tell whether a packet is to be decoded: all are from a keyframe on.

        The timestamps of the source jumping means that something is missing; packets that arrive
        late together do not.
        """
        if not self._begun or self._jumps(dts, arrival):
            self._begun = True
            self._waiting_since = arrival
            self._awaited = None  # by a clock that no longer counts
        self._dts, self._arrival = dts, arrival
        if self._waiting_since is not None:
            if not keyframe and arrival - self._waiting_since < _PATIENCE:
                return False
            if not keyframe:
                self.doubt(arrival)
            self._waiting_since = None
        return True

    def _jumps(self, dts: int | None, arrival: int) -> bool:
        if dts is None or self._dts is None:
            return False
        advance = dts - self._dts
        return advance < -_JUMP or advance > arrival - self._arrival + _JUMP

    def doubt(self, arrival: int, *, guessed: bool = False) -> None:
        """Believe no picture until all is new: something was lost or damaged.

        Args:
            arrival: of what was found.
            guessed: it only looks as if something were missing.
        """
        self._only_guessed = guessed and (self._doubtful_since is None or self._only_guessed)
        self._doubtful_since, self._awaited = arrival, None

    def expect(self, pts: int | None, *, keyframe: bool = True) -> None:
        """Note a packet, without a sign of damage, from whose picture on all is new.

        Args:
            pts: of the picture.
            keyframe: it is one; the decoder may still hold pictures from before.
        """
        self._renewals += 1
        if self._doubtful_since is not None and self._awaited is None:
            self._awaited, self._by_keyframe = pts if pts is not None else 0, keyframe

    def believes(self, *, keyframe: bool, pts: int | None, arrival: int) -> bool:
        """Tell whether an undamaged picture may be believed."""
        since = self._doubtful_since
        if since is None:
            return True
        new = self._awaited is not None and (pts is None or pts >= self._awaited)
        new &= keyframe or not self._by_keyframe
        renews = self._renewals > 1 and not self._only_guessed
        if new or arrival - since > (_LONGEST if renews else _PATIENCE):
            self._doubtful_since = None
            return True
        return False
