"""Pairs of a source and a condition, made into what the network is shown.

Sample number n is always the same sample, whoever asks for it and in whichever order, so that a run
can be resumed and shared out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import cv2
import numpy as np

from streamanon.core import mouth
from streamanon.core.aligned import AlignedCondition, AlignedFace, Placement, network_inputs
from streamanon.errors import UsageError
from streamanon.identities.gallery import lender_of_teeth, load_builtin
from training.data import variation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamanon.types import U8
    from training.data.shards import Faces

APART_S = 0.3
"""Least time between two frames of a video that count as two views of the person."""

WORN_SHARE = 0.15
"""Share of sources that look as if a bad camera had taken them."""

REFOCUSED_SHARE = 0.5
"""Share of conditions made softer or sharper."""

TOOTHLESS_SHARE = 0.2
"""Share of conditions with a closed mouth whose opened mouth stays dark."""


class Kind(IntEnum):
    """Whose photograph the condition is."""

    SELF = 0
    """The same photograph, changed."""
    SAME = 1
    """Another of the same person."""
    CROSS = 2
    """One of somebody else."""


STRENGTH = {Kind.SELF: 1.0, Kind.SAME: 0.6, Kind.CROSS: 0.4}
"""How strongly the condition is relit: photographs differ in light by themselves."""


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


def kept_for_validation(faces: Faces, share: float) -> NDArray[np.bool_]:
    """Return (n,) bool: the faces of about this share of the people, always the same ones."""
    limit = share * 2**32
    people = {person: crc32(person.encode()) < limit for person in set(faces.person.tolist())}
    return np.array([people[person] for person in faces.person.tolist()], np.bool_)


class PairDataset:
    """An endless sequence of samples.

    Attributes:
        faces: all there are.
    """

    def __init__(
        self,
        faces: Faces,
        *,
        mix: tuple[float, float, float] = (0.4, 0.35, 0.25),
        seed: int = 0,
        rows: NDArray[np.bool_] | None = None,
    ) -> None:
        """Prepare to draw samples.

        Args:
            faces: all there are.
            mix: shares of the kinds self, same and cross.
            seed: of everything random.
            rows: (n,) bool which faces to use; None for all.

        Raises:
            UsageError: there are too few people, or nobody is there twice.
        """
        self.faces = faces
        self._seed = seed
        self._mix = np.cumsum(mix) / np.sum(mix)
        used = np.arange(len(faces)) if rows is None else np.flatnonzero(rows)
        self._people = _Crowd.of(faces, used)
        self._returning = _Crowd.of(faces, _seen_twice(faces, used)) if mix[1] > 0 else None
        if mix[2] > 0 and len(self._people.rows) < 2:
            raise UsageError(
                f"faces of {len(self._people.rows)} person, wanted at least 2 to pair strangers"
            )

    def __getitem__(self, number: int) -> dict[str, NDArray[Any]]:
        """Return sample ``number``.

        Returns:
            The arrays of :func:`network_inputs` and of :meth:`AlignedCondition.arrays`;
            ``target`` (128, 128, 3) uint8 BGR, what the result should look like where
            ``same_person`` () bool says that the truth is known; ``edge`` (128, 128) float32 in
            0..1, the soft edge of the replaced face; ``kind`` () int64; ``source_row`` and
            ``condition_row`` () int64 of :attr:`faces`.
        """
        random = np.random.default_rng((self._seed, number))
        pair = self.pair(random)
        source = self.faces.face(pair.source)
        if random.random() < 0.5:
            source = variation.mirrored(source)
        if random.random() < WORN_SHARE:
            worn = variation.worn(source.image, random)
            source = AlignedFace(worn, source.points, source.to_frame)
        condition = self._condition(pair, random)
        return sample(source, condition, float(self.faces.pose[pair.source, 0])) | {
            "same_person": np.array(pair.kind != Kind.CROSS),
            "kind": np.array(int(pair.kind)),
            "source_row": np.array(pair.source),
            "condition_row": np.array(pair.condition),
        }

    def pair(self, random: np.random.Generator) -> Pair:
        """Draw the faces of one sample."""
        kind = Kind(int(np.searchsorted(self._mix, random.random(), side="right")))
        if kind is Kind.SAME:
            assert self._returning is not None
            person, source = self._returning.draw(random)
            others = _other_views(self.faces, source, self._returning.rows[person])
            return Pair(source, int(random.choice(others)), kind)
        person, source = self._people.draw(random)
        if kind is Kind.SELF:
            return Pair(source, source, kind)
        other = person
        while other == person:
            other, condition = self._people.draw(random)
        return Pair(source, condition, kind)

    def _condition(self, pair: Pair, random: np.random.Generator) -> AlignedCondition:
        face = self.faces.face(pair.condition)
        if random.random() < 0.5:
            face = variation.mirrored(face)
        if pair.kind is Kind.SELF:
            face = variation.bent(face, random)
        image = variation.relit(face.image, random, STRENGTH[pair.kind])
        if random.random() < REFOCUSED_SHARE:
            image = variation.refocused(image, random)
        face = AlignedFace(image, face.points, face.to_frame)
        return AlignedCondition(face, _teeth(face, random))


def sample(
    source: AlignedFace, condition: AlignedCondition, yaw_deg: float
) -> dict[str, NDArray[Any]]:
    """Return the arrays of one source and one condition, with ``target`` and ``edge``."""
    placement = Placement.of(source, condition)
    return {
        **network_inputs(source, condition, placement),
        **condition.arrays(),
        "target": source.image,
        "edge": placement.edge(yaw_deg),
    }


def collate(samples: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return samples as one batch."""
    return {name: np.stack([each[name] for each in samples]) for name in samples[0]}


