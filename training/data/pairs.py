"""Which face is shown with which condition."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from streamanon.types import F32
    from training.data.shards import Faces

APART_S = 0.3
"""Least time between two frames of a video that count as two views of the person."""

SHUT, GAPING = 0.15, 0.3
"""Opening of an eye, and of the mouth, over its width: below and above which a face is rare."""

RARE_WEIGHT = 3.0
"""How much more often a source is drawn whose eyes are shut or whose mouth is open."""

WIDE_OPEN = 0.2
"""Opening over its width of a portrait's eyes, at least."""

PORTRAIT_YAW_DEG, PORTRAIT_PITCH_DEG = 20.0, 25.0
"""How far a portrait may be turned."""

MAX_TURNED_DEG = 35.0
"""How far a condition may be turned at all: what it hides cannot be moved onto the source."""

PORTRAIT_SHARE = 0.6
"""Share of the conditions of the same person that are portraits, where the person has one."""

CANDIDATES = 3
"""Strangers of whom the one with the most similar skin becomes the condition."""


class Kind(IntEnum):
    """Whose photograph the condition is."""

    SELF = 0
    """The same photograph, changed."""
    SAME = 1
    """Another of the same person."""
    CROSS = 2
    """A picture of another person."""


@dataclass(frozen=True)
class Pair:
    """One sample's choice of faces.

    Attributes:
        source: row of the source.
        condition: row of the condition.
        kind: whose photograph the condition is.
    """

    source: int
    condition: int
    kind: Kind


class PairDrawer:
    """Draws pairs of faces of one set.

    Everybody is as likely to be drawn as their number of photographs is high, by its square root;
    shut eyes and open mouths are drawn more often than they occur. A stranger's photograph is a
    condition only where it could be a portrait of the product: from the front, neutral.
    """

    def __init__(
        self, faces: Faces, mix: tuple[float, float, float], used: NDArray[np.int64]
    ) -> None:
        """Look at what there is.

        Args:
            faces: all faces.
            mix: shares of the kinds self, same and cross.
            used: rows to draw from.

        Raises:
            UsageError: There are too few people, or no person has two pictures.
        """
        if not len(used):
            raise UsageError("no face to train on is left: prepare more pictures")
        self._faces = faces
        self._mix = np.cumsum(mix) / np.sum(mix)
        people, member = np.unique(faces.person[used], return_inverse=True)
        counts = np.bincount(member)
        eyes, mouth = openings(faces.points)
        rare = (eyes < SHUT) | (mouth > GAPING)
        weight = np.where(rare[used], RARE_WEIGHT, 1.0) / np.sqrt(counts[member])
        turned = np.abs(faces.pose)
        self._portrait = (eyes > WIDE_OPEN) & (mouth < GAPING)
        self._portrait &= (turned[:, 0] < PORTRAIT_YAW_DEG) & (turned[:, 1] < PORTRAIT_PITCH_DEG)
        self._usable = turned[:, 0] < MAX_TURNED_DEG
        self._sources = _WeightedRows(used, weight)
        if mix[Kind.SAME] > 0:
            order = np.argsort(member, kind="stable")
            rows = np.split(used[order], np.cumsum(counts)[:-1])
            self._views = dict(zip(people.tolist(), rows, strict=True))
            self._returning = self._sources.only(lambda row: len(self._other_views(row)) > 0)
            if not len(self._returning.rows):
                raise UsageError("no person is in two pictures: prepare several of some people")
        if mix[Kind.CROSS] > 0:
            self._portraits = self._sources.only(lambda row: bool(self._portrait[row]))
            if len(set(faces.person[self._portraits.rows].tolist())) < 2:
                raise UsageError(
                    "strangers cannot be paired: prepare frontal, neutral pictures of 2 people"
                )

    def draw(self, random: np.random.Generator) -> Pair:
        """Draw the faces of one sample."""
        kind = Kind(int(np.searchsorted(self._mix, random.random(), side="right")))
        if kind is Kind.SAME:
            source = self._returning.draw(random)
            return Pair(source, self._another_view(source, random), kind)
        source = self._sources.draw(random)
        condition = source if kind is Kind.SELF else self._stranger(source, random)
        return Pair(source, condition, kind)

    def _another_view(self, source: int, random: np.random.Generator) -> int:
        views = self._other_views(source)
        portraits = views[self._portrait[views]]
        wanted = portraits if len(portraits) and random.random() < PORTRAIT_SHARE else views
        return int(random.choice(wanted))

    def _other_views(self, row: int) -> NDArray[np.int64]:
        """Return the rows of the same person that show something else and can be a condition."""
        faces = self._faces
        rows = self._views[str(faces.person[row])]
        apart = np.abs(faces.time_s[rows] - faces.time_s[row])
        kept = rows[(rows != row) & ~(apart < APART_S) & self._usable[rows]]
        return np.asarray(kept, np.int64)

    def _stranger(self, source: int, random: np.random.Generator) -> int:
        """Return the portrait of another person, with a skin like the source's."""
        faces, strangers = self._faces, list[int]()
        while len(strangers) < CANDIDATES:
            row = self._portraits.draw(random)
            if faces.person[row] != faces.person[source]:
                strangers.append(row)
        apart = np.linalg.norm(faces.skin_lab[strangers] - faces.skin_lab[source], axis=1)
        return strangers[int(np.argmin(np.nan_to_num(apart, nan=np.inf)))]


class _WeightedRows:
    """Rows to draw from, each with its weight."""

    def __init__(self, rows: NDArray[np.int64], weight: NDArray[np.float64]) -> None:
        self.rows, self._weight = rows, weight
        self._until = np.cumsum(weight) / max(float(weight.sum()), 1e-9)

    def draw(self, random: np.random.Generator) -> int:
        return int(self.rows[np.searchsorted(self._until[:-1], random.random(), side="right")])

    def only(self, wanted: Callable[[int], bool]) -> _WeightedRows:
        kept = np.array([wanted(row) for row in self.rows.tolist()], np.bool_)
        return _WeightedRows(self.rows[kept], self._weight[kept])


def openings(points: NDArray[np.int16]) -> tuple[F32, F32]:
    """Return (n,) float32 each: how far the wider eye and the mouth are open, over their widths.

    Args:
        points: (n, 478, 3) meshes, in any unit.
    """

    def ratio(upper: int, lower: int, right: int, left: int) -> F32:
        height, width = (
            np.linalg.norm(points[:, a, :2].astype(np.float32) - points[:, b, :2], axis=1)
            for a, b in ((upper, lower), (right, left))
        )
        return np.asarray(height / np.maximum(width, 1e-3), np.float32)

    eyes = np.maximum(ratio(159, 145, 33, 133), ratio(386, 374, 362, 263))
    return eyes, ratio(13, 14, 78, 308)
