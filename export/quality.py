"""Checks that an exported network is alive and agrees with PyTorch; degradation of faster forms."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from export.graphs import CONDITION_INPUTS, batched
from streamanon.anonymisers.network import FaceNetwork
from streamanon.config import Config
from streamanon.errors import ModelError
from streamanon.face import landmarks as lm
from streamanon.factory import Factory
from streamanon.imaging.picture import as_picture

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from export.faces import Sample
    from streamanon.protocols import Backend
    from streamanon.types import U8

Arrays = dict[str, "NDArray[Any]"]

TOLERANCE = 1 / 255
"""Maximum difference between runtimes; images are 8 bits, so at most one level."""

MIN_CHANGE = 1e-5
"""Minimum difference of the outputs for another input."""

MAX_DROP = 0.02
"""Share of a figure of merit that a faster form may lose."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """Degradation of a form of the network, compared with the network as exported.

    Attributes:
        levels_mean: mean difference of the result, in levels of 255.
        levels_p99: 99th percentile of that difference.
        displacement: mean distance of the result's landmarks from the source's, in eye distances.
        displacement_exact: the same distance for the network as exported.
        cosine: mean cosine of the embeddings of both results, by MobileFaceNet.
    """

    levels_mean: float
    levels_p99: float
    displacement: float
    displacement_exact: float
    cosine: float

    @property
    def drop(self) -> float:
        """The larger relative loss of both figures of merit."""
        return max(self.displacement / self.displacement_exact - 1, 1 - self.cosine, 0.0)

    @property
    def accepted(self) -> bool:
        """Whether the loss is small enough to use the form."""
        return self.drop <= MAX_DROP

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        figures = {name: round(value, 5) for name, value in asdict(self).items()}
        return {**figures, "drop": round(self.drop, 5), "accepted": self.accepted}


def check_alive(run: Callable[[Arrays], Arrays], inputs: Arrays) -> None:
    """Check that the outputs of a network are not constant and depend on every input.

    Args:
        run: runs the network.
        inputs: inputs for several different faces.

    Raises:
        ModelError: An output is not finite, an image or map is constant, or an input has no effect.
            Outputs of one number per face, such as the saturation, may be constant.
    """
    answers = run(inputs)
    for name, answer in answers.items():
        if not np.isfinite(answer).all() or (answer.ndim > 2 and float(np.ptp(answer)) == 0):
            raise ModelError(f"the network is dead: {name} is constant or not finite: train longer")
    for name, array in inputs.items():
        moved = run(inputs | {name: np.roll(array, 1, axis=0)})
        if max(differences(answers, moved).values()) < MIN_CHANGE:
            raise ModelError(
                f"the network is dead: {name} does not change its answer: train longer"
            )


def check_close(wanted: Arrays, got: Arrays, who: str) -> None:
    """Check that two runtimes agree.

    Raises:
        ModelError: Their outputs differ.
    """
    for name, difference in differences(wanted, got).items():
        if difference > TOLERANCE * 1.001:
            raise ModelError(
                f"{who} gives another {name}: {difference:.4f} away, wanted {TOLERANCE:.4f}"
            )


def differences(wanted: Arrays, got: Arrays) -> dict[str, float]:
    """Return the largest difference of each output; levels of 8 bit images count as 1/255."""
    return {
        name: float(np.abs(array.astype(np.float64) - got[name]).max())
        / (255 if array.dtype == np.uint8 else 1)
        for name, array in wanted.items()
    }


class QualityMeter:
    """Measures results on samples with the product's own mesh and recogniser."""

    def __init__(self, samples: Sequence[Sample], condition: Backend, live: Backend) -> None:
        """Measure both exact branches, with which others are compared."""
        factory = Factory(Config())
        self._mesher, self._embedder = factory.mesher, factory.embedder
        self._samples = samples
        self._exact = self._shown(condition, live)
        self._places, self._people = self._measured(self._exact)

    def degradation(self, condition: Backend, live: Backend) -> Degradation:
        """Return the degradation of a form of both branches."""
        shown = self._shown(condition, live)
        places, people = self._measured(shown)
        away = np.concatenate(
            [
                np.abs(image.astype(np.int16) - exact)[sample.edge > 0.5].ravel()
                for sample, image, exact in zip(self._samples, shown, self._exact, strict=True)
            ]
        )
        return Degradation(
            levels_mean=float(away.mean()),
            levels_p99=float(np.percentile(away, 99)),
            displacement=float(places.mean()),
            displacement_exact=float(self._places.mean()),
            cosine=float((people * self._people).sum(axis=1).mean()),
        )

    def _shown(self, condition: Backend, live: Backend) -> list[U8]:
        """Return each sample's crop with the result in it."""
        faces = live_inputs([sample.inputs for sample in self._samples], condition)
        painted = FaceNetwork(live, condition).generate(faces)
        return [
            sample.face.blended(one.colour_transform().apply(sample.inputs["warped"]), sample.edge)
            for sample, one in zip(self._samples, painted, strict=True)
        ]

    def _measured(self, shown: Sequence[U8]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return (n,) displacements of landmarks and (n, 128) embeddings."""
        places, people = [], []
        for sample, image in zip(self._samples, shown, strict=True):
            picture = as_picture(image)
            mesh = self._mesher.fit(picture, lm.roi_from_mesh(sample.face.points))
            places.append(sample.face.displacement(mesh.points))
            people.append(self._embedder.embed(picture, lm.five_points(sample.face.points)))
        return np.array(places), np.array(people)


def live_inputs(faces: Sequence[Arrays], condition: Backend) -> list[Arrays]:
    """Return the live network's inputs: those of samples, with the condition branch's outputs."""
    own = batched([{name: face[name] for name in CONDITION_INPUTS} for face in faces])
    answers = condition.run(own)
    return [
        {name: array for name, array in face.items() if name != "condition"}
        | {name: answer[row] for name, answer in answers.items()}
        for row, face in enumerate(faces)
    ]
