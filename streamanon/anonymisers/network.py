"""The AnonyGAN network at work: identities prepared once and cached, faces generated in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamanon.errors import ModelError
from streamanon.face.bare_skin import bare_portrait
from streamanon.face.network_input import CONVENTION, CROP, AlignedCondition
from streamanon.face.network_output import GeneratorOutput
from streamanon.face.warp import Condition, inset_oval
from streamanon.protocols import Backend
from streamanon.types import U8, Identity

Arrays = dict[str, "NDArray[Any]"]


def check_cards(live: Mapping[str, Any], condition: Mapping[str, Any]) -> None:
    """Check that two networks were exported together, for the inputs that this version makes.

    Args:
        live: model card of ``anonygan.onnx`` (:func:`streamanon.weights.card.read_card`).
        condition: model card of ``anonygan_condition.onnx``.

    Raises:
        ModelError: They were not.
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
class PreparedIdentity:
    """What is computed once per identity.

    Attributes:
        aligned: crop of the portrait, as the network sees it.
        portrait: whole portrait, to be sampled at the frame's own resolution.
        arrays: inputs of the live network that depend on the identity alone.
    """

    aligned: AlignedCondition
    portrait: Condition
    arrays: Arrays


class FaceNetwork:
    """Both branches of AnonyGAN; used by one thread at a time."""

    def __init__(self, live: Backend, condition: Backend, teeth: U8 | None = None) -> None:
        """Wrap the loaded networks; ``teeth`` is a mouth for identities that show no teeth."""
        self.live, self._condition, self._teeth = live, condition, teeth
        self._prepared: dict[str, PreparedIdentity] = {}

    def prepare(self, identity: Identity) -> PreparedIdentity:
        """Return the prepared identity; the condition branch runs only the first time."""
        if identity.name not in self._prepared:
            bare = bare_portrait(identity)
            aligned = AlignedCondition.of(identity, bare, self._teeth)
            inputs = {name: array[None] for name, array in aligned.arrays().items()}
            output = {name: array[0] for name, array in self._condition.run(inputs).items()}
            portrait = Condition(bare, inset_oval(identity.mesh.points[:, :2]))
            arrays = output | {"condition_points": inputs["condition_points"][0]}
            self._prepared[identity.name] = PreparedIdentity(aligned, portrait, arrays)
        return self._prepared[identity.name]

    def generate(self, faces: Sequence[Mapping[str, NDArray[Any]]]) -> list[GeneratorOutput]:
        """Return the network's outputs for several faces, all in one run.

        Raises:
            ModelError: The network could not be run, or its outputs have wrong shapes.
        """
        if not faces:
            return []
        batch = {name: np.stack([face[name] for face in faces]) for name in faces[0]}
        output = self.live.run(batch)
        shapes = {
            "face": (len(faces), CROP, CROP, 3),
            "attention": (len(faces), CROP, CROP),
            "saturation": (len(faces), 1),
            "gain": (len(faces), 3, *output["gain"].shape[2:]),
            "bias": (len(faces), 3, *output["gain"].shape[2:]),
        }
        for name, shape in shapes.items():
            if output[name].shape != shape:
                raise ModelError(f"the network gave {name} {output[name].shape}, wanted {shape}")
        return [
            GeneratorOutput(
                np.asarray(output["face"][row], np.uint8),
                output["attention"][row].astype(np.float32) / 255,
                float(output["saturation"][row, 0]),
                *(
                    np.ascontiguousarray(output[name][row].transpose(1, 2, 0), np.float32)
                    for name in ("gain", "bias")
                ),
            )
            for row in range(len(faces))
        ]
