"""The critics."""

import pytest
import torch
from torch import Tensor

from training.patch_discriminator import PARTS, PatchDiscriminator, part_maps


@pytest.mark.parametrize(("inputs", "size"), [(3 + 3, 6_965_441), (3 + 68, 7_032_001)])
def test_published_discriminators_have_the_published_size(inputs: int, size: int) -> None:
    with torch.device("meta"):
        critic = PatchDiscriminator.paper(inputs)
        results = critic(torch.empty(2, inputs, 128, 128))
    assert sum(p.numel() for p in critic.parameters()) == size
    assert len(results) == 6
    assert results[-1].shape == (2, 1, 6, 6)


def test_a_narrow_discriminator_judges_patches_of_each_image_alone() -> None:
    torch.manual_seed(0)
    critic = PatchDiscriminator.narrow(6)
    images = torch.rand(2, 6, 128, 128) * 2 - 1
    logits = critic(images)[-1]
    assert logits.shape == (2, 1, 14, 14)
    assert logits.std() > 1e-3
    torch.testing.assert_close(critic(images[:1])[-1], logits[:1], atol=1e-5, rtol=1e-4)


def test_parts_hold_every_landmark_once(faces: dict[str, Tensor]) -> None:
    assert sorted(i for part in PARTS for i in part) == list(range(70))
    maps = part_maps(faces["points"])
    assert maps.shape == (3, len(PARTS), 128, 128)
    for i, part in enumerate(PARTS):
        for x, y in faces["points"][0, list(part)].round().int().tolist():
            if 0 <= x < 128 and 0 <= y < 128:
                assert maps[0, i, y, x] > 0.7
    assert maps.max() <= 1
