"""Faces of the gallery as the networks are given them, and networks that are alive."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra torch is not installed")

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from streamanon.anonygan.config import GeneratorConfig
from streamanon.anonygan.network import AnonyGan
from streamanon.face import mouth
from streamanon.face.network_input import AlignedCondition, AlignedFace, network_inputs
from streamanon.identities.gallery import load_builtin
from streamanon.imaging.picture import as_picture

LIVE = GeneratorConfig("live", width=32, blocks=2)
BASE = GeneratorConfig("paper", width=16, blocks=2)
PAPER = GeneratorConfig(
    "paper", width=16, blocks=2, landmark_attention="pooled", warped=False, subpixel=False
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are no faster on many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def faces() -> dict[str, Tensor]:
    """Three faces of the gallery, each with its neighbour's identity."""
    identities = [one for one in load_builtin() if one.name in ("amara", "amos", "arun", "bjorn")]
    aligned = [AlignedFace.of(as_picture(i.portrait), i.mesh.points) for i in identities]
    samples = []
    for source, portrait in pairwise(aligned):
        condition = AlignedCondition.of_crop(portrait, mouth.dark_texture())
        samples.append(network_inputs(source, condition) | condition.arrays())
    return {
        name: torch.from_numpy(np.stack([sample[name] for sample in samples]))
        for name in samples[0]
    }


def awake(config: GeneratorConfig, faces: dict[str, Tensor]) -> AnonyGan:
    """Return a network in which nothing is zero or unscaled any more, as after some training."""
    torch.manual_seed(0)
    network = AnonyGan(config)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not module.weight.any():
            nn.init.normal_(module.weight, std=0.1 if isinstance(module, nn.Conv2d) else 1.0)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(faces)
    return network.eval()


@pytest.fixture(scope="session", params=[LIVE, BASE, PAPER], ids=["live", "base", "paper"])
def network(request: pytest.FixtureRequest, faces: dict[str, Tensor]) -> AnonyGan:
    """A small network of each kind."""
    return awake(request.param, faces)


@pytest.fixture(scope="session")
def live(faces: dict[str, Tensor]) -> AnonyGan:
    """A small live network."""
    return awake(LIVE, faces)
