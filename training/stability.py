"""Consistency between frames: inputs moved a little, or with other noise.

The network is trained on stills. For temporal stability it is run again on the same face, moved,
and must give the same output, moved (equivariance), or with noise on landmarks and context, and
must give the same output.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from streamanon.face.network_input import CROP

REACH = (4.0, 0.04, 2.5)
"""Maximum rotation in degrees, change of size, and shift in px between both inputs."""

LANDMARK_PX, SENSOR = 0.5, 2.0
"""Standard deviation of the noise on landmarks, in crop px, and on the context, in 1/255."""

Batch = dict[str, Tensor]


def random_moves(count: int) -> Tensor:
    """Return (count, 2, 3) similarities within REACH about the crop's centre, in crop px."""
    turn, zoom, right, down = (2 * torch.rand(4, count) - 1).unbind()
    angle, scale = turn * math.radians(REACH[0]), 1 + zoom * REACH[1]
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    centre = (CROP - 1) / 2
    x = right * REACH[2] + centre - centre * (cosine - sine)
    y = down * REACH[2] + centre - centre * (sine + cosine)
    rows = [torch.stack(row, 1) for row in ((cosine, -sine, x), (sine, cosine, y))]
    return torch.stack(rows, 1)


def move_points(points: Tensor, moves: Tensor) -> Tensor:
    """Move (N, k, 2) points by (N, 2, 3) similarities."""
    return points @ moves[:, :, :2].transpose(1, 2) + moves[:, None, :, 2]


def move_image(image: Tensor, moves: Tensor) -> Tensor:
    """Move (N, c, h, w) images by (N, 2, 3) similarities given in crop px."""
    turn, shift = moves[:, :, :2], moves[:, :, 2]
    # In grid_sample's units, -1..1 over the whole image, pixel p lies at (2p + 1)/CROP - 1.
    centred = (2 * (turn.sum(2) * (CROP - 1) / 2 + shift) + 1) / CROP - 1
    inverse = torch.linalg.inv(turn)
    offset = -(inverse @ centred[:, :, None])
    grid = functional.affine_grid(
        torch.cat([inverse, offset], 2), list(image.shape), align_corners=False
    )
    return functional.grid_sample(image, grid, padding_mode="border", align_corners=False)


def moved(batch: Batch, moves: Tensor) -> Batch:
    """Return the inputs of the same faces, moved together with the background."""
    pictures = ("context", "maps", "warped")
    joined = torch.cat([batch[name].permute(0, 3, 1, 2).float() for name in pictures], 1)
    joined = move_image(joined, moves).round().to(torch.uint8).permute(0, 2, 3, 1)
    context, maps, warped = (part.contiguous() for part in torch.split(joined, [3, 4, 3], 3))
    lookup = move_image(batch["lookup"].permute(0, 3, 1, 2), moves).permute(0, 2, 3, 1)
    return batch | {
        "context": context,
        "maps": maps,
        "warped": warped,
        "lookup": lookup.contiguous(),
        "points": move_points(batch["points"], moves),
    }


def noisy(batch: Batch) -> Batch:
    """Return the same inputs with noise on landmarks and context."""
    points = batch["points"]
    context = batch["context"].float()
    context = context + SENSOR * torch.randn_like(context)
    return batch | {
        "points": points + LANDMARK_PX * torch.randn_like(points),
        "context": context.round().clamp(0, 255).to(torch.uint8),
    }
