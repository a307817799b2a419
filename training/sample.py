"""Grids of a network's results on fixed faces outside the training set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from streamanon.anonygan.layering import paste
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import UsageError
from streamanon.face import mouth
from streamanon.face.landmarks import head_pose
from streamanon.face.network_input import AlignedCondition, AlignedFace
from streamanon.identities.gallery import load_builtin, showing_most_teeth
from streamanon.imaging.picture import as_picture
from streamanon.types import U8, Identity
from training.data.dataset import collate, sample
from training.data.entries import read_entries
from training.data.prepare import look_at
from training.data.shards import Face, Faces
from training.view import View

CONDITIONS, SOURCES = 4, 8
"""Columns and rows of a grid."""

GAP_PX = 4


@dataclass(frozen=True)
class Samples:
    """The faces of a grid.

    Attributes:
        sources: faces that are replaced.
        conditions: identities that replace them.
    """

    sources: Sequence[AlignedFace]
    conditions: Sequence[AlignedCondition]

    @classmethod
    def of(cls, sources: Path | None, conditions: Path | None = None) -> Self:
        """Take the first faces of folders, or portraits of the built-in gallery.

        Args:
            sources: folder of pictures with faces to be replaced.
            conditions: folder of pictures of the identities.

        Raises:
            UsageError: A folder holds no face.
        """
        identities = load_builtin()
        by_skin = sorted(identities, key=lambda identity: float(identity.skin_lab[0]))
        worn = by_skin[len(by_skin) // (2 * CONDITIONS) :: len(by_skin) // CONDITIONS]
        rest = [identity for identity in identities if identity not in worn]
        teeth = showing_most_teeth(identities)
        assert teeth is not None
        default = mouth.texture(teeth.portrait, teeth.mesh.points[:, :2])
        wearers = _faces_in(sources, SOURCES) if sources else _faces_of(rest[:SOURCES])
        givers = _faces_in(conditions, CONDITIONS) if conditions else _faces_of(worn[:CONDITIONS])
        return cls(wearers, [_condition(face, default) for face in givers])

    def grid(self, network: AnonyGan) -> U8:
        """Draw the grid: a row per source, with the warp and the result for each condition."""
        device = next(network.parameters()).device
        rows = [self._header()]
        for source in self.sources:
            yaw = head_pose(source.points)[0]
            arrays = collate([sample(source, condition, yaw) for condition in self.conditions])
            arrays["same_person"] = np.zeros(len(self.conditions), np.bool_)
            batch = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
            with torch.no_grad():
                parts = network(batch)
                view = View.of(batch, parts)
                warped = paste(parts["underlay"].float(), view.source, view.edge)
            pairs = zip(as_pictures(warped), as_pictures(view.result), strict=True)
            rows.append([source.image, *(image for pair in pairs for image in pair)])
        return tiled(rows)

    def _header(self) -> list[U8]:
        blank = np.full_like(self.sources[0].image, 255)
        return [blank] + [
            image for condition in self.conditions for image in (condition.face.image, blank)
        ]


def _condition(face: AlignedFace, default_teeth: U8) -> AlignedCondition:
    points = face.points[:, :2]
    shows_teeth = mouth.opening(points) >= mouth.OPEN_FULLY
    return AlignedCondition.of_crop(
        face, mouth.texture(face.image, points) if shows_teeth else default_teeth
    )


def _faces_of(identities: Sequence[Identity]) -> list[AlignedFace]:
    return [AlignedFace.of(as_picture(each.portrait), each.mesh.points) for each in identities]


def _faces_in(folder: Path, count: int) -> list[AlignedFace]:
    found: list[Face] = []
    for entry in read_entries(folder):
        outcome = look_at(entry)
        if isinstance(outcome, Face):
            found.append(outcome)
        if len(found) == count:
            break
    if not found:
        raise UsageError(f"{folder} holds no picture of a face that could be anonymised")
    faces = Faces.of(found)
    return [faces.face(row) for row in range(len(faces))]


def as_pictures(images: torch.Tensor) -> list[U8]:
    """Return (h, w, 3) uint8 images of (N, 3, h, w) ones in 0..1."""
    rounded = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    return list(rounded.permute(0, 2, 3, 1).cpu().numpy())


def tiled(rows: Sequence[Sequence[U8]]) -> U8:
    """Lay equally large images out in rows."""
    height, width, _ = rows[0][0].shape
    canvas = np.full(
        (len(rows) * (height + GAP_PX), len(rows[0]) * (width + GAP_PX), 3), 255, np.uint8
    )
    for down, row in enumerate(rows):
        for across, image in enumerate(row):
            top, left = down * (height + GAP_PX), across * (width + GAP_PX)
            canvas[top : top + height, left : left + width] = image
    return canvas
