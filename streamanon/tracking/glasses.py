"""Whether somebody in view wears glasses, by the mean of several looks."""

from dataclasses import dataclass

SURE, WORN, NOT_WORN = 0.2, -0.3, -0.45
"""Scores above which a single look, and the mean of a few, say that glasses are worn, and below
which the mean says that they are not any more. One look is above the first for 94 % of held-out
people of LFW with glasses and 2 % without; means over a clip are below -0.6 without."""

FEW, REMEMBERED = 5, 20
"""Looks that are a few, and the most that the mean is over."""


@dataclass(slots=True)
class WornGlasses:
    """Whether a track wears glasses, and the mean score and darkness of so many looks."""

    worn: bool = False
    score: float = 0.0
    darkness: float = 0.0
    looks: int = 0

    def look(self, score: float, darkness: float) -> None:
        """Take a look into account (:class:`streamanon.protocols.GlassesFinder`)."""
        self.looks = min(self.looks + 1, REMEMBERED)
        self.score += (score - self.score) / self.looks
        self.darkness += (darkness - self.darkness) / self.looks
        self.worn = self.score > (NOT_WORN if self.worn else WORN if self.looks >= FEW else SURE)
