"""Which decoded pictures show what was recorded: one rule for files and for live streams.

Between two keyframes a picture is coded as its difference from others. After damage or a loss the
decoder continues with what it has and reports nothing: until the next keyframe its pictures may
show anything, a smeared face included.

The rule: from a sign of damage on (a corrupt packet, a failed read or decode, a lost picture)
nothing is believed until a picture that depends on none from before the sign: a keyframe, or the
end of an intra refresh. Its packet must come after the sign and be without a sign itself.

Signs appear in decoding order and pictures in presentation order, so packets are numbered.
"""

_SECOND = 90_000
_JUMP = _SECOND
_PATIENCE = 10 * _SECOND
"""Some encoders refresh the picture gradually and never send a keyframe; after this time the
effects of a loss have gone."""

_LONGEST = 60 * _SECOND
"""Others send keyframes rarely, or on request."""

_REMEMBERED = 512
"""Packets whose pictures may still come; decoders delay them by no more than some dozens."""


class DamageTracker:
    """Follows the packets and pictures of one track.

    Arrival times are for live streams, in ticks of 1/90000 s: there damage is forgotten after a
    while without keyframes. In files it never is.
    """

    def __init__(self) -> None:
        self.failures = 0
        self._sent = 0
        self._numbers: dict[int, int] = {}  # of packets, by the time of their picture
        self._damaged: int | None = None  # newest packet that may be damaged; None for no doubt
        self._failed: int | None = None  # the same, while it is not known which packet it was
        self._damaged_at = 0
        self._only_guessed = False
        self._renewal: tuple[int, bool] | None = None  # pts, and whether it is a keyframe
        self._renewals = 0
        self._begun = False
        self._waiting_since: int | None = None
        self._dts: int | None = None
        self._arrival = 0

    def admits(self, *, keyframe: bool, dts: int | None, arrival: int) -> bool:
        """Return whether a packet of a live stream is worth decoding: all are from a keyframe on.

        When the timestamps of the source jump, something is missing and the next keyframe is
        awaited. Packets that arrive late together are no jump.
        """
        if not self._begun or self._jumps(dts, arrival):
            self._begun = True
            self._waiting_since = arrival
            self._renewal = None  # its time is on a clock that no longer counts
        self._dts, self._arrival = dts, arrival
        if self._waiting_since is not None:
            if not keyframe and arrival - self._waiting_since < _PATIENCE:
                return False
            if not keyframe:
                self.doubt(arrival=arrival)
            self._waiting_since = None
        return True

    def _jumps(self, dts: int | None, arrival: int) -> bool:
        if dts is None or self._dts is None:
            return False
        advance = dts - self._dts
        return advance < -_JUMP or advance > arrival - self._arrival + _JUMP

    def send(self, pts: int | None) -> None:
        """Number a packet that is about to be decoded, by the time of its picture or None."""
        self._sent += 1
        if pts is not None:
            self._numbers.pop(pts, None)
            self._numbers[pts] = self._sent
            if len(self._numbers) > _REMEMBERED:
                del self._numbers[next(iter(self._numbers))]

    def number(self, pts: int | None) -> int:
        """Return the packet number of the picture at a time; the newest if that is not known."""
        return self._sent if pts is None else self._numbers.get(pts, self._sent)

    @property
    def doubtful(self) -> bool:
        """Whether there was a sign of damage, and no renewal since."""
        return self._since() is not None

    @property
    def failing(self) -> bool:
        """Whether a packet could not be decoded, and it is not known which one."""
        return self._failed is not None

    def doubt(self, number: int | None = None, *, arrival: int = 0, guessed: bool = False) -> None:
        """Believe no picture until a renewal after this sign of damage.

        Args:
            number: packet that is damaged; the newest if left out.
            arrival: time of the sign.
            guessed: whether it only looks as if something were missing.
        """
        certain = self._damaged is not None and not self._only_guessed
        self._only_guessed = guessed and not certain
        number = self._sent if number is None else number
        self._damaged = max(number, self._since() or 0)
        self._damaged_at, self._renewal = arrival, None

    def fail(self) -> None:
        """Note that a packet could not be decoded: the newest or, with threads, an earlier one."""
        self.failures += 1
        self._failed = self._sent

    def lose(self, pts: int) -> None:
        """Note that the picture due at a time never came: because of a failure, if there is one."""
        self.failures = max(0, self.failures - 1)
        if not self.failures:
            self._failed = None
        self._damaged = max(self.number(pts), self._damaged or 0)

    def expect(self, pts: int | None, *, keyframe: bool = True, number: int | None = None) -> None:
        """Note an undamaged picture from which on nothing depends on earlier ones.

        Args:
            pts: time of the picture.
            keyframe: whether the picture is a keyframe; False for the end of an intra refresh.
            number: number of its packet; the newest if left out.
        """
        self._renewals += 1
        since = self._since()
        after = since is not None and (self._sent if number is None else number) > since
        if after and self._renewal is None:
            self._renewal = (0 if pts is None else pts, keyframe)

    def believes(
        self,
        pts: int | None,
        *,
        keyframe: bool,
        arrival: int = 0,
        number: int | None = None,
        failing: bool = True,
    ) -> bool:
        """Return whether a picture without a sign of damage may be believed.

        Args:
            pts: time of the picture.
            keyframe: whether the picture is a keyframe.
            arrival: time of its packet.
            number: number of its packet; found by its time if left out.
            failing: whether a packet had failed when the decoder returned it.
        """
        since = self._since()
        if since is None:
            return True
        new = self._renewal is not None and (pts is None or pts >= self._renewal[0])
        new &= (self.number(pts) if number is None else number) > since
        new &= keyframe or (self._renewal is not None and not self._renewal[1])
        longest = _LONGEST if self._renewals > 1 and not self._only_guessed else _PATIENCE
        if new or arrival - self._damaged_at > longest:
            self._damaged = self._failed = self._renewal = None
            return True
        return self._damaged is None and not failing

    def _since(self) -> int | None:
        """Return the newest packet that may be damaged, or None if none is."""
        signs = [number for number in (self._damaged, self._failed) if number is not None]
        return max(signs, default=None)
