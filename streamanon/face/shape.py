"""Whose shape a face has, apart from how it moves: a linear model of the mesh.

A mesh, brought to the canonical face's pose and size, is taken for a mean face, what the expression
does to it, and what is left: the person's *neutral*. After G2Face (H. Yang et al., "G2Face:
High-Fidelity Reversible Face Anonymization via Generative and Geometric Priors", 2024), which
takes geometry from a 3-D model and leaves out of it what tells who somebody is. The expression
basis here is learnt by ``python -m training shape`` from differences between pictures of the same
people, so that nothing of who they are is taken for expression. What a mesh shows otherwise of a
head that is turned is no shape either: chins slide forwards, cheeks fall in.

"Canonical" points are in the units of MediaPipe's canonical face (about a centimetre), x to the
image's right, y down, z away from the camera, as in a mesh.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import VERTICES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from streamanon.types import F32

SMILE = (44, 45)
"""Blendshapes, mouthSmile of either side, in whose direction nothing counts as shape.

Somebody who cries all the time would otherwise be made to smile, as blendshapes see that only in
part. With brows, too, recognisers find 13 instead of 9 of 102 people."""

BEYOND = 0.25
"""How far faces go beyond the portrait's shape, as a share of the way there."""

OPPOSITE = 0.86
"""How much of what sets a person apart their new shape must have in the opposite direction.

Chosen on 102 people: with it, the shapes measured in the results are as like to their own as to
those of others (mean cosine 0.01; 0.44 without, 0.89 with their own shape). On 250 others, without
their expressions: 0.06 (0.74 with their own shape), and 0.4 % of them match themselves where one in
a thousand strangers does (39 %)."""

MAX_AWAY = 0.35
"""Most that is taken away for it, root mean square in canonical units."""

MAX_CHANGE, ENOUGH = 0.55, 0.3
"""A shape changes by no more, root mean square in canonical units, if it then has that much of the
opposite of what sets the person apart: ears and necks stay, and a head would look pinched."""

MOUTH_WIDTH, MOUTH_REACH = (0.88, 1.1), 1.8
"""Range of a new mouth's width in that of the person's: smiles widen it as much as the person's,
and add up to a grimace; and the canonical units beyond the lips over which the face follows."""

NARROWEST = 0.85
"""Least share of its opening, over its width, that an eye keeps when it becomes the portrait's."""

MOUTH_FROM = 23
"""First blendshape, jawForward, of those of jaw and mouth, whose expression a new shape keeps.

With brows and eyes, too, a recogniser finds two to four more of 102 people."""

CORRECTIONS, FIRST_CORRECTIONS, LEAST_CORRECTION = 0.5, 8, 0.02
"""Share of a wrong expression that is taken out in a step, fewer the more steps were taken; steps
on the first sight of somebody; and the share that steps never fall below."""

MAX_CORRECTED = 0.35
"""Most by which a shape is changed for its expression, root mean square in canonical units."""

INWARDS = 2.5
"""Canonical units from the outline inwards over which a face that must keep its outline turns into
the portrait's."""

FACING_POWER = 8
"""Power of the cosine with which a sight counts less: 0.6 at 20 degrees, 0.06 at 45."""

FAR = 2.0
"""Distance from what is known, in those usual between sights, at which a sight counts half."""

MAX_WEIGHT = 250.0
"""Sights, at their full weight, that are remembered."""

MOST_TURNED = 0.87
"""Sine of the yaw, 60 degrees, from which on nothing is known of what turning does to meshes."""

CHILD_YEARS = (3, 6, 9, 12)
"""Ages whose shape is known, in years; in between and up to GROWN it is interpolated."""

GROWN = 16
"""Age from which on a face has everybody's shape, in years."""

_ACROSS = np.array([-1, 1, 1], np.float32)
_GAPS = np.linalg.norm(VERTICES[:, None] - VERTICES * _ACROSS, axis=2)
_IRISES = (473, 476, 475, 474, 477, 468, 471, 470, 469, 472)
_OTHER_SIDE = np.concatenate([_GAPS.argmin(axis=1), _IRISES])

_EYES = (
    (lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE),
    (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE),
)

_UPPER_LIP_RINGS = (
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
    (184, 74, 73, 72, 11, 302, 303, 304, 408),
    (183, 42, 41, 38, 12, 268, 271, 272, 407),
    (191, 80, 81, 82, 13, 312, 311, 310, 415),
)
_LOWER_LIP_RINGS = (
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
    (77, 90, 180, 85, 16, 315, 404, 320, 307),
    (96, 89, 179, 86, 15, 316, 403, 319, 325),
    (95, 88, 178, 87, 14, 317, 402, 318, 324),
)
"""Rings of the lips, outer to inner, without the corners of the mouth."""


