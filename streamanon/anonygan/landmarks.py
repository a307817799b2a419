"""Landmarks as input of the networks: maps, and attention weights."""

import torch
from torch import Tensor, nn

from streamanon.face.network_input import CROP, EYE_DISTANCE, EYES_DOWN


def gaussian_profiles(points: Tensor, side: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Return the Gaussians across and down whose products are those of ``gaussian_maps``.

    Args:
        points: (n, k, 2) float32 in px of the 128 px crop.
        side: side of the maps in px.
        sigma: standard deviation in px of the maps.

    Returns:
        two (n, k, side) float32 in 0..1.
    """
    cell = CROP / side
    grid = torch.arange(side, device=points.device, dtype=torch.float32)
    away = grid - ((points.float() + 0.5) / cell - 0.5).unsqueeze(-1)
    across, down = torch.exp(-(away**2) / (2 * sigma**2)).unbind(2)
    return across, down


def gaussian_maps(points: Tensor, side: int, sigma: float) -> Tensor:
    """Return (n, k, side, side) float32 maps: a Gaussian around each landmark, its peak 1.

    Args:
        points: (n, k, 2) float32 in px of the 128 px crop.
        side: side of the maps in px.
        sigma: standard deviation in px of the maps.
    """
    across, down = gaussian_profiles(points, side, sigma)
    return down.unsqueeze(-1) * across.unsqueeze(-2)


class LandmarkAttention(nn.Module):
    """Weights landmarks by their positions in both faces (fixes the paper's equation 1).

    The paper pools each landmark's map over the image and computes its weight from that. A map has
    one bright pixel wherever the landmark lies, so all are pooled to the same number and weighted
    equally. Here a landmark is described by its positions in both faces and their distance; what
    remains of equation 1 is a convolution over neighbouring landmarks and the sigmoid.

    Attributes:
        bias: (faces, landmarks) weight of a landmark before the sigmoid, at any position.
        centre: (2,) middle between the eyes, crop px.
    """

    centre: Tensor

    def __init__(self, landmarks: int, faces: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(
            nn.Conv1d(5, 8, 5, padding=2), nn.ReLU(), nn.Conv1d(8, faces, 5, padding=2)
        )
        self.bias = nn.Parameter(torch.full((faces, landmarks), 2.0))
        centre = torch.tensor([(CROP - 1) / 2, EYES_DOWN])  # made in forward, it would stall a GPU
        self.register_buffer("centre", centre, persistent=False)

    def forward(self, points: Tensor, condition_points: Tensor) -> Tensor:
        """Return (n, faces, landmarks) weights in 0..1 for (n, landmarks, 2) points in crop px."""
        source = (points - self.centre) / EYE_DISTANCE
        condition = (condition_points - self.centre) / EYE_DISTANCE
        away = torch.linalg.vector_norm(source - condition, dim=-1, keepdim=True)
        described = torch.cat([source, condition, away], dim=-1).transpose(1, 2)
        weights: Tensor = torch.sigmoid(self.mix(described).float() + self.bias)
        return weights


class PooledAttention(nn.Module):
    """Weights landmarks as published (equation 1), which is one half for each of them.

    omega = sigmoid(conv1d(average pool(maps))), a kernel of three over the channels, no bias.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return (n, landmarks) weights in 0..1 for (n, landmarks, h, w) maps."""
        pooled = maps.mean(dim=(2, 3)).unsqueeze(1)
        weights: Tensor = torch.sigmoid(self.mix(pooled)).squeeze(1)
        return weights


def point_maps(points: Tensor, *, subpixel: bool) -> Tensor:
    """Return a bright pixel for each landmark, as the paper encodes them.

    Args:
        points: (n, k, 2) float32 in crop px.
        subpixel: share a landmark among the four pixels around it (fixed) instead of rounding it
            to one (as published).

    Returns:
        (n, k, 128, 128) float32 in 0..1, each summing to 1 inside the crop.
    """
    places = points.float().clamp(0, CROP - 1)
    if not subpixel:
        places = places.round()
    grid = torch.arange(CROP, device=points.device, dtype=torch.float32)
    across, down = (1 - (grid - places.unsqueeze(-1)).abs()).clamp(min=0).unbind(2)
    return down.unsqueeze(-1) * across.unsqueeze(-2)
