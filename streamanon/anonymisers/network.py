"""The AnonyGAN network as anonymising uses it: identities remembered, faces painted in batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from streamanon.errors import ModelError
from streamanon.face.network_input import CONVENTION, CROP, AlignedCondition
from streamanon.face.network_output import Painted
from streamanon.face.warp import Condition, inset_oval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streamanon.protocols import Backend
    from streamanon.types import U8, Identity

Arrays = dict[str, "NDArray[Any]"]


def check_cards(live: Mapping[str, Any], condition: Mapping[str, Any]) -> None:
    """Make sure that two networks belong together and understand what they will be shown.

    Args:
        live: card of ``anonygan.onnx`` (:func:`streamanon.weights.card.read_card`).
        condition: card of ``anonygan_condition.onnx``.

    Raises:
        ModelError: they do not.
    """
    names = f"{live.get('name')} and {condition.get('name')}"
    if live.get("checkpoint_sha256") != condition.get("checkpoint_sha256"):
        raise ModelError(f"{names} were not trained together: export both from one checkpoint")
    for card in (live, condition):
        theirs = card.get("convention", {})
        for key, ours in CONVENTION.items():
            if theirs.get(key) != ours:
                raise ModelError(
                    f"{card.get('name')} was trained with {key} {theirs.get(key)!r}, this version "
                    f"of streamanon has {ours!r}: use the version that trained it, or train again"
                )


@dataclass(frozen=True)
class Known:
    """What is prepared of an identity, once.

    Attributes:
        aligned: its crop.
        portrait: its portrait, to be sampled at the frame's own resolution.
        arrays: what the live network is told of it.
    """

    aligned: AlignedCondition
    portrait: Condition
    arrays: Arrays


class FaceNetwork:
    """Both branches of AnonyGAN; used by one thread at a time.

    Attributes:
        live: the network that is run for every face of every frame.
    """

    def __init__(self, live: Backend, condition: Backend, teeth: U8 | None = None) -> None:
        """Take the loaded networks ``anonygan.onnx`` and ``anonygan_condition.onnx``.

        Args:
            live: run for every face of every frame.
            condition: run once for every identity.
            teeth: mouth texture for identities that show no teeth.
        """
        self.live, self._condition, self._teeth = live, condition, teeth
        self._known: dict[str, Known] = {}

    def know(self, identity: Identity) -> Known:
        """Return what is prepared of an identity; the condition branch runs at first sight."""
        if identity.name not in self._known:
            aligned = AlignedCondition.of(identity, self._teeth)
            inputs = {name: array[None] for name, array in aligned.arrays().items()}
            answer = {name: array[0] for name, array in self._condition.run(inputs).items()}
            portrait = Condition(identity.portrait, inset_oval(identity.mesh.points[:, :2]))
            told = answer | {"condition_points": inputs["condition_points"][0]}
            self._known[identity.name] = Known(aligned, portrait, told)
        return self._known[identity.name]

    def paint(self, faces: Sequence[Mapping[str, NDArray[Any]]]) -> list[Painted]:
        """Return what the network makes of faces, all in one run.

        Args:
            faces: the live network's inputs, without the batch axis.

        Raises:
            ModelError: the network could not be run, or answers in another form than it should.
        """
        if not faces:
            return []
        batch = {name: np.stack([face[name] for face in faces]) for name in faces[0]}
        answer = self.live.run(batch)
        shapes = {
            "face": (len(faces), CROP, CROP, 3),
            "attention": (len(faces), CROP, CROP),
            "saturation": (len(faces), 1),
            "gain": (len(faces), 3, *answer["gain"].shape[2:]),
            "bias": (len(faces), 3, *answer["gain"].shape[2:]),
        }
        for name, shape in shapes.items():
            if answer[name].shape != shape:
                raise ModelError(f"the network gave {name} {answer[name].shape}, wanted {shape}")
        return [
            Painted(
                np.asarray(answer["face"][row], np.uint8),
                answer["attention"][row].astype(np.float32) / 255,
                float(answer["saturation"][row, 0]),
                *(
                    np.ascontiguousarray(answer[name][row].transpose(1, 2, 0), np.float32)
                    for name in ("gain", "bias")
                ),
            )
            for row in range(len(faces))
        ]
