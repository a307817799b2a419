"""Both branches as one module: what is trained, averaged and saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from streamanon.anonygan.condition import ConditionEncoder
from streamanon.anonygan.generator import Generator

if TYPE_CHECKING:
    from streamanon.anonygan.config import GeneratorConfig


class AnonyGan(nn.Module):
    """A generator and the condition branch that feeds it.

    Attributes:
        config: what it is made of.
        encoder: the condition branch, computed once per identity.
        generator: the live branch, computed once per face and frame.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = ConditionEncoder(config)
        self.generator = Generator(config)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts of the generated faces.

        Args:
            batch: ``context``, ``maps``, ``warped``, ``points``, ``lookup``, ``condition`` and
                ``condition_points``, as the package describes them.

        Returns:
            see :meth:`Generator.forward`.
        """
        features, nodes = self.encoder(batch["condition"], batch["condition_points"])
        parts: dict[str, Tensor] = self.generator(batch | {"features": features, "nodes": nodes})
        return parts
