"""The product's networks give the same answers in training, and gradients."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from streamanon import weights
from streamanon.backends.onnx_runtime import OnnxRuntimeBackend
from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder
from streamanon.face import landmarks as lm
from streamanon.face.network_input import AlignedFace
from streamanon.imaging.picture import as_picture
from training.data.shards import load
from training.frozen import FrozenNetwork
from training.recogniser import NodeFinder, Recogniser


@pytest.fixture(scope="module")
def crops(data: Path) -> list[AlignedFace]:
    faces = load(data)
    return [faces.face(row) for row in range(len(faces))]


def tensors(faces: list[AlignedFace]) -> tuple[Tensor, Tensor]:
    image = torch.from_numpy(np.stack([face.image for face in faces]))
    points = torch.from_numpy(np.stack([face.nodes for face in faces]))
    return image.permute(0, 3, 1, 2).float() / 255, points


@pytest.mark.parametrize(("name", "side"), [("mobilefacenet.onnx", 112), ("face_mesh.onnx", 256)])
def test_a_batch_in_torch_is_what_onnx_runtime_says_of_each(name: str, side: int) -> None:
    images = np.random.default_rng(0).random((2, 3, side, side)).astype(np.float32)
    backend = OnnxRuntimeBackend(weights.path(name))
    network = FrozenNetwork(weights.path(name))
    assert not list(network.parameters())
    answers = network(torch.from_numpy(images))
    (given,) = {"mobilefacenet.onnx": ["input0"], "face_mesh.onnx": ["input"]}[name]
    for row in range(2):
        wanted = backend.run({given: images[row : row + 1]})
        for ours, theirs in zip(answers, wanted.values(), strict=True):
            scale = max(1.0, float(np.abs(theirs).max()))
            assert np.abs(ours[row].numpy() - theirs.ravel()).max() < 1e-4 * scale


def test_people_are_the_same_as_in_the_product(
    crops: list[AlignedFace], embedder: MobileFaceNetEmbedder
) -> None:
    image, points = tensors(crops)
    ours = Recogniser()(image, points).numpy()
    for row, face in enumerate(crops):
        theirs = embedder.embed(as_picture(face.image), lm.five_points_of_68(face.nodes[:68]))
        assert float(ours[row] @ theirs) > 0.98


def test_nodes_are_found_where_the_product_found_them(crops: list[AlignedFace]) -> None:
    image, points = tensors(crops)
    found = NodeFinder()(image, points + 1.0)
    assert float(torch.linalg.vector_norm(found - points, dim=2).mean()) < 1.5


def test_gradients_reach_the_image(crops: list[AlignedFace]) -> None:
    image, points = tensors(crops[:2])
    for network in (Recogniser(), NodeFinder()):
        seen = image.clone().requires_grad_()
        network(seen, points).sum().backward()
        assert seen.grad is not None
        assert float(seen.grad[:, :, 40:90, 40:90].abs().mean()) > 1e-6
