"""The occlusion network: a small U-Net whose skips are added, 56 MMACs a face."""

from torch import Tensor, nn
from torch.nn import functional

from streamanon.types import OCCLUSION_CLASSES

WIDTHS = (16, 28, 56, 96)
"""Channels at 64, 32, 16 and 8 px."""


def _conv(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride, 1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


class OcclusionNet(nn.Module):
    """Maps (N, 128, 128, 5) uint8 to logits (N, 6, 128, 128)."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.stem = _conv(5, a, 2)
        self.down = nn.ModuleList([_conv(a, b, 2), _conv(b, c, 2), _conv(c, d, 2)])
        self.inner = nn.ModuleList([_conv(b, b), _conv(c, c), _conv(d, d)])
        self.whole = nn.Linear(d, d)
        self.narrow = nn.ModuleList([nn.Conv2d(d, c, 1), nn.Conv2d(b, b, 1), nn.Conv2d(b, a, 1)])
        self.up = nn.ModuleList([_conv(c, b), _conv(b, b), _conv(a, a)])
        self.out = nn.Conv2d(a, 4 * len(OCCLUSION_CLASSES), 1)

    def forward(self, seen: Tensor) -> Tensor:
        """Return the logits of an input as ``network_input`` makes it."""
        x = self.stem(seen.permute(0, 3, 1, 2).float() / 127.5 - 1)
        kept = []
        for down, inner in zip(self.down, self.inner, strict=True):
            kept.append(x)
            x = down(x)
            x = x + inner(x)
        x = x + self.whole(x.mean((2, 3)))[:, :, None, None]
        for narrow, up in zip(self.narrow, self.up, strict=True):
            x = functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = up(x + kept.pop())
        return functional.pixel_shuffle(self.out(x), 2)


class Probabilities(nn.Module):
    """The network as it ships: probabilities for logits."""

    def __init__(self, network: OcclusionNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: Tensor) -> Tensor:
        """Return (N, 6, 128, 128) probabilities.

        ONNX Runtime takes a third of the whole network's time for a softmax over channels.
        """
        logits: Tensor = self.network(seen)
        odds = (logits - logits.amax(1, keepdim=True)).exp()
        return odds / odds.sum(1, keepdim=True)
