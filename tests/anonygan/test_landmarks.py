"""Landmarks as maps, and what each counts."""

import pytest
import torch
from torch import Tensor

from streamanon.anonygan.landmarks import (
    LandmarkAttention,
    PooledAttention,
    gaussian_maps,
    point_maps,
)


def centroid(maps: Tensor) -> Tensor:
    """Return the (n, k, 2) centres of mass in px of the maps."""
    grid = torch.arange(maps.shape[-1], dtype=torch.float32)
    total = maps.sum(dim=(2, 3))
    across = (maps.sum(dim=2) * grid).sum(dim=2) / total
    down = (maps.sum(dim=3) * grid).sum(dim=2) / total
    return torch.stack([across, down], dim=-1)


def test_a_gaussian_lies_where_its_landmark_does() -> None:
    points = torch.tensor([[[40.3, 77.8], [64.0, 50.0]]])
    in_cells = (points + 0.5) / 4 - 0.5
    torch.testing.assert_close(centroid(gaussian_maps(points, 32, 1.0)), in_cells)
    torch.testing.assert_close(centroid(gaussian_maps(points, 128, 2.0)), points)


def test_a_gaussian_peaks_at_one_and_falls_to_its_sigma() -> None:
    maps = gaussian_maps(torch.tensor([[[61.5, 61.5]]]), 32, 1.0)
    assert maps[0, 0, 15, 15] == pytest.approx(1)
    assert maps[0, 0, 15, 16] == pytest.approx(0.6065, abs=1e-3)


def test_shared_pixels_keep_the_place_and_rounded_ones_lose_it() -> None:
    points = torch.tensor([[[40.3, 77.8]]])
    torch.testing.assert_close(centroid(point_maps(points, subpixel=True)), points)
    rounded = point_maps(points, subpixel=False)
    torch.testing.assert_close(centroid(rounded), points.round())
    assert rounded.sum() == rounded.max() == 1


def test_a_landmark_beside_the_crop_is_drawn_at_its_border() -> None:
    maps = point_maps(torch.tensor([[[-5.0, 300.0]]]), subpixel=True)
    assert maps[0, 0, 127, 0] == 1


def test_published_attention_weighs_all_landmarks_alike(faces: dict[str, Tensor]) -> None:
    maps = torch.cat(
        [point_maps(faces[name], subpixel=False) for name in ("condition_points", "points")], dim=1
    )
    attention = PooledAttention()
    torch.nn.init.constant_(attention.mix.weight, 9.0)
    weights = attention(maps).detach()
    assert weights.std() < 1e-4
    assert weights.mean() == pytest.approx(0.5, abs=1e-3)


def test_mended_attention_tells_landmarks_and_faces_apart(faces: dict[str, Tensor]) -> None:
    torch.manual_seed(0)
    attention = LandmarkAttention(70, 2)
    weights = attention(faces["points"], faces["condition_points"])
    assert weights.shape == (3, 2, 70)
    assert 0 < weights.min() < weights.max() < 1
    assert weights.std(dim=2).min() > 1e-3
    assert (weights[0] - weights[1]).abs().max() > 1e-4
