"""The network that is measured, its inputs, and the operations of a run."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from streamanon.anonygan import checkpoint
from streamanon.anonygan.config import FEATURES, NODE_WIDTH, GeneratorConfig
from streamanon.anonygan.deployed import INPUTS, PAPER_INPUTS, DeployedGenerator
from streamanon.anonygan.network import AnonyGan
from streamanon.face.network_input import CROP, GRID, NODES

NETWORKS = {"live": GeneratorConfig.live(), "base": GeneratorConfig.base()}

SMALL = {
    "live": GeneratorConfig("live", width=32, blocks=1),
    "base": GeneratorConfig("paper", width=32, blocks=1),
}
"""Small ones for a quick check."""

_PRODUCTS = ("convolution", "mm", "bmm", "addmm", "baddbmm")


@dataclass(frozen=True)
class Workload:
    """The operations of one run.

    Attributes:
        operations: additions and multiplications of convolutions and matrix products.
        elements: numbers that those read and write, weights included; the operations between them
            can be fused.
    """

    operations: int
    elements: int


class MeasuredNetwork:
    """A network on a device.

    Attributes:
        module: the network; takes the inputs ``names`` in order.
        names: names of the inputs.
        weights: name of the file of the weights, or "random".
    """

    def __init__(self, network: str, weights: Path | None, *, small: bool = False) -> None:
        """Make a network.

        Args:
            network: "live" or "base".
            weights: a file that training wrote, or None for random ones, which cost the same.
            small: make a small one.
        """
        if weights:
            content = checkpoint.read(weights)
            made = checkpoint.unpack(content.get("average", content), str(weights))
            self.weights = weights.name
        else:
            torch.manual_seed(0)
            made = AnonyGan((SMALL if small else NETWORKS)[network])
            self.weights = "random"
        self.names = INPUTS if made.encoder is not None else PAPER_INPUTS
        self.module = DeployedGenerator(made.generator, self.names).eval()
        self.parameters = sum(one.numel() for one in self.module.parameters())
        self._blocks = made.config.blocks

    def inputs(self, batch: int) -> dict[str, NDArray[Any]]:
        """Return noise in the shape of the inputs; the cost does not depend on the values."""
        random = np.random.default_rng(batch)
        shapes = {
            "context": (CROP, CROP, 3),
            "maps": (CROP, CROP, 4),
            "warped": (CROP, CROP, 3),
            "condition": (CROP, CROP, 3),
            "complexion": (3,),
            "points": (NODES, 2),
            "condition_points": (NODES, 2),
            "lookup": (GRID, GRID, 2),
            "features": (FEATURES, GRID, GRID),
            "nodes": (self._blocks, NODES, NODE_WIDTH),
        }
        made: dict[str, NDArray[Any]] = {}
        for name in self.names:
            shape = (batch, *shapes[name])
            if len(shapes[name]) == 3 and shapes[name][0] == CROP:
                made[name] = random.integers(0, 256, shape, np.uint8)
            elif name in ("features", "nodes"):
                made[name] = random.standard_normal(shape, np.float32)
            else:
                made[name] = random.random(shape, np.float32) * CROP
        return made

    def work(self, batch: int) -> Workload:
        """Count the operations of a run by running it once on the processor."""
        tensors = [torch.from_numpy(array) for array in self.inputs(batch).values()]
        counted = _Elements()  # type: ignore[no-untyped-call]
        with torch.no_grad(), FlopCounterMode(display=False) as operations, counted:
            self.module.cpu()(*tensors)
        return Workload(operations.get_total_flops(), counted.elements)


class _Elements(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what convolutions and matrix products read and write."""

    elements = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in _PRODUCTS:
            tensors = [one for one in (*args, answer) if isinstance(one, torch.Tensor)]
            self.elements += sum(math.prod(one.shape) for one in tensors)
        return answer
