"""A batch and the network's results for it, as float images."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from streamanon.anonygan.layering import blend, paste

RING_PX = 8
"""Width of the ring of known frame around the hole."""

TRUSTED = 0.6
"""Stretch from which a triangle holds enough of the portrait, 0..1."""


@dataclass(frozen=True)
class View:
    """Images are (N, 3, 128, 128) BGR in 0..1, maps (N, 1, 128, 128) in 0..1.

    Attributes:
        source: original crop; on ``truth`` rows it is the target.
        condition: crop of the portrait.
        points: (N, 70, 2) nodes of the source, crop px.
        condition_points: (N, 70, 2) nodes of the condition, px of its crop.
        maps: (N, 4, 128, 128) hole, eyes, mouth, stretch.
        image: generated image, before blending into the crop; not clamped.
        result: crop with the generated face.
        attention: share of the warped condition in ``image``.
        edge: opacity of ``image`` in ``result``.
        hole: 1 where the source is masked.
        openings: 1 in the eyes and the inside of the mouth.
        trusted: 1 where the warped condition needs no generated pixels.
        truth: (N,) bool, whether source and condition show one person.
    """

    source: Tensor
    condition: Tensor
    points: Tensor
    condition_points: Tensor
    maps: Tensor
    image: Tensor
    result: Tensor
    attention: Tensor
    edge: Tensor
    hole: Tensor
    openings: Tensor
    trusted: Tensor
    truth: Tensor

    @classmethod
    def of(cls, batch: dict[str, Tensor], parts: dict[str, Tensor]) -> Self:
        """Create a view of a batch and a network's outputs for it."""
        source, condition = _image(batch["target"]), _image(batch["condition"])
        maps = _image(batch["maps"])
        edge = batch["edge"].float()[:, None]
        image = blend(parts).float()
        openings = (maps[:, 1:3].amax(1, keepdim=True) > 0.1).float()
        return cls(
            source=source,
            condition=condition,
            points=batch["points"],
            condition_points=batch["condition_points"],
            maps=maps,
            image=image,
            result=paste(image, source, edge),
            attention=parts["attention"].float(),
            edge=edge,
            hole=(maps[:, :1] > 0).float(),
            openings=openings,
            trusted=(maps[:, 3:] > TRUSTED).float() * (1 - grown(openings, 2)),
            truth=batch["same_person"].bool(),
        )

    def rows(self, which: slice | Tensor) -> View:
        """Return a view of some samples: a slice, a (N,) bool mask or (k,) indices."""
        parts = {entry.name: getattr(self, entry.name)[which] for entry in fields(self)}
        return View(**parts)

    @property
    def ring(self) -> Tensor:
        """(N, 1, 128, 128): 1 on the ring of known frame around the hole."""
        return grown(self.hole, RING_PX) - self.hole


def grown(mask: Tensor, by_px: int) -> Tensor:
    """Return a (N, 1, h, w) mask grown by whole pixels."""
    across = functional.max_pool2d(mask, (1, 2 * by_px + 1), stride=1, padding=(0, by_px))
    return functional.max_pool2d(across, (2 * by_px + 1, 1), stride=1, padding=(by_px, 0))


def _image(array: Tensor) -> Tensor:
    """Return (N, c, h, w) float in 0..1 of (N, h, w, c) uint8."""
    return array.permute(0, 3, 1, 2).to(torch.float32) / 255
