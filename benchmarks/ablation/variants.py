"""The default method with a part left out: the part is replaced while pictures are anonymised."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np

from streamanon.anonymisers import reshaping
from streamanon.anonymisers.network import Arrays, FaceNetwork
from streamanon.face import shading
from streamanon.face.network_output import GeneratorOutput
from streamanon.identities.gallery import load_builtin
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.types import F32, Identity

Part = tuple[object, str, object]
"""What holds a part, the part's name there, and what takes its place."""


@dataclass(frozen=True)
class Variant:
    """A way to run the default method.

    Attributes:
        about: the part that is left out.
        parts: replaced objects, and their replacements.
        settings: settings that differ from the defaults.
    """

    about: str
    parts: Sequence[Part] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def replaced(self) -> AbstractContextManager[object]:
        """Return a context in which the parts are replaced, for this whole process."""
        stack = ExitStack()
        for holder, name, instead in self.parts:
            stack.enter_context(patch.object(holder, name, instead))
        return stack


def _own_shape(own: F32, _other: F32, _mean: F32) -> F32:
    return own


def _held_outline(_points: F32, _others: Sequence[F32]) -> float:
    return 0.0


def _all_names(_: IdentityAssigner, identities: list[Identity]) -> set[str]:
    return {one.name for one in identities}


def _unlit(network: FaceNetwork, faces: Sequence[Arrays]) -> list[GeneratorOutput]:
    return [
        replace(one, saturation=1.0, gain=np.zeros_like(one.gain), bias=np.zeros_like(one.bias))
        for one in _GENERATE(network, faces)
    ]


def _even_light(*_: object) -> F32:
    plane = np.ones((shading.LIGHT_SIZE, shading.LIGHT_SIZE, 3), np.float32)
    return np.concatenate([plane, 0 * plane], axis=2)


_GENERATE = FaceNetwork.generate
_NETWORK_LIGHT: Part = (FaceNetwork, "generate", _unlit)
_FRAME_LIGHT: Part = (shading, "light_field", _even_light)


def variants() -> dict[str, Variant]:
    """Return the variants by name, the default method itself first."""
    one = load_builtin()[0].name
    return {
        "anonygan": Variant("nothing left out"),
        "own shape": Variant(
            "the shape of the portrait, outline included",
            [(reshaping, "shape_for", _own_shape)],
        ),
        "own outline": Variant(
            "moving the outline and what is around it", [(reshaping, "_strength", _held_outline)]
        ),
        "nearest portrait": Variant(
            "the seed's choice: the portrait nearest in skin and age is taken",
            [(IdentityAssigner, "_unlike", _all_names)],
        ),
        "one portrait": Variant(
            "the gallery: everybody becomes the same person", settings={"identity": one}
        ),
        "no light of the network": Variant("the network's correction of light", [_NETWORK_LIGHT]),
        "no light of the frame": Variant("the transfer of the frame's light", [_FRAME_LIGHT]),
        "no network (warp)": Variant("the network", settings={"method": "warp"}),
    }
