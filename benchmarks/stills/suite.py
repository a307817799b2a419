"""The measurement: pairs, originals, then for each method its stills, judgements and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.judges.self_check import MOST, SelfCheck
from benchmarks.lfw import PAIRS_OF_A_KIND, TEST_FOLDS, Lfw
from benchmarks.record import commit
from benchmarks.stills import preservation, reidentification
from benchmarks.stills.attacker import informed_attack
from benchmarks.stills.cache import version_of_judges
from benchmarks.stills.originals import Fold, examine, pictures_of
from benchmarks.stills.panel import LANDMARKS
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.judges.verification import Threshold
    from benchmarks.methods import Method
    from benchmarks.stills.panel import Judgement, Panel

MIN_CONTROL = 0.5
"""Share of the pairs of one person that a recogniser must accept among originals to be alive."""

StartProgress = Callable[[str, int], Callable[[], None]]
"""Takes a task and its number of pictures; returns the function to call after each."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which stills are measured; rows of one table share it.

    Attributes:
        folds: numbers of the LFW folds.
        of_a_kind: pairs of one person in a fold, and pairs of two.
    """

    folds: tuple[int, ...] = TEST_FOLDS
    of_a_kind: int = PAIRS_OF_A_KIND

    def __post_init__(self) -> None:
        strange = sorted(set(self.folds) - set(TEST_FOLDS))
        if strange or not self.folds:
            kept = " and ".join(map(str, TEST_FOLDS))
            raise UsageError(f"LFW folds {strange} are not kept for testing: choose of {kept}")


@dataclass(slots=True)
class Counts:
    """What became of the faces of the stills, all folds together.

    Attributes:
        stills: number of anonymised stills.
        untouched: stills in which not one pixel changed.
        replaced: faces the method itself hid; None where it cannot be known.
        covered: faces the product covered with a mosaic instead; None where it cannot be known.
    """

    stills: int = 0
    untouched: int = 0
    replaced: int | None = 0
    covered: int | None = 0


class Suite:
    """The originals and what the judges make of them; then one row a method."""

    def __init__(
        self, lfw: Lfw, panel: Panel, protocol: Protocol, start_progress: StartProgress
    ) -> None:
        """Have the originals judged.

        Raises:
            UsageError: the data will not do.
        """
        self._lfw, self._panel, self._start_progress = lfw, panel, start_progress
        self.protocol = protocol
        self._folds: list[Fold] = []
        for number in protocol.folds:
            pairs = lfw.pairs(number, protocol.of_a_kind)
            advance = start_progress(f"originals of fold {number}", len(pictures_of(pairs)))
            self._folds.append(examine(lfw, panel, pairs, advance))
        self._thresholds: dict[str, Threshold] = {
            name: reidentification.calibrate(self._folds, name) for name in panel.recognisers
        }

    def originals(self) -> dict[str, Any]:
        """Return how many pictures and pairs there are, and which showed no face."""
        return {
            "pairs": [len(fold.pairs) for fold in self._folds],
            "pictures": [len(fold.references) for fold in self._folds],
            "stills": [len(fold.probes) for fold in self._folds],
            "without_face": [name for fold in self._folds for name in fold.dropped],
        }

    def judges(self) -> dict[str, Any]:
        """Return, by judge, whether it is alive and what it makes of the originals."""
        working = self._panel.self_checks()
        originals = [fold.judgements for fold in self._folds]
        said: dict[str, Any] = {}
        for name in self._panel.detectors:
            found = preservation.detection(self._folds, originals, name)
            alive = _with_control(working[name], found["at_face"]["mean"], MOST, "originals")
            said[name] = {"kind": "detector", **alive.as_json(), "originals": found}
        for name, recogniser in self._panel.recognisers.items():
            threshold = self._thresholds[name]
            known = reidentification.control(self._folds, name, threshold)
            share = known["other_picture"]["mean"]
            alive = _with_control(working[name], share, MIN_CONTROL, "pairs of one person")
            said[name] = {
                "kind": "recogniser",
                **alive.as_json(),
                "used_in_training": recogniser.used_in_training,
                "threshold": threshold.score,
                "far": threshold.far,
                "impostors": threshold.impostors,
                "originals": known,
            }
        seen = preservation.landmarks(self._folds, originals)
        said[LANDMARKS] = {
            "kind": "landmarks",
            **_with_control(working[LANDMARKS], seen["seen"]["mean"], MOST, "originals").as_json(),
            "originals": seen,
        }
        if predictor := self._panel.predictor:
            points = preservation.landmarks68(self._folds, originals)
            alive = _with_control(
                working[predictor.name], points["seen"]["mean"], MOST, "originals"
            )
            said[predictor.name] = {"kind": "landmarks", **alive.as_json(), "originals": points}
        for name in self._panel.features:
            floor = preservation.floor(self._folds, name)
            said[name] = {"kind": "realism", **working[name].as_json(), "floor": floor}
        return said

    def row(self, name: str, anonymise: Method) -> Row:
        """Measure one method.

        Args:
            name: name of the method in tables.
            anonymise: see :mod:`benchmarks.methods`.

        Raises:
            UsageError: its pictures will not do.
        """
        counts = Counts()
        stills: list[dict[str, Judgement]] = []
        for number, fold in zip(self.protocol.folds, self._folds, strict=True):
            said: dict[str, Judgement] = {}
            advance = self._start_progress(f"{name}, fold {number}", len(fold.probes))
            for picture in fold.probes:
                before = self._lfw.image(picture)
                after = anonymise(picture, before)
                counts.stills += 1
                counts.untouched += np.array_equal(before, after.image)
                counts.replaced = _sum(counts.replaced, after.replaced)
                counts.covered = _sum(counts.covered, after.covered)
                said[picture] = self._panel.judge(after.image, fold.references[picture])
                advance()
            stills.append(said)
        return {
            "commit": commit(),
            "judged_by": version_of_judges(),
            "faces": asdict(counts),
            **self._figures(stills),
        }

    def _figures(self, stills: Sequence[Mapping[str, Judgement]]) -> Row:
        """Return the figures of the stills of all folds."""
        panel, folds = self._panel, self._folds
        recognised, learnt = {}, {}
        for name in panel.recognisers:
            embeddings = [
                {picture: said.embeddings[name] for picture, said in fold.items()}
                for fold in stills
            ]
            recognised[name] = reidentification.figures_of(
                [
                    reidentification.attack(
                        fold,
                        after,
                        reidentification.embeddings_of(fold, name),
                        self._thresholds[name],
                    )
                    for fold, after in zip(folds, embeddings, strict=True)
                ]
            )
            learnt[name] = informed_attack(folds, embeddings, name)
        return {
            "detection": {
                name: preservation.detection(folds, stills, name) for name in panel.detectors
            },
            "reidentification": recognised,
            "informed_attacker": learnt,
            "landmarks": preservation.landmarks(folds, stills),
            "landmarks_dlib": preservation.landmarks68(folds, stills) if panel.predictor else None,
            "realism": {name: preservation.realism(folds, stills, name) for name in panel.features},
        }


def _with_control(working: SelfCheck, share: float | None, least: float, what: str) -> SelfCheck:
    """Return a judge's checks, given also how much of the originals it gets right."""
    if working.alive and (share is None or share < least):
        return SelfCheck(alive=False, reason=f"gets {share or 0:.0%} of the {what} right")
    return working


def _sum(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more
