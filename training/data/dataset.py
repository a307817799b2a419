"""Samples: pairs of a source and a condition as inputs of the network.

A sample depends on its number alone, so that a run can be resumed and split over processes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zlib import crc32

import cv2
import numpy as np

from streamanon.face import mouth
from streamanon.face.network_input import (
    AlignedCondition,
    AlignedFace,
    ConditionWarp,
    network_inputs,
)
from streamanon.identities.gallery import load_builtin, showing_most_teeth
from training.data import variation
from training.data.pairs import Kind, Pair, PairDrawer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamanon.types import U8
    from training.data.shards import Faces
    from training.recovery.pairs import Pairs

WORN_SHARE = 0.15
"""Share of sources degraded as by a bad camera."""

RELIT_SHARE = 0.6
"""Share of sources that are relit: photographs of faces are rarely dim or colourless, but scenes
are."""

RELIT_STRENGTH = 2.0
"""Maximum strength of relighting of a source."""

REFOCUSED_SHARE = 0.5
"""Share of conditions made softer or sharper."""

TOOTHLESS_SHARE = 0.2
"""Share of conditions with a closed mouth whose opened mouth stays dark."""

TURNED_DEG = 12.0
"""Yaw beyond which a face hides part of a cheek."""

STRENGTH = {Kind.SELF: (0.5, 2.0), Kind.SAME: (0.3, 1.2), Kind.CROSS: (0.4, 0.4)}
"""Minimum and maximum strength of relighting of the condition. It is strong where the target is
known: only there can the network learn to take light and skin tone from the frame."""


def kept_for_validation(faces: Faces | Pairs, share: float) -> NDArray[np.bool_]:
    """Return (n,) bool: the faces of about this share of the people, chosen by a hash."""
    limit = share * 2**32
    people = {person: crc32(person.encode()) < limit for person in set(faces.person.tolist())}
    return np.array([people[person] for person in faces.person.tolist()], np.bool_)


class PairDataset:
    """An endless sequence of samples.

    Attributes:
        faces: all faces.
    """

    def __init__(
        self,
        faces: Faces,
        *,
        mix: tuple[float, float, float] = (0.4, 0.35, 0.25),
        seed: int = 0,
        rows: NDArray[np.bool_] | None = None,
    ) -> None:
        """Prepare to draw samples.

        Args:
            faces: all faces.
            mix: shares of the kinds self, same and cross.
            seed: seed of everything random.
            rows: (n,) bool, the faces to use; None for all.

        Raises:
            UsageError: There are too few people, or no person has two pictures.
        """
        self.faces = faces
        self._seed = seed
        used = np.arange(len(faces)) if rows is None else np.flatnonzero(rows)
        self._pairs = PairDrawer(faces, mix, used)

    def __getitem__(self, number: int) -> dict[str, NDArray[Any]]:
        """Return sample ``number``.

        Returns:
            The arrays of :func:`network_inputs` and of :meth:`AlignedCondition.arrays`;
            ``target`` (128, 128, 3) uint8 BGR, the target of the result where ``same_person`` ()
            bool is true; ``edge`` (128, 128) float32 in 0..1, the opacity of the result; ``kind``
            () int64; ``source_row`` and ``condition_row`` () int64 of :attr:`faces`.
        """
        random = np.random.default_rng((self._seed, number))
        pair = self._pairs.draw(random)
        source = self.faces.face(pair.source)
        mirror = random.random() < 0.5
        if mirror:
            source = variation.mirrored(source)
        image = source.image
        if random.random() < RELIT_SHARE:
            image = variation.relit(image, random, random.uniform(0, RELIT_STRENGTH))
        if random.random() < WORN_SHARE:
            image = variation.worn(image, random)
        source = AlignedFace(image, source.points, source.to_frame)
        condition = self._condition(pair, random, mirror=mirror)
        return sample(source, condition, float(self.faces.pose[pair.source, 0])) | {
            "same_person": np.array(pair.kind != Kind.CROSS),
            "kind": np.array(int(pair.kind)),
            "source_row": np.array(pair.source),
            "condition_row": np.array(pair.condition),
        }

    def _condition(
        self, pair: Pair, random: np.random.Generator, *, mirror: bool
    ) -> AlignedCondition:
        """Return the condition of a pair whose source is mirrored or not."""
        face = self.faces.face(pair.condition)
        aside = float(self.faces.pose[[pair.source, pair.condition], 0].prod())
        both_turned = abs(aside) > TURNED_DEG**2  # then show the same cheek, the other is hidden
        flipped = random.random() < 0.5
        if both_turned:
            flipped = mirror != (aside < 0)
        if flipped:
            face = variation.mirrored(face)
        if pair.kind is Kind.SELF:
            face = variation.bent(face, random)
        image = variation.relit(face.image, random, random.uniform(*STRENGTH[pair.kind]))
        if random.random() < REFOCUSED_SHARE:
            image = variation.refocused(image, random)
        face = AlignedFace(image, face.points, face.to_frame)
        return AlignedCondition.of_crop(face, _teeth(face, random))


def sample(
    source: AlignedFace, condition: AlignedCondition, yaw_deg: float
) -> dict[str, NDArray[Any]]:
    """Return the arrays of one source and one condition, with ``target`` and ``edge``."""
    warp = ConditionWarp.of(source, condition)
    return {
        **network_inputs(source, condition, warp),
        **condition.arrays(),
        "target": source.image,
        "edge": warp.alpha(yaw_deg),
    }


def collate(samples: Sequence[dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return samples as one batch."""
    return {name: np.stack([each[name] for each in samples]) for name in samples[0]}


def _teeth(face: AlignedFace, random: np.random.Generator) -> U8:
    """Return the mouth texture of a condition: its own teeth, default ones, or none."""
    points = face.points[:, :2]
    if mouth.opening(points) >= mouth.OPEN_FULLY:
        return mouth.texture(face.image, points)
    return mouth.dark_texture() if random.random() < TOOTHLESS_SHARE else _default_teeth()


@lru_cache(maxsize=1)
def _default_teeth() -> U8:
    donor = showing_most_teeth(load_builtin())
    assert donor is not None
    return mouth.texture(donor.portrait, donor.mesh.points[:, :2])


def use_one_thread() -> None:
    """Keep OpenCV from starting threads: samples are made by several processes."""
    cv2.setNumThreads(1)
