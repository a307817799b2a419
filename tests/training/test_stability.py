"""Moving inputs: every array moves alike."""

import torch
from torch import Tensor

from training import stability


def centres(image: Tensor) -> Tensor:
    """Return the (N, 2) centre of mass of (N, 1, h, w) images, in crop px."""
    _, _, height, width = image.shape
    cell = 128 / width
    at = [(torch.arange(side) + 0.5) * cell - 0.5 for side in (width, height)]
    mass = image.sum((1, 2, 3))
    return torch.stack([image.sum((1, 2)) @ at[0] / mass, image.sum((1, 3)) @ at[1] / mass], 1)


def spots(side: int) -> Tensor:
    at = (torch.arange(side) + 0.5) * 128 / side - 0.5
    x, y = torch.meshgrid(at, at, indexing="xy")
    spot = torch.exp(-((x - 40) ** 2 + (y - 90) ** 2) / 60)
    return spot.expand(5, 1, side, side)


def test_images_of_any_size_and_points_move_alike() -> None:
    torch.manual_seed(0)
    moves = stability.random_moves(5)
    wanted = stability.move_points(torch.tensor([40.0, 90.0]).expand(5, 1, 2), moves)[:, 0]
    assert (wanted - torch.tensor([40.0, 90.0])).abs().max() > 1
    for side in (128, 32):
        found = centres(stability.move_image(spots(side), moves))
        assert torch.allclose(found, wanted, atol=0.1)


def test_a_batch_moves_in_all_its_arrays(some: list[dict[str, Tensor]]) -> None:
    batch = some[0]
    still = torch.eye(2, 3).expand(len(batch["points"]), 2, 3)
    for name, array in stability.moved(batch, still).items():
        assert array.dtype == batch[name].dtype
        assert torch.allclose(array.float(), batch[name].float(), atol=0.01), name
    there = stability.moved(batch, still + torch.tensor([[0.0, 0, 3], [0, 0, 0]]))
    for name in ("context", "maps", "warped"):
        assert torch.equal(there[name][:, :, 3:], batch[name][:, :, :-3])
    assert torch.allclose(there["points"], batch["points"] + torch.tensor([3.0, 0]))
    assert torch.equal(there["condition"], batch["condition"])


def test_noise_changes_only_what_is_measured(some: list[dict[str, Tensor]]) -> None:
    torch.manual_seed(0)
    noisy = stability.noisy(some[0])
    differ = {name for name, array in noisy.items() if not torch.equal(array, some[0][name])}
    assert differ == {"context", "points"}
    apart = (noisy["points"] - some[0]["points"]).std()
    assert 0.3 < float(apart) < 0.7
