"""The eight orientations of a stored picture, and how to turn it upright and back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamanon.types import Plane


@dataclass(frozen=True, slots=True)
class Orientation:
    """Operations that turn a stored picture upright: first mirroring, then quarter turns.

    These are counter-clockwise, 0..3.
    """

    mirrored: bool = False
    turns: int = 0

    @property
    def sideways(self) -> bool:
        """True when width and height are swapped."""
        return self.turns % 2 == 1

    def upright(self, plane: Plane) -> Plane:
        """Return a view of a stored (h, w) plane, upright."""
        return np.rot90(plane[:, ::-1] if self.mirrored else plane, self.turns)

    def stored(self, plane: Plane) -> Plane:
        """Return a view of an upright plane as it is stored; the inverse of :meth:`upright`."""
        turned = np.rot90(plane, -self.turns)
        return turned[:, ::-1] if self.mirrored else turned


def from_display_matrix(matrix: Sequence[int] | None) -> Orientation:
    """Return the orientation closest to a display matrix.

    Its 9 numbers in row order multiply (x, y, 1) from the right, y downwards.
    """
    if matrix is None:
        return Orientation()
    a, b, _, c, d = matrix[:5]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    clockwise = round(math.atan2(b, a) / (math.pi / 2))
    return Orientation(mirrored, -clockwise % 4)


_EXIF = {
    2: Orientation(mirrored=True),
    3: Orientation(turns=2),
    4: Orientation(mirrored=True, turns=2),
    5: Orientation(mirrored=True, turns=1),
    6: Orientation(turns=3),
    7: Orientation(mirrored=True, turns=3),
    8: Orientation(turns=1),
}


def from_exif(code: int) -> Orientation:
    """Return the orientation an EXIF code of 1..8 stands for; anything else is upright."""
    return _EXIF.get(code, Orientation())
