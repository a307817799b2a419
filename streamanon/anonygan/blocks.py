"""Convolutions with the initialisation a network without normalisation needs."""

import torch
from torch import Tensor, nn

from streamanon.face.network_input import NODES


def conv(
    inputs: int, outputs: int, size: int = 3, *, stride: int = 1, gain: float = 1.0
) -> nn.Conv2d:
    """Return a convolution that keeps the image's side (over ``stride``) and the signal's variance.

    Args:
        inputs: channels in.
        outputs: channels out.
        size: side of the kernel.
        stride: step in px.
        gain: standard deviation of the output for inputs of unit size.
    """
    layer = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2)
    nn.init.normal_(layer.weight, std=gain / (inputs * size * size) ** 0.5)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def conv_relu(inputs: int, outputs: int, size: int = 3, *, stride: int = 1) -> nn.Sequential:
    """Return a convolution and a ReLU that together keep the variance (He et al., 2015)."""
    return nn.Sequential(
        conv(inputs, outputs, size, stride=stride, gain=2**0.5), nn.ReLU(inplace=True)
    )


def channels_first(image: Tensor) -> Tensor:
    """Return (n, c, h, w) float32 in 0..1 of (n, h, w, c) uint8."""
    return image.permute(0, 3, 1, 2).float() / 255.0


def mask_hole(context: Tensor, maps: Tensor) -> Tensor:
    """Return the context without the pixels of the face to be hidden.

    Args:
        context: (n, 3, h, w) in 0..1.
        maps: (n, 4, h, w); the first is not zero in the hole.

    Returns:
        (n, 3, h, w), mid grey in the hole.
    """
    return (context - 0.5) * (1 - maps[:, :1].sign()) + 0.5


def conv_of_maps(outputs: int) -> nn.Conv2d:
    """Return a 1x1 convolution of landmark maps, with a large gain since these are sparse."""
    return conv(NODES, outputs, 1, gain=8.0)


def conv_to_pixels(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Return a sub-pixel convolution that doubles the side, initialised free of checkerboards.

    The four output pixels of an input pixel have the same initial weights (Aitken et al., 2017).
    """
    layer = conv(inputs, 4 * outputs, gain=gain)
    with torch.no_grad():
        layer.weight.copy_(layer.weight[::4].repeat_interleave(4, dim=0))
    return nn.Sequential(layer, nn.PixelShuffle(2))
