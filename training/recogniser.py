"""Recognition embeddings and landmarks, differentiable: the product's own networks.

They serve as losses and cannot serve as independent measurements too: figures on identity must come
from another recogniser, and figures on pose from other landmarks.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from streamanon import weights
from streamanon.detectors import mesh, mobilefacenet
from streamanon.face import landmarks as lm
from streamanon.face.network_input import CROP
from training.frozen import FrozenNetwork

NODES = [*lm.IBUG68, lm.RIGHT_IRIS_CENTRE, lm.LEFT_IRIS_CENTRE]

FOREHEAD = 0.2
"""Height above the nodes that belongs to the face, over their height."""

_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_NOSE_AND_MOUTH = (30, 48, 54)


class Recogniser(nn.Module):
    """MobileFaceNet, the recogniser of the product."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = FrozenNetwork(weights.path("mobilefacenet.onnx"))
        for name, rgb in (("mean", mobilefacenet.MEAN), ("std", mobilefacenet.STD)):
            self.register_buffer(name, torch.from_numpy(rgb / 255), persistent=False)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        """Embed faces.

        Args:
            image: (N, 3, 128, 128) BGR in 0..1.
            points: (N, 70, 2) nodes of the faces in crop px.

        Returns:
            (N, 128) unit vectors.
        """
        face = cut(image, template_to_crop(points), mobilefacenet.INPUT_PX).flip(1)
        embedded: Tensor = self.network((face - self.mean) / self.std)[0]
        return functional.normalize(embedded.float())


class NodeFinder(nn.Module):
    """The MediaPipe mesh, the landmark network of the product."""

    def __init__(self) -> None:
        super().__init__()
        self.network = FrozenNetwork(weights.path("face_mesh.onnx"))

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        """Find nodes.

        Args:
            image: (N, 3, 128, 128) BGR in 0..1.
            points: (N, 70, 2) approximate nodes, crop px; they give the region of interest.

        Returns:
            (N, 70, 2) nodes in crop px.
        """
        low, high = points.amin(1), points.amax(1)
        low = low - (high - low) * low.new_tensor([0.0, FOREHEAD])
        side = lm.ROI_SCALE * (high - low).amax(1)
        scale = side / mesh.INPUT_PX
        corner = (low + high - side[:, None]) / 2
        rows = [
            torch.stack([scale, torch.zeros_like(scale), corner[:, 0]], 1),
            torch.stack([torch.zeros_like(scale), scale, corner[:, 1]], 1),
        ]
        face = cut(image, torch.stack(rows, 1), mesh.INPUT_PX).flip(1)
        mesh_points: Tensor = self.network(face)[0]
        found = mesh_points.float().view(len(image), -1, 3)[:, NODES, :2]
        return found * scale[:, None, None] + corner[:, None]


def template_to_crop(points: Tensor) -> Tensor:
    """Return the (N, 2, 3) similarities from the recogniser's input to the crop.

    Least squared error between the template and the five points of (N, 70, 2) nodes, in closed form
    with points as complex numbers.
    """
    eyes = [points[:, part].mean(1, keepdim=True) for part in (_RIGHT_EYE, _LEFT_EYE)]
    five = torch.cat([*eyes, points[:, _NOSE_AND_MOUTH, :]], 1).float()
    seen = torch.view_as_complex(five.contiguous())
    template = (mobilefacenet.TEMPLATE @ np.array([1, 1j])).astype(np.complex64)
    wanted = torch.from_numpy(template).to(seen.device)
    centred = wanted - wanted.mean()
    middle = seen.mean(1)
    turn = (seen @ centred.conj()) / centred.abs().square().sum()
    shift = middle - turn * wanted.mean()
    rows = [
        torch.stack([turn.real, -turn.imag, shift.real], 1),
        torch.stack([turn.imag, turn.real, shift.imag], 1),
    ]
    return torch.stack(rows, 1)


def cut(image: Tensor, to_image: Tensor, side: int) -> Tensor:
    """Sample squares out of images, repeating their edge.

    Args:
        image: (N, 3, 128, 128) images.
        to_image: (N, 2, 3) affines from px of the square to crop px.
        side: side of the squares in px.

    Returns:
        (N, 3, side, side) float32; differentiable in the image.
    """
    steps = torch.arange(side, dtype=torch.float32, device=image.device)
    grid = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), 2).view(1, -1, 2)
    place = grid @ to_image[:, :, :2].transpose(1, 2) + to_image[:, None, :, 2]
    where = ((place * 2 + 1) / CROP - 1).view(-1, side, side, 2)
    return functional.grid_sample(image.float(), where, padding_mode="border", align_corners=False)