@dataclass(frozen=True)
class Pose:
    """How a mesh lies in the frame: ``points = scale * canonical @ turn.T + shift``.

    Attributes:
        scale: px a canonical unit.
        turn: (3, 3) float64 rotation.
        shift: (3,) float64 px.
    """

    scale: float
    turn: NDArray[np.float64]
    shift: NDArray[np.float64]

    @classmethod
    def of(cls, points: F32) -> Pose:
        """Return the pose of a (478, 3) mesh."""
        turn, scale, middle = lm.pose_similarity(points)
        return cls(scale, turn, middle - scale * turn @ lm.POSE_ORIGIN)

    def canonical(self, points: F32) -> F32:
        """Return (n, 3) points of the frame in canonical units."""
        return np.asarray((points - self.shift) @ self.turn / self.scale, np.float32)

    def placed(self, offsets: F32) -> F32:
        """Return (n, 3) canonical differences between points as differences in px of the frame."""
        return np.asarray(self.scale * offsets @ self.turn.T, np.float32)

    @property
    def facing(self) -> float:
        """How squarely the face looks into the camera: the cosine of the angle away from it."""
        return float(self.turn[2, 2])

    @property
    def aside(self) -> float:
        """How far it is turned aside: the sine of its yaw, positive to the image's right."""
        return float(self.turn[2, 0])


def mirrored(points: NDArray[Any]) -> NDArray[Any]:
    """Return (..., 478, 3) canonical points as those of the face in a mirror."""
    return points[..., _OTHER_SIDE, :] * _ACROSS


@dataclass(frozen=True)
class ShapeModel:
    """What expressions do to a face, and what turning it does to its mesh.

    Attributes:
        mean: (478, 3) float32 canonical, everybody's neutral.
        expression: (52, 478, 3) float32 canonical, what a blendshape of 1 adds.
        spread: root mean square distance of one sight's neutral from the person's, canonical units.
        turning: (2, 478, 3) float32 canonical, what the sine of the yaw, and its square, add when a
            head turns to the image's right.
        childhood: (4, 478, 3) float32 canonical, what children of CHILD_YEARS differ by.
    """

    mean: F32
    expression: F32
    spread: float
    turning: F32
    childhood: F32

    @classmethod
    def of(
        cls, stored: Mapping[str, NDArray[Any]], childhood: NDArray[Any] | None = None
    ) -> ShapeModel:
        """Return the model of the arrays that ``python -m training shape`` wrote.

        Args:
            stored: those arrays.
            childhood: ``shape`` of what ``python -m training childhood`` wrote; None where nobody's
                age matters.
        """
        mean, expression, turning = (
            stored[name].astype(np.float32) for name in ("mean", "expression", "turning")
        )
        if childhood is None:
            childhood = np.zeros((len(CHILD_YEARS), *mean.shape))
        spread = float(stored["spread"])
        return cls(mean, expression, spread, turning, childhood.astype(np.float32))

    def at_age(self, years: float) -> F32:
        """Return (478, 3) float32 canonical: the mean neutral of people of an age."""
        return self.mean + self.growth(years)

    def growth(self, years: float) -> F32:
        """Return (478, 3) float32 canonical: what people of an age differ by from adults."""
        ages = (*CHILD_YEARS, GROWN)
        shares = [np.interp(years, ages, row) for row in np.eye(len(CHILD_YEARS), len(ages))]
        return np.tensordot(np.array(shares, np.float32), self.childhood, axes=1)

    def neutral(self, points: F32, blendshapes: F32) -> F32:
        """Return (478, 3) float32 canonical: a face without its expression, as if seen from ahead.

        Args:
            points: (478, 3) mesh, any units.
            blendshapes: (52,) of it.
        """
        pose = Pose.of(points)
        moved = self.moved(blendshapes) + self._turned(pose.aside)
        away = pose.canonical(points) - moved - self.mean
        away = away - np.vdot(away, self._smile) * self._smile
        return np.asarray(self.mean + away, np.float32)

    def moved(self, blendshapes: F32) -> F32:
        """Return (478, 3) float32 canonical: what (52,) blendshapes add to a neutral."""
        return np.asarray(np.tensordot(blendshapes, self.expression, axes=1), np.float32)

    def _turned(self, aside: float) -> F32:
        """Return (478, 3) float32 canonical: what turning a head adds to its mesh."""
        far = min(abs(aside), MOST_TURNED)
        added = np.tensordot(np.array([far, far**2], np.float32), self.turning, axes=1)
        return mirrored(added) if aside < 0 else np.asarray(added, np.float32)

    @cached_property
    def _smile(self) -> F32:
        """(478, 3) float32 unit vector: corners of the mouth up."""
        moved = self.expression[list(SMILE)].sum(axis=0)
        return np.asarray(moved / np.linalg.norm(moved), np.float32)


