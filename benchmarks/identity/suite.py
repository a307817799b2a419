"""Recognition by geometry and by recognisers, from the same and from another photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.judges.expression import Observation, observe, observe_at
from benchmarks.judges.faceres import FaceRes
from benchmarks.judges.geometry import descriptors
from benchmarks.judges.verification import (
    Threshold,
    accepted,
    impostor_scores,
    rank_1,
    threshold_at_far,
)
from benchmarks.record import commit
from benchmarks.stills.figures import figure
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.identity.people import Person
    from benchmarks.judges.recognisers import Recogniser
    from benchmarks.methods import Method
    from streamanon.types import F32, U8

AGE_APART = 10.0
"""Years by which somebody may look older or younger than before."""

GEOMETRY = "geometry"
"""What tables call the judge that sees the mesh alone."""


@dataclass(frozen=True)
class _Originals:
    """What judges see of the originals, one row for each person.

    Attributes:
        people: people whose face is seen in both photographs.
        seen: observations of each person in the neutral and in the smiling photograph.
        neutral: (n, d) float32 unit vectors of the neutral photographs, by judge.
        smiling: the same of the smiling photographs.
        thresholds: threshold of each judge, set on all pairs of different people.
    """

    people: tuple[Person, ...]
    seen: tuple[tuple[Observation, Observation], ...]
    neutral: Mapping[str, F32]
    smiling: Mapping[str, F32]
    thresholds: Mapping[str, Threshold]


class Suite:
    """People as judges know them; then one row a method."""

    def __init__(
        self,
        people: Sequence[Person],
        recognisers: Sequence[Recogniser],
        advance: Callable[[], None],
    ) -> None:
        """Have the originals judged.

        Args:
            people: people to look for.
            recognisers: judges beside the geometry.
            advance: called after each person.

        Raises:
            UsageError: fewer than two faces are seen.
        """
        self._recognisers = recognisers
        self._looks = next((one for one in recognisers if isinstance(one, FaceRes)), None)
        self._originals = self._judged(people, advance)

    def judges(self) -> dict[str, Any]:
        """Return, by judge, its threshold and what it makes of the originals."""
        names = [person.name for person in self._originals.people]
        used = {one.name: one.used_in_training for one in self._recognisers}
        return {
            name: {
                "used_in_training": used.get(name, False),
                "threshold": threshold.score,
                "far": threshold.far,
                "impostors": threshold.impostors,
                "chance": 1 / len(names),
                "originals": self._known(name, self._originals.neutral[name]),
            }
            for name, threshold in self._originals.thresholds.items()
        }

    def row(self, anonymise: Method, advance: Callable[[], None]) -> dict[str, Any]:
        """Measure one method on the neutral photographs.

        Args:
            anonymise: see :mod:`benchmarks.methods`.
            advance: called after each person.
        """
        meshes: list[F32 | None] = []
        vectors: dict[str, list[F32]] = {one.name: [] for one in self._recognisers}
        replaced, looks = 0, list[tuple[bool, bool] | None]()
        for person, (original, _) in zip(self._originals.people, self._originals.seen, strict=True):
            done = anonymise(person.name, person.neutral)
            replaced += done.replaced or 0
            seen = observe_at(done.image, original.points)
            meshes.append(seen.points if seen else None)
            for one in self._recognisers:
                vectors[one.name].append(one.embed(done.image, original.points))
            looks += [self._kept(person.neutral, done.image, original.points)] if seen else []
            advance()
        known = {name: self._known(name, np.array(rows)) for name, rows in vectors.items()}
        return {
            "commit": commit(),
            "appearance": {
                kind: figure([[float(one[at]) for one in looks if one]])
                for at, kind in enumerate(("sex", "age"))
            },
            "replaced": replaced,
            "seen": sum(mesh is not None for mesh in meshes),
            "known": {GEOMETRY: self._known_by_geometry(meshes), **known},
        }

    def _kept(self, before: U8, after: U8, points: F32) -> tuple[bool, bool] | None:
        """Return whether apparent sex and age stayed; None where no judge tells."""
        if self._looks is None:
            return None
        (male, age), (male_after, age_after) = (
            self._looks.appearance(image, points) for image in (before, after)
        )
        return male == male_after, abs(age - age_after) <= AGE_APART

    def _known_by_geometry(self, meshes: Sequence[F32 | None]) -> dict[str, Any]:
        """Match the faces that are seen; who is not seen cannot be known by their geometry."""
        rows = [row for row, mesh in enumerate(meshes) if mesh is not None]
        probes = descriptors([mesh for mesh in meshes if mesh is not None]) if rows else np.empty(0)
        return self._known(GEOMETRY, np.asarray(probes, np.float32), rows)

    def _known(self, judge: str, probes: F32, rows: Sequence[int] | None = None) -> dict[str, Any]:
        """Return rank 1 and the rate at FAR 1e-3, from the other photograph and from the same.

        Args:
            judge: name of the judge.
            probes: (m, d) float32 unit vectors.
            rows: whose they are; None for everybody in order.
        """
        originals = self._originals
        everybody = [person.name for person in originals.people]
        rows = range(len(everybody)) if rows is None else rows
        names = [everybody[row] for row in rows]
        found = {}
        for which, gallery in (
            ("other", originals.smiling[judge]),
            ("same", originals.neutral[judge]),
        ):
            hits, matches = np.zeros((2, len(everybody)))
            if names:
                hits[list(rows)] = rank_1(probes, names, gallery, everybody).hits
                scores = np.einsum("nd,nd->n", probes, gallery[list(rows)])
                matches[list(rows)] = accepted(scores, originals.thresholds[judge])
            found[f"{which}_rank_1"] = figure([hits])
            found[f"{which}_far"] = figure([matches])
        return found

    def _judged(self, people: Sequence[Person], advance: Callable[[], None]) -> _Originals:
        kept, seen = [], []
        vectors: dict[str, list[list[F32]]] = {one.name: [[], []] for one in self._recognisers}
        for person in people:
            photos: tuple[U8, U8] = (person.neutral, person.smiling)
            neutral, smiling = (observe(photo) for photo in photos)
            advance()
            if neutral is None or smiling is None:
                continue
            kept.append(person)
            seen.append((neutral, smiling))
            for one in self._recognisers:
                for at, (photo, face) in enumerate(zip(photos, seen[-1], strict=True)):
                    vectors[one.name][at].append(one.embed(photo, face.points))
        if len(kept) < 2:
            raise UsageError("fewer than two people are seen in both photographs: use other data")
        both = {
            GEOMETRY: [descriptors([pair[at].points for pair in seen]) for at in (0, 1)],
            **{name: [np.array(part) for part in parts] for name, parts in vectors.items()},
        }
        names = [person.name for person in kept] * 2
        return _Originals(
            tuple(kept),
            tuple(seen),
            {name: parts[0] for name, parts in both.items()},
            {name: parts[1] for name, parts in both.items()},
            {
                name: threshold_at_far(impostor_scores(np.concatenate(parts), names))
                for name, parts in both.items()
            },
        )
