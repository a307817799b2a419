"""A generator and its condition branch as one module, which is trained and saved."""

from torch import Tensor, nn

from streamanon.anonygan.condition import ConditionEncoder
from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.generator import Generator
from streamanon.anonygan.paper import PaperGenerator


class AnonyGan(nn.Module):
    """A generator, run once per face and frame, with its condition branch, run once per identity.

    The paper's wiring has no such branch.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder: ConditionEncoder | None = None
        self.generator: Generator | PaperGenerator
        if config.wiring == "paper":
            self.generator = PaperGenerator(config)
        else:
            self.encoder = ConditionEncoder(config)
            self.generator = Generator(config)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the parts of the generated faces.

        Args:
            batch: ``context``, ``maps``, ``warped``, ``points``, ``lookup``, ``condition`` and
                ``condition_points``, as the package describes them.

        Returns:
            The outputs of :meth:`streamanon.anonygan.generator.Generator.forward`.
        """
        if self.encoder is not None:
            features, nodes = self.encoder(batch["condition"], batch["condition_points"])
            batch = batch | {"features": features, "nodes": nodes}
        parts: dict[str, Tensor] = self.generator(batch)
        return parts
