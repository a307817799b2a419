"""Whether an exported network is alive, agrees with PyTorch, and what a faster form loses."""

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

CLOSE = 1 / 255
"""Largest difference between runtimes; images are 8 bits, so at most one level."""

MOVED = 1e-5
"""Least difference that another input has to make."""

MOST_DROP = 0.02
"""Share of a face figure that a faster form may cost."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a form of the network costs, against the network as it was exported.

    Attributes:
        levels_mean: mean difference of the composed face, in levels of 255.
        levels_p99: 99th percentile of the same.
        displacement: mean distance of the result's landmarks from the source's, in eye distances.
        displacement_exact: the same of the network as it was exported.
        cosine: mean likeness of the result to the exact one, by MobileFaceNet.
    """

    levels_mean: float
    levels_p99: float
    displacement: float
    displacement_exact: float
    cosine: float

    @property
    def drop(self) -> float:
        """The larger share of a face figure that is lost."""
        return max(self.displacement / self.displacement_exact - 1, 1 - self.cosine, 0.0)

    @property
    def accepted(self) -> bool:
        """Whether that is little enough."""
        return self.drop <= MOST_DROP

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        figures = {name: round(value, 5) for name, value in asdict(self).items()}
        return {**figures, "drop": round(self.drop, 5), "accepted": self.accepted}


def check_alive(run: Callable[[Arrays], Arrays], inputs: Arrays) -> None:
    """Make sure a network says something, and something else for any other input.

    Args:
        run: runs it.
        inputs: of several faces, none like another.

    Raises:
        ModelError: an answer is not finite, an image or map is constant, or an input does not
            matter; a number a face, such as the saturation, may be the same for all.
    """
    answers = run(inputs)
    for name, answer in answers.items():
        if not np.isfinite(answer).all() or (answer.ndim > 2 and float(np.ptp(answer)) == 0):
            raise ModelError(f"the network is dead: {name} is constant or not finite: train longer")
    for name, array in inputs.items():
        moved = run(inputs | {name: np.roll(array, 1, axis=0)})
        if max(differences(answers, moved).values()) < MOVED:
            raise ModelError(
                f"the network is dead: {name} does not change its answer: train longer"
            )


def check_close(wanted: Arrays, got: Arrays, who: str) -> None:
    """Make sure two runtimes agree.

    Raises:
        ModelError: they do not.
    """
    for name, difference in differences(wanted, got).items():
        if difference > CLOSE * 1.001:
            raise ModelError(
                f"{who} gives another {name}: {difference:.4f} away, wanted {CLOSE:.4f}"
            )


def differences(wanted: Arrays, got: Arrays) -> dict[str, float]:
    """Return the largest difference of each answer; levels of 8 bit images count as 1/255."""
    return {
        name: float(np.abs(array.astype(np.float64) - got[name]).max())
        / (255 if array.dtype == np.uint8 else 1)
        for name, array in wanted.items()
    }


class Jury:
    """Composes the faces of samples and judges them by the product's own mesh and recogniser."""

    def __init__(self, samples: Sequence[Sample], condition: Backend, live: Backend) -> None:
        """Take both branches, that others are compared with."""
        factory = Factory(Config())
        self._mesher, self._embedder = factory.mesher, factory.embedder
        self._samples = samples
        self._exact = self._shown(condition, live)
        self._places, self._people = self._judged(self._exact)

    def loss(self, condition: Backend, live: Backend) -> Loss:
        """Return what a form of both branches costs."""
        shown = self._shown(condition, live)
        places, people = self._judged(shown)
        away = np.concatenate(
            [
                np.abs(image.astype(np.int16) - exact)[sample.edge > 0.5].ravel()
                for sample, image, exact in zip(self._samples, shown, self._exact, strict=True)
            ]
        )
        return Loss(
            levels_mean=float(away.mean()),
            levels_p99=float(np.percentile(away, 99)),
            displacement=float(places.mean()),
            displacement_exact=float(self._places.mean()),
            cosine=float((people * self._people).sum(axis=1).mean()),
        )

    def _shown(self, condition: Backend, live: Backend) -> list[U8]:
        """Return each sample's crop with the result in it."""
        faces = told([sample.inputs for sample in self._samples], condition)
        painted = FaceNetwork(live, condition).generate(faces)
        return [
            sample.face.blended(one.colour_transform().apply(sample.inputs["warped"]), sample.edge)
            for sample, one in zip(self._samples, painted, strict=True)
        ]

    def _judged(self, shown: Sequence[U8]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return how far (n,) landmarks are displaced, and (n, 128) who is seen."""
        places, people = [], []
        for sample, image in zip(self._samples, shown, strict=True):
            picture = as_picture(image)
            mesh = self._mesher.fit(picture, lm.roi_from_mesh(sample.face.points))
            places.append(sample.face.displacement(mesh.points))
            people.append(self._embedder.embed(picture, lm.five_points(sample.face.points)))
        return np.array(places), np.array(people)


def told(faces: Sequence[Arrays], condition: Backend) -> list[Arrays]:
    """Return the live network's inputs: those of samples, with the condition branch's answers."""
    own = batched([{name: face[name] for name in CONDITION_INPUTS} for face in faces])
    answers = condition.run(own)
    return [
        {name: array for name, array in face.items() if name != "condition"}
        | {name: answer[row] for name, answer in answers.items()}
        for row, face in enumerate(faces)
    ]
