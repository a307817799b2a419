"""What discriminators are shown instead."""

import torch

from training.augment import augment


def test_images_side_by_side_change_alike_and_maps_keep_their_values() -> None:
    torch.manual_seed(1)
    image = torch.rand(4, 3, 64, 64) - 0.5
    maps = (torch.rand(4, 2, 64, 64) > 0.5).float()
    stacked = augment(torch.cat([image, image, maps], 1), colours=6)
    assert torch.allclose(stacked[:, :3], stacked[:, 3:6], atol=1e-6)
    assert not torch.allclose(stacked[:, :3], image, atol=0.1)
    assert set(stacked[:, 6:].flatten().tolist()) == {0.0, 1.0}
    assert not torch.equal(stacked[:1], augment(torch.cat([image, image, maps], 1)[:1], colours=6))


def test_gradients_pass() -> None:
    image = torch.rand(2, 3, 32, 32, requires_grad=True)
    torch.autograd.backward(augment(image, colours=3).square().sum())
    assert image.grad is not None
    assert float(image.grad.abs().mean()) > 0.01