@dataclass(frozen=True)
class _Crowd:
    """People to draw from; who has many photographs is drawn more often, but not in proportion.

    Attributes:
        rows: of each person's faces.
        chance: (n,) float64 cumulated chance of each person.
    """

    rows: list[NDArray[np.int64]]
    chance: NDArray[np.float64]

    @classmethod
    def of(cls, faces: Faces, used: NDArray[np.int64]) -> _Crowd:
        if not len(used):
            raise UsageError("no face to train on is left: prepare more pictures")
        people, member = np.unique(faces.person[used], return_inverse=True)
        order = np.argsort(member, kind="stable")
        counts = np.bincount(member, minlength=len(people))
        rows = np.split(used[order], np.cumsum(counts)[:-1])
        chance = np.cumsum(np.sqrt(counts))
        return cls(rows, chance / chance[-1])

    def draw(self, random: np.random.Generator) -> tuple[int, int]:
        """Return a person's number and one of its rows."""
        person = int(np.searchsorted(self.chance, random.random(), side="right"))
        return person, int(random.choice(self.rows[person]))


def _seen_twice(faces: Faces, used: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that have another view of the same person."""
    members: dict[str, list[int]] = {}
    for row in used.tolist():
        members.setdefault(str(faces.person[row]), []).append(row)
    kept = [
        row
        for rows in members.values()
        if len(rows) > 1
        for row in rows
        if len(_other_views(faces, row, np.array(rows)))
    ]
    if not kept:
        raise UsageError("nobody is in two pictures: prepare several pictures of some people")
    return np.array(sorted(kept), np.int64)


def _other_views(faces: Faces, row: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of a person that show something else than this one."""
    apart = np.abs(faces.time_s[rows] - faces.time_s[row])
    return np.asarray(rows[(rows != row) & ~(apart < APART_S)], np.int64)


def _teeth(face: AlignedFace, random: np.random.Generator) -> U8:
    """Return the mouth texture of a condition: its own teeth, lent ones, or none."""
    points = face.points[:, :2]
    if mouth.opening(points) >= mouth.OPEN_FULLY:
        return mouth.texture(face.image, points)
    return mouth.dark_texture() if random.random() < TOOTHLESS_SHARE else _lent_teeth()


@lru_cache(maxsize=1)
def _lent_teeth() -> U8:
    lender = lender_of_teeth(load_builtin())
    assert lender is not None
    return mouth.texture(lender.portrait, lender.mesh.points[:, :2])


def use_one_thread() -> None:
    """Keep OpenCV from starting threads: samples are made by several processes."""
    cv2.setNumThreads(1)
