"""How different two pictures look: LPIPS (Zhang et al., CVPR 2018) that tolerates small shifts.

Backbone and heads are those of ST-LPIPS (Ghildyal and Liu, ECCV 2022; PyPI stlpips_pytorch): an
AlexNet trained on ImageNet that blurs before it samples, and heads fitted to it. The heads of PyPI
lpips need torchvision's weights, which no package has. Values differ from those of LPIPS.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from streamanon.types import U8

_WEIGHTS = "weights/vST0.0/alex_shift_tolerant.pth"
_LAYERS = (
    "net.slice1.0",
    "net.slice2.5",
    "net.slice3.9",
    "net.slice4.11",
    "net.slice5.13",
)
_POOLED = (1, 2)
"""Layers before which features are pooled."""


class ShiftTolerantLpips:
    """The distance; 0 for pictures that are alike."""

    name = "ST-LPIPS (AlexNet)"

    def __init__(self) -> None:
        found = find_spec("stlpips_pytorch")
        assert found
        assert found.origin
        path = Path(found.origin).parent / _WEIGHTS
        self._state = torch.load(path, map_location="cpu", weights_only=True)

    @torch.inference_mode()
    def __call__(self, one: U8, other: U8) -> float:
        """Return the distance of two (h, w, 3) uint8 BGR pictures, 64 px or more a side."""
        rgb = torch.from_numpy(np.stack([one, other])[..., ::-1].copy()).permute(0, 3, 1, 2)
        scaled = rgb.float() / 127.5 - 1
        scaled = (scaled - self._state["scaling_layer.shift"]) / self._state["scaling_layer.scale"]
        total = 0.0
        for number, features in enumerate(self._features(scaled)):
            unit = features / (features.norm(dim=1, keepdim=True) + 1e-10)
            squares = (unit[:1] - unit[1:]).square()
            head = self._state[f"lin{number}.model.1.weight"]
            total += float(functional.conv2d(squares, head).mean())
        return total

    def _features(self, images: Tensor) -> Iterator[Tensor]:
        for number, layer in enumerate(_LAYERS):
            if number in _POOLED:
                images = _halved(functional.max_pool2d(images, 3, 1))
            weight, bias = self._state[f"{layer}.weight"], self._state[f"{layer}.bias"]
            padding = 2 if number == 0 else weight.shape[-1] // 2
            images = functional.conv2d(images, weight, bias, padding=padding)
            if number == 0:
                images = _halved(images)
            images = functional.relu(images)
            yield images


def _halved(features: Tensor) -> Tensor:
    """Return features blurred by (1, 2, 1) / 4, and every second of them."""
    line = torch.tensor([0.25, 0.5, 0.25])
    kernel = (line[:, None] * line).expand(features.shape[1], 1, 3, 3)
    padded = functional.pad(features, (2, 2, 2, 2), "reflect")
    return functional.conv2d(padded, kernel, stride=2, groups=features.shape[1])
