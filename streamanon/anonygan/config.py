"""Configuration of a generator."""

from dataclasses import dataclass
from typing import Literal, Self, TypeAlias

IBUG_POINTS = 68
"""Landmarks of the paper; the live generator has the irises too."""

FEATURES = 64
"""Channels of the condition's cached features."""

NODE_WIDTH = 64
"""Channels of a node of the landmark graph."""

Attention: TypeAlias = Literal["described", "pooled", "none"]


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Size of a generator, and parts that can be switched off for ablations.

    Attributes:
        wiring: "live" computes the condition once per identity; "paper" mixes both faces from the
            first layer on.
        width: channels of the trunk.
        blocks: number of blocks of graph reasoning and appearance aggregation.
        landmark_attention: how landmarks are weighted: from a description of where both faces'
            landmarks are, from pooled maps (the paper's equation 1), or not at all.
        graph: whether landmarks of source and condition exchange messages.
        warped: whether the warped condition is an input and the underlay; without it the underlay
            is the context, as in the paper.
        subpixel: whether landmark maps keep fractions of a pixel (paper wiring; live always does).
    """

    wiring: Literal["live", "paper"]
    width: int
    blocks: int
    landmark_attention: Attention = "described"
    graph: bool = True
    warped: bool = True
    subpixel: bool = True

    @classmethod
    def live(cls) -> Self:
        """Return the generator that runs in the product, about 0.85 GMACs a face."""
        return cls(wiring="live", width=64, blocks=4)

    @classmethod
    def base(cls) -> Self:
        """Return the paper's generator with its faults fixed, 37 GMACs a face: a teacher."""
        return cls(wiring="paper", width=256, blocks=6)

    @classmethod
    def paper(cls) -> Self:
        """Return the generator of the paper as it was published."""
        return cls(
            wiring="paper",
            width=256,
            blocks=6,
            landmark_attention="pooled",
            warped=False,
            subpixel=False,
        )
