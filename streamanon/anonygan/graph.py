"""Reasoning over a graph whose nodes are the landmarks of two faces."""

import torch
from torch import Tensor, nn

from streamanon.anonygan.config import NODE_WIDTH
from streamanon.face.network_input import NODES


class NodePool(nn.Module):
    """Pools a feature map at landmarks.

    Attributes:
        embedding: (landmarks, node width) learned embedding of each landmark.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.state = nn.Linear(width, NODE_WIDTH, bias=False)
        self.embedding = nn.Parameter(0.5 * torch.randn(NODES, NODE_WIDTH))

    def forward(self, features: Tensor, maps: Tensor) -> Tensor:
        """Return (n, landmarks, node width) nodes.

        Args:
            features: (n, width, h, w).
            maps: (n, landmarks, h * w), each landmark's map summing to 1.
        """
        pooled: Tensor = self.state(maps @ features.flatten(2).transpose(1, 2))
        return pooled + self.embedding


class LandmarkGraph(nn.Module):
    """Bipartite graph reasoning with literal nodes (fixes the paper's).

    The paper splits the channels of features that have already mixed both faces into halves and
    calls one the source and the other the condition. Here a node *is* a landmark of one of the
    faces: source nodes attend to condition nodes (bipartite edges, initialised between the same
    landmarks), a graph convolution mixes them as in GloRe (Chen et al., CVPR 2019), and the result
    is projected back around the landmarks.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = NodePool(width)
        self.key = nn.Linear(NODE_WIDTH, NODE_WIDTH, bias=False)
        self.edges = nn.Parameter(4.0 * torch.eye(NODES))
        self.mix = nn.Parameter(torch.randn(NODES, NODES) / NODES)
        self.state = nn.Linear(NODE_WIDTH, NODE_WIDTH, bias=False)
        self.paint = nn.Linear(NODE_WIDTH, width, bias=False)

    def forward(self, shape: Tensor, maps: tuple[Tensor, Tensor], condition: Tensor) -> Tensor:
        """Return what the graph adds to ``shape``.

        Args:
            shape: (n, width, h, w) features.
            maps: (n, landmarks, h * w) maps of the source: with peaks of 1, and with sums of 1.
            condition: (n, landmarks, node width) nodes of the condition.

        Returns:
            (n, width, h, w).
        """
        peaks, shares = maps
        source = self.pool(shape, shares)
        alike = self.key(source) @ condition.transpose(1, 2) / NODE_WIDTH**0.5
        received = source + torch.softmax(alike + self.edges, dim=-1) @ condition
        reasoned = self.state(torch.relu(received + self.mix @ received))
        painted: Tensor = self.paint(reasoned).transpose(1, 2) @ peaks
        return painted.reshape(shape.shape)


class SharedGraph(nn.Module):
    """Bipartite graph reasoning as published (after GloRe and BiGraphGAN).

    The two halves of the channels stand for the two faces. Each is projected onto nodes by the
    *other* one's assignment of pixels to nodes, convolved there, and projected back.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        half, nodes = width // 2, width // 4
        self.state = nn.Conv2d(half, half, 1)
        self.assign = nn.Conv2d(half, nodes, 1)
        self.back = nn.Conv2d(half, half, 1, bias=False)
        self.norm = nn.BatchNorm2d(half, eps=1e-4)
        self.reason = nn.ModuleList(NodeConvolution(half, nodes) for _ in range(2))

    def forward(self, shape: Tensor) -> Tensor:
        """Return (n, width, h, w) features for (n, width, h, w) features."""
        halves = shape.chunk(2, dim=1)
        states = [self.state(half).flatten(2) for half in halves]
        assigned = [self.assign(half).flatten(2) for half in halves]
        results = []
        for i, reason in enumerate(self.reason):
            nodes = reason(states[i] @ assigned[1 - i].transpose(1, 2))
            pixels = (nodes @ assigned[1 - i]).reshape(halves[i].shape)
            results.append(halves[i] + self.norm(self.back(pixels)))
        return torch.cat(results, dim=1)


class NodeConvolution(nn.Module):
    """A graph convolution: mix the nodes, then their states."""

    def __init__(self, states: int, nodes: int) -> None:
        super().__init__()
        self.nodes = nn.Conv1d(nodes, nodes, 1)
        self.states = nn.Conv1d(states, states, 1, bias=False)

    def forward(self, graph: Tensor) -> Tensor:
        """Return (n, states, nodes) for (n, states, nodes)."""
        mixed = self.nodes(graph.transpose(1, 2)).transpose(1, 2)
        reasoned: Tensor = self.states(torch.relu(graph + mixed))
        return reasoned
