"""The condition branch: everything that depends only on the new identity, computed once."""

import torch
from torch import Tensor, nn

from streamanon.anonygan.blocks import channels_first, conv, conv_of_maps, conv_relu
from streamanon.anonygan.config import FEATURES, GeneratorConfig
from streamanon.anonygan.graph import NodePool
from streamanon.anonygan.landmarks import gaussian_maps
from streamanon.face.network_input import GRID


class ConditionEncoder(nn.Module):
    """Encodes a portrait as a feature map and as nodes of the landmark graph."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv_relu(3, 32, 5, stride=2),
            conv_relu(32, FEATURES, stride=2),
            conv_relu(FEATURES, FEATURES),
        )
        self.shape = conv_of_maps(FEATURES)
        self.blocks = nn.ModuleList(conv_relu(FEATURES, FEATURES) for _ in range(config.blocks))
        self.pools = nn.ModuleList(NodePool(FEATURES) for _ in range(config.blocks))
        self.features = conv(FEATURES, FEATURES, 1)

    def forward(self, condition: Tensor, condition_points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the arrays that are cached per identity.

        Args:
            condition: (n, 128, 128, 3) uint8 aligned crop of the portrait.
            condition_points: (n, 70, 2) float32 in px of that crop.

        Returns:
            (n, 64, 32, 32) features and (n, blocks, 70, 64) nodes, float32.
        """
        peaks = gaussian_maps(condition_points, GRID, 1.0)
        flat = peaks.flatten(2)
        shares = flat / (flat.sum(dim=2, keepdim=True) + 1e-3)
        x = self.stem(channels_first(condition) * 2 - 1)
        x = x + self.shape(peaks)
        nodes = []
        for block, pool in zip(self.blocks, self.pools, strict=True):
            x = x + 0.5 * block(x)
            nodes.append(pool(x, shares))
        return self.features(x).float(), torch.stack(nodes, dim=1).float()
