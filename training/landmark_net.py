"""A small network that finds the 70 nodes in an aligned crop: the frozen judge of the pose loss.

Heat maps at a quarter of the crop's size whose expected positions are the nodes (integral
regression, Sun et al., ECCV 2018), so that a pixel's gradient moves the node that lies there.
Trained in a few minutes on the meshes of the prepared crops: ``python -m training landmarks``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamanon.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

NODES = 70
CELL = 4
"""Side of a heat map's cell in crop px."""

_NARROW, _WIDE = 48, 80


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.body(x))


class LandmarkNet(nn.Module):
    """Maps (N, 3, 128, 128) BGR in 0..1 to (N, 70, 2) crop px."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            nn.PixelUnshuffle(CELL),
            nn.Conv2d(3 * CELL * CELL, _NARROW, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(_NARROW, _NARROW, 3, 1, 1),
            nn.ReLU(),
        )
        self.coarse = nn.Sequential(
            nn.Conv2d(_NARROW, _WIDE, 3, 2, 1),
            nn.ReLU(),
            _Residual(_WIDE),
            _Residual(_WIDE),
            nn.Conv2d(_WIDE, _WIDE, 3, 2, 1),
            nn.ReLU(),
            _Residual(_WIDE),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            _Residual(_WIDE),
            nn.Conv2d(_WIDE, _NARROW, 1),
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        self.head = nn.Sequential(
            nn.Conv2d(2 * _NARROW, _NARROW, 3, 1, 1), nn.ReLU(), nn.Conv2d(_NARROW, NODES, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Find the nodes."""
        fine = self.fine(image - 0.5)
        maps = self.head(torch.cat([fine, self.coarse(fine)], 1)).float()
        share = maps.flatten(2).softmax(2).view_as(maps)
        rows, columns = maps.shape[2:]
        x = share.sum(2) @ _centres(columns, share.device)
        y = share.sum(3) @ _centres(rows, share.device)
        return torch.stack([x, y], 2)


def _centres(count: int, device: torch.device) -> Tensor:
    """Return (count,) crop px: where the middles of the cells lie, pixel centres being whole."""
    return (torch.arange(count, device=device) + 0.5) * CELL - 0.5


def save(net: LandmarkNet, path: Path) -> None:
    """Write the weights."""
    torch.save(net.state_dict(), path)


def load(path: Path) -> LandmarkNet:
    """Read a trained network, frozen.

    Raises:
        UsageError: the file is missing or holds something else.
    """
    net = LandmarkNet()
    try:
        net.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except FileNotFoundError:
        raise UsageError(f"no landmark network {path}: make it with `landmarks`") from None
    except Exception as error:
        raise UsageError(f"{path} holds no landmark network: {error}".splitlines()[0]) from error
    return net.eval().requires_grad_(requires_grad=False)
