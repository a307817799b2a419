"""Tells when a track goes on over somebody else.

After a cut to a similar picture or a dissolve, or when two people cross, a face is where it was.
"""

from dataclasses import dataclass, field
from math import inf

import numpy as np

from streamanon.types import F32

STRANGER = 0.3
"""Cosine similarity to the person of a track below which a face is somebody else's. In 27 clips,
lit, blurred and half hidden in every way, one person's faces of a track have 0.32 and more but for
single frames; of 14 people who follow each other in one place all but one stay below 0.2."""

OWN = 0.5
"""The same from which a face adds to what is known of the person: in a dissolve, both show."""

ALIKE = 0.4
"""The same from which strange faces are of one person, and not of a hand that moves over a face."""

SAMPLES = 3
"""Samples in a row that show somebody else, and those after which a person is known."""

CLEAR = 0.5
"""Quality of a view from which it may show somebody else."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one good view shows of a person.

    Attributes:
        time_s: time of the frame.
        embedding: (128,) float32 unit vector.
        quality: quality of the view, 0..1.
        skin_lab: (3,) float32 CIELAB of the cheeks, or None.
        p_female: probability of looking female.
        years: apparent age.
    """

    time_s: float
    embedding: F32
    quality: float
    skin_lab: F32 | None
    p_female: float
    years: float


@dataclass(slots=True)
class SamePerson:
    """Whether the samples of a track show one person.

    Attributes:
        strange: the newest samples in a row that show somebody else, the same one.
        own_s: time of the newest one that clearly shows the person.
    """

    strange: list[Sample] = field(default_factory=list)
    own_s: float = -inf
    _sum: F32 = field(default_factory=lambda: np.zeros(128, np.float32))
    _samples: int = 0

    def is_in(self, sample: Sample) -> bool:
        """Return whether a sample shows the person of the samples before."""
        alike = 1.0
        if self._samples >= SAMPLES:
            alike = float(self._sum @ sample.embedding) / float(np.linalg.norm(self._sum))
        if alike < STRANGER and sample.quality >= CLEAR:
            others = [one for one in self.strange if one.embedding @ sample.embedding > ALIKE]
            self.strange = [*others, sample]
            return False
        self.strange = []
        if alike >= STRANGER:
            self.own_s = sample.time_s
        if alike >= OWN:
            self._sum += sample.embedding
            self._samples += 1
        return True

    def until_s(self, lost_s: float) -> float | None:
        """Return the time from which on the track shows somebody else; None if it does not.

        Args:
            lost_s: time from which on no face was clearly seen for a while, before now: where all
                samples since then are strange, it is somebody else who came out of it.
        """
        if len(self.strange) < SAMPLES:
            return None
        first_s = self.strange[0].time_s
        return min(first_s, lost_s) if self.own_s < lost_s else first_s
