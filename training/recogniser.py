"""Who a face is, differentiably: the product's MobileFaceNet in torch, and its alignment.

The network (Chen et al., 2018; inverted residuals after Sandler et al., 2018) is the one that ships
as ``mobilefacenet.onnx``, with its weights: batch norms are folded into the convolutions, in the
order of the graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from streamanon import weights
from streamanon.detectors.mobilefacenet import INPUT_PX, TEMPLATE
from streamanon.errors import ModelError

if TYPE_CHECKING:
    from pathlib import Path

_BOTTLENECKS = (
    (64, 64, 5, 2, 2),
    (64, 128, 1, 2, 4),
    (128, 128, 6, 1, 2),
    (128, 128, 1, 2, 4),
    (128, 128, 2, 1, 2),
)
"""Inverted residuals: channels in, out, how many, stride of the first, expansion."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet, for images in 0..1, channels R, G, B."""

_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_NOSE_AND_MOUTH = (30, 48, 54)


class _Bottleneck(nn.Module):
    """Expand, convolve each channel, project; with a skip where the shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.body = nn.Sequential(
            nn.Conv2d(inputs, wide, 1),
            nn.ReLU6(),
            nn.Conv2d(wide, wide, 3, stride, 1, groups=wide),
            nn.ReLU6(),
            nn.Conv2d(wide, outputs, 1),
        )
        self.skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.body(x)
        return x + answer if self.skips else answer


class MobileFaceNet(nn.Module):
    """Maps (N, 3, 112, 112) BGR in 0..1 to (N, 128) unit vectors; frozen."""

    mean: Tensor
    std: Tensor

    def __init__(self, path: Path | None = None) -> None:
        """Load the weights.

        Args:
            path: an ONNX file of this architecture; without one, that of the product.

        Raises:
            ModelError: the file holds another network.
        """
        super().__init__()
        blocks: list[nn.Module] = [
            _Bottleneck(outputs if again else inputs, outputs, 1 if again else stride, expansion)
            for inputs, outputs, count, stride, expansion in _BOTTLENECKS
            for again in range(count)
        ]
        self.body = nn.Sequential(
            nn.Conv2d(3, 64, 3, 2, 1),
            nn.ReLU6(),
            nn.Conv2d(64, 64, 3, 1, 1, groups=64),
            nn.ReLU(),
            nn.Conv2d(64, 64, 1),
            nn.ReLU(),
            *blocks,
            nn.Conv2d(128, 512, 1),
            nn.ReLU6(),
            nn.Conv2d(512, 512, 7, groups=512),
            nn.Conv2d(512, 128, 1),
        )
        self.register_buffer("mean", torch.tensor(_MEAN[::-1]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD[::-1]).view(3, 1, 1), persistent=False)
        self._load(path or weights.path("mobilefacenet.onnx"))
        self.eval().requires_grad_(requires_grad=False)

    def _load(self, path: Path) -> None:
        graph = onnx.load(path).graph
        held = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        stored = [
            [held[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"
        ]
        convolutions = [part for part in self.modules() if isinstance(part, nn.Conv2d)]
        shapes = [tuple(part.weight.shape) for part in convolutions]
        if shapes != [kernel.shape for kernel, _ in stored]:
            raise ModelError(f"{path} holds another network than MobileFaceNet's 51 convolutions")
        for number, (part, (kernel, bias)) in enumerate(zip(convolutions, stored, strict=True)):
            first = number == 0  # the image arrives as B, G, R, the kernel was trained on R, G, B
            part.weight.data = torch.from_numpy(kernel[:, ::-1].copy() if first else kernel.copy())
            assert part.bias is not None
            part.bias.data = torch.from_numpy(bias.copy())

    def forward(self, image: Tensor) -> Tensor:
        """Embed aligned faces."""
        answer = self.body((image - self.mean) / self.std)
        return functional.normalize(answer.flatten(1).float())


def align(image: Tensor, points: Tensor) -> Tensor:
    """Move faces so that their five points lie on the recogniser's template.

    The similarity with least squared error, in closed form with points as complex numbers.

    Args:
        image: (N, 3, h, w) float.
        points: (N, 70, 2) nodes in px of the image; the first 68 are the iBUG scheme's.

    Returns:
        (N, 3, 112, 112); differentiable in the image.
    """
    eyes = [points[:, part].mean(1, keepdim=True) for part in (_RIGHT_EYE, _LEFT_EYE)]
    five = torch.cat([*eyes, points[:, _NOSE_AND_MOUTH, :]], 1).float()
    seen = torch.view_as_complex(five.contiguous())
    wanted = torch.from_numpy((TEMPLATE @ np.array([1, 1j])).astype(np.complex64)).to(seen.device)
    centred = wanted - wanted.mean()
    middle = seen.mean(1, keepdim=True)
    turn = ((seen - middle) * centred.conj()).sum(1, keepdim=True) / centred.abs().square().sum()
    steps = torch.arange(INPUT_PX, dtype=torch.float32, device=seen.device)
    grid = torch.complex(*torch.meshgrid(steps, steps, indexing="xy")).flatten()
    place = (grid - wanted.mean()) * turn + middle
    height, width = image.shape[2:]
    where = torch.stack([place.real * 2 + 1, place.imag * 2 + 1], 2)
    where = where / where.new_tensor([width, height]) - 1
    where = where.view(-1, INPUT_PX, INPUT_PX, 2)
    return functional.grid_sample(image.float(), where, padding_mode="border", align_corners=False)