def shape_for(own: F32, other: F32, mean: F32) -> F32:
    """Return the shape to give a person: another's, with nothing of what sets the person apart.

    Hair, ears and neck stay, and whatever sees a face in them, a mesh or a person, takes it for
    part of what it was. So faces go beyond the other's shape; and what still sets them apart as it
    did the person, a wide jaw for example, is turned into its opposite. Fitted to the result, a
    mesh then has none of it, in either direction.

    Args:
        own: (478, 3) float32 canonical neutral of the person.
        other: (478, 3) float32 canonical neutral of whom they become.
        mean: (478, 3) float32 canonical, that of people of their age (:meth:`ShapeModel.at_age`).
    """
    wanted = other + np.float32(BEYOND) * (other - own)
    apart = own - mean
    square = max(float((apart * apart).sum()), 1e-6)
    shared = float(((wanted - mean) * apart).sum()) / square
    away = min(max(shared + OPPOSITE, 0.0), MAX_AWAY * float(np.sqrt(len(own) / square)))
    change = wanted - np.float32(away) * apart - own
    size = float(np.sqrt((change * change).sum() / len(own)))
    to_enough = (1 + ENOUGH) * square / max(-float((change * apart).sum()), 1e-6)
    share = min(1.0, max(MAX_CHANGE / max(size, 1e-6), to_enough))
    return _with_mouth_like(np.asarray(own + np.float32(share) * change, np.float32), own)


def _with_mouth_like(shape: F32, own: F32) -> F32:
    """Return a shape whose mouth is about as wide as the person's.

    Args:
        shape: (478, 3) float32 canonical.
        own: (478, 3) float32 canonical neutral of the person.
    """
    right, left = shape[lm.RIGHT_MOUTH_CORNER], shape[lm.LEFT_MOUTH_CORNER]
    usual = max(float(np.linalg.norm(own[lm.LEFT_MOUTH_CORNER] - own[lm.RIGHT_MOUTH_CORNER])), 1e-3)
    ratio = max(float(np.linalg.norm(left - right)), 1e-3) / usual
    factor = min(max(ratio, MOUTH_WIDTH[0]), MOUTH_WIDTH[1]) / ratio
    if factor == 1:
        return shape
    middle, half = (right + left) / 2, (left - right) / 2
    across = (shape - middle) @ half / float(half @ half)
    along = np.clip(across, -1, 1)[:, None] * half
    gaps = np.linalg.norm((shape - middle - along)[:, :2], axis=1)
    weight = np.exp(-((gaps / MOUTH_REACH) ** 2)) * (factor - 1)
    return np.asarray(shape + (weight * across)[:, None] * half, np.float32)


def reshaped(points: F32, own: F32, other: F32, inwards: F32 | None = None) -> F32:
    """Return a mesh with another person's shape and its own pose, gaze, blink and expression.

    Args:
        points: (478, 3) float32 mesh in frame px.
        own: (478, 3) float32 canonical neutral of the person.
        other: (478, 3) float32 canonical neutral of whom they become.
        inwards: (478,) float32 in 0..1, how far each point goes there; None for all the way.

    Returns:
        (478, 3) float32 frame px.
    """
    pose = Pose.of(points)
    offsets = other - own
    _keep_lips(offsets)
    _keep_lids(offsets, pose.canonical(points), own)
    if inwards is not None:
        offsets = offsets * inwards[:, None]
    return np.asarray(points + pose.placed(offsets), np.float32)


def _keep_lips(offsets: F32) -> None:
    """Let the lips of a face be as far apart as they are, in place.

    Closed mouths must stay closed, and the neutral of a portrait whose lips are a little apart
    would open them.
    """
    upper, lower = list(_UPPER_LIP_RINGS[-1]), list(_LOWER_LIP_RINGS[-1])
    apart = (offsets[lower] - offsets[upper]) / 2
    for above, below in zip(_UPPER_LIP_RINGS, _LOWER_LIP_RINGS, strict=True):
        offsets[list(above)] += apart
        offsets[list(below)] -= apart


