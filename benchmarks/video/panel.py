"""The judges of a run, and whether each of them works."""

from dataclasses import dataclass

import numpy as np

from benchmarks.judges.expression import observe
from benchmarks.judges.recognisers import Recogniser, recogniser
from benchmarks.judges.self_check import SelfCheck, check_detector, check_observer, check_recogniser
from streamanon.audit.judge import Judge
from streamanon.audit.run import load_judge
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8

DETECTOR = "centerface"
MESH = "mesh"
SAME_PERSON = {"dlib-resnet": 0.925, "mobilefacenet": 0.333}
"""Cosine above which two photographs show the same person at a false accept rate of 1e-3, on
originals of LFW (318,000 pairs, without folds 7 and 8); 95 and 99 % of the genuine pairs pass."""


@dataclass(frozen=True)
class Panel:
    """The judges.

    Attributes:
        judge: judge of leaks, as in ``streamanon audit``.
        recognisers: judges of identity; the first that training did not use counts.
    """

    judge: Judge
    recognisers: tuple[Recogniser, ...]

    def self_checks(self) -> dict[str, SelfCheck]:
        """Return whether each judge works, on portraits that it must know."""
        found = {DETECTOR: check_detector(_Boxes(self.judge)), MESH: check_observer(observe)}
        return found | {one.name: check_recogniser(one) for one in self.recognisers}


class _Boxes:
    """The detector of the audit as those of :mod:`benchmarks.judges.detectors`."""

    name = DETECTOR

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __call__(self, image: U8) -> F32:
        faces = self._judge.find(as_picture(image))
        return np.array([np.append(f.box, f.score) for f in faces], np.float32).reshape(-1, 5)


def load_panel() -> Panel:
    """Load the judges that ship and those of the bench group."""
    return Panel(load_judge(), tuple(recogniser(name) for name in SAME_PERSON))