def _keep_lids(offsets: F32, points: F32, own: F32) -> None:
    """Let shut eyes stay shut, and irises move with their eyes, in place.

    Args:
        offsets: (478, 3) float32 canonical, what is going to be added.
        points: (478, 3) float32 canonical, the face as it is.
        own: (478, 3) float32 canonical, the person's neutral.
    """
    for outline, iris in _EYES:
        upper, lower = list(outline[1:8]), list(outline[:8:-1])
        usual = own[lower] - own[upper]
        opening = float((points[lower, 1] - points[upper, 1]).sum() / max(usual[:, 1].sum(), 1e-3))
        share = np.float32(np.clip(opening, 0, 1))
        inner, outer = outline[8], outline[0]
        across, stretched = own[outer] - own[inner], offsets[outer] - offsets[inner]
        longer = float(np.linalg.norm(across + stretched) / np.linalg.norm(across))
        wider = offsets[lower] - offsets[upper]
        least = np.float32(NARROWEST * longer - 1) * np.maximum(usual[:, 1], 0)
        wider[:, 1] = np.maximum(wider[:, 1], least)
        middle = (offsets[lower] + offsets[upper]) / 2
        offsets[upper] = middle - share / 2 * wider
        offsets[lower] = middle + share / 2 * wider
        along = float((points[iris] - points[inner]) @ across / (across @ across))
        moved = offsets[list(outline)].mean(axis=0) + np.float32(along - 0.5) * stretched
        offsets[iris : iris + 5] = moved


def away_from_outline(mean: F32) -> F32:
    """Return (478,) float32: 0 on the outline of a face, 1 from :data:`INWARDS` inside.

    Args:
        mean: (478, 3) float32 canonical.
    """
    oval = mean[list(lm.FACE_OVAL), :2]
    gaps = np.linalg.norm(mean[:, None, :2] - oval, axis=2).min(axis=1)
    ramp = np.clip(gaps / INWARDS, 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


class NeutralEstimate:
    """A person's neutral as it becomes known over the frames of a track.

    A weighted mean in which a sight counts less the farther the head is turned, and the farther it
    is from what is known (Cauchy's weights); old sights are forgotten slowly.
    """

    def __init__(self, spread: float) -> None:
        """Create one that has seen nothing.

        Args:
            spread: spread of sights of one person (:attr:`ShapeModel.spread`).
        """
        self._spread = spread
        self._weight = 0.0
        self._mean: F32 | None = None

    def add(self, neutral: F32, facing: float) -> F32:
        """Take one sight into account and return what is known, (478, 3) float32 canonical.

        Args:
            neutral: (478, 3) float32 canonical.
            facing: how squarely the face is seen (:attr:`Pose.facing`).
        """
        weight = max(facing, 0.1) ** FACING_POWER
        if self._mean is None:
            self._mean, self._weight = neutral, weight
            return neutral
        away = float(np.sqrt(((neutral - self._mean) ** 2).sum(axis=1).mean()))
        weight /= 1 + (away / (FAR * self._spread)) ** 2
        self._weight = min(self._weight + weight, MAX_WEIGHT)
        self._mean = self._mean + np.float32(weight / self._weight) * (neutral - self._mean)
        return self._mean


class ExpressionKeeper:
    """Finds what a new shape needs for a face to do, to the eye, what it did in its own.

    A mouth whose corners hang, on somebody whose corners rise, turns a smile into a frown: what is
    somebody's shape in one face is an expression in another. So blendshapes of the reshaped mesh
    are compared with those of the person's, and what differs is taken out, step by step.
    """

    def __init__(self, model: ShapeModel, blendshapes: Callable[[F32], F32]) -> None:
        """Create one that corrects nothing yet.

        Args:
            model: tells what each blendshape adds to a face.
            blendshapes: returns the (52,) blendshapes of a (478, 3) mesh.
        """
        self._model, self._blendshapes = model, blendshapes
        self._steps = 0
        self.correction = np.zeros_like(model.mean)

    def look(self, points: F32, seen: F32, own: F32, other: F32) -> None:
        """Correct by one sight of the person.

        Args:
            points: (478, 3) mesh in frame px.
            seen: (52,) blendshapes of it.
            own: (478, 3) float32 canonical neutral of the person.
            other: (478, 3) float32 canonical, the shape it is to have, without a correction.
        """
        for _ in range(1 if self._steps else FIRST_CORRECTIONS):
            given = self._blendshapes(reshaped(points, own, other + self.correction))
            wrong = given - seen
            wrong[:MOUTH_FROM] = 0
            share = max(CORRECTIONS / (1 + self._steps / FIRST_CORRECTIONS), LEAST_CORRECTION)
            correction = self.correction - np.float32(share) * self._model.moved(wrong)
            size = float(np.sqrt((correction**2).sum() / len(correction)))
            self.correction = correction * np.float32(min(1, MAX_CORRECTED / max(size, 1e-6)))
            self._steps += 1
