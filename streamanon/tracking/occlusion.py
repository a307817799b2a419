"""What is in front of one face over time, by two cues that know nothing of each other.

The first is the occlusion network, steadied in time. The second confirms it from colours alone: a
colour that most parts of the face have is the face's. A hand, which has the face's colours, is
confirmed where the picture is not what it usually is there on this face.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.types import OCCLUSION_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8

SIDE = 128
SKIN, HAIR, GLASSES, HAND, THING, OUTSIDE = range(len(OCCLUSION_CLASSES))

STEADY, CHANGE = 0.7, 5.0
"""Share of what was seen before in what is seen now, where nothing changes; change in 8 bit levels
at which a third of that is left."""

_KEPT = (STEADY * np.exp(-np.arange(256) / CHANGE)).astype(np.float32)

SURE = (0.35, 0.65)
"""Probabilities of being in front from which on something begins to be shown, and is in full."""

PARTS = (
    (109, 10, 338, 337, 9, 108),  # forehead
    (117, 118, 101, 36, 205, 187, 123),  # right cheek
    (346, 347, 330, 266, 425, 411, 352),  # left cheek
    (168, 197, 195, 5, 4, 45, 275),  # nose
    (43, 106, 182, 83, 18, 313, 406, 335, 273, 422, 202),  # chin
)
"""Mesh points around the parts of a face that its colours are taken from."""

FEATURES = (
    *(lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.OUTER_LIPS),
    (48, 64, 98, 97, 2, 326, 327, 294, 278, 4),  # nostrils
)
"""Outlines of what has colours that most of the face has not."""

INTO_PX = 4
"""How far hair and glasses are followed into eyes, brows and lips, in px of the crop."""

QUORUM = 3
"""Parts of the face that have a colour, from which on it is the face's."""

STEPS, SHARE = (20, 8, 8), 0.04
"""Steps of lightness, a and b in which colours are counted, and the share of a part that counts."""

_LEVELS = (13, 16, 16)
_INDEX = [
    (np.clip((np.arange(256) - low) // step, 0, count - 1) * stride).astype(np.int32)
    for low, step, count, stride in zip((0, 64, 64), STEPS, _LEVELS, (256, 16, 1), strict=True)
]
"""Of each channel's 256 values, what they add to the number of a colour."""

MEMORY_S = 1.0
"""Time constant with which the face's colours follow what is seen."""

LOOK_EVERY = 4
"""Frames between two looks at the colours of a face that nothing is in front of."""

CELLS = 32
"""Cells a side of the crop in which it is remembered how a face usually looks."""

KNOWN_AFTER, REMEMBERED = 4, 30
"""Sights of a cell after which it is known, and how many are remembered."""

LIKELY = 0.4
"""Probability from which on a pixel belongs to a hand, a thing or glasses."""

FREE = 0.1
"""Probability that a cell is covered, below which it shows how the face looks."""

UNUSUAL = 1.6
"""Deviations from what is usual, from which on a hand may be there."""

SOME_HAND = 0.1
"""Share of something that the network takes for a hand rather than a thing, from which on it may
have the face's colours."""

AGREED, STILL_AGREED = 0.4, 0.15
"""Share of something that must be confirmed for all of it to be; and for what was a frame ago."""

BEYOND = 0.04
"""Share of a thing or a hand that must lie beside the face: it comes from somewhere."""

RIM_PX, DEEP_PX, REACH_PX = 7, 13, 17
"""Twice the width of the rim of the face in which nothing begins; twice the depth that hair must
reach, for beside the face it moves with its surroundings; twice the distance to which it is shown
beyond; all in px of the crop."""

MIN_OVER = 30
"""Pixels of the face that a hand or a thing covers at least, and hair deep inside it."""

HALVES = ((0.22, 0.47), (0.53, 0.84))
"""Where in the height of a face its eyes are, and nose and mouth."""

MOST, NEVER = (0.3, 0.4), 0.7
"""Share of such a half below which what hides it is shown, above which no longer, and above which
it is gone at once: an audit takes half a face that is unchanged for a leak, and cannot know that it
was a hand."""

FADE_S = 0.2
"""Time in which something appears or disappears."""

MIN_GLASSES, FEW_GLASSES = 90, 50
"""Pixels of glasses from which on they are shown, and below which no longer."""


@dataclass(frozen=True)
class InFront:
    """What is in front of a face, in the crop.

    Attributes:
        seen: (128, 128) float32 0..1, by the network.
        things: (128, 128) float32 0..1, hands and things that colours confirm.
        thin: (128, 128) float32 0..1, hair and glasses; what has a colour of the face is not.
        colours: table of the face's colours, for :func:`is_of_the_face`.
    """

    seen: F32
    things: F32
    thin: F32
    colours: NDArray[np.bool_]


@dataclass
class _Usual:
    """How a face usually looks in the cells of its crop."""

    mean: F32 = field(default_factory=lambda: np.zeros((CELLS, CELLS, 3), np.float32))
    square: F32 = field(default_factory=lambda: np.zeros((CELLS, CELLS, 3), np.float32))
    sights: F32 = field(default_factory=lambda: np.zeros((CELLS, CELLS), np.float32))

    def deviation(self, lab: F32, face: NDArray[np.bool_]) -> F32:
        """Return (CELLS, CELLS) float32: how far cells are from usual, 0 where none is known."""
        known = self.sights >= KNOWN_AFTER
        gap = lab - self.mean
        if (known & face).any():
            gap = gap - np.median(gap[known & face], axis=0)  # the light as a whole
        spread = np.sqrt(np.maximum(self.square - self.mean**2, 0)) + np.array(
            (9, 4, 4), np.float32
        )
        return np.where(known, np.sqrt(((gap / spread) ** 2).sum(axis=2)), 0).astype(np.float32)

    def add(self, lab: F32, free: NDArray[np.bool_]) -> None:
        """Remember the cells in which nothing is in front."""
        self.sights[free] = np.minimum(self.sights[free] + 1, REMEMBERED)
        rate = (free / np.maximum(self.sights, 1))[:, :, None].astype(np.float32)
        self.mean += rate * (lab - self.mean)
        self.square += rate * (lab**2 - self.square)


class OcclusionMemory:
    """One face over time."""

    def __init__(self) -> None:
        """Create one that has seen nothing."""
        self._crop: U8 | None = None
        self._classes: F32 | None = None
        self._colours: F32 | None = None
        self._usual = _Usual()
        self._things = np.zeros((SIDE, SIDE), bool)
        self._glasses = False
        self._time_s = 0.0
        self._looks = 0
        self._shown = 1.0

    def look(self, crop: U8, classes: F32, points: F32, time_s: float) -> InFront | None:
        """Take in a frame and return what is in front of the face; None for nothing.

        Args:
            crop: (128, 128, 3) uint8 BGR.
            classes: (6, 128, 128) float32 probabilities of OCCLUSION_CLASSES.
            points: (478, 2) float32 mesh in px of the crop.
            time_s: of the frame.
        """
        classes = self._steadied(crop, classes)
        hull = _filled(points)
        inner = cv2.erode(hull, np.ones((RIM_PX,) * 2, np.uint8)) > 0
        front = classes[HAIR] + classes[GLASSES] + classes[HAND] + classes[THING]
        nothing = not ((front > SURE[0]) & inner).any()
        self._looks += 1
        if nothing and self._looks % LOOK_EVERY != 1:
            self._things = np.zeros((SIDE, SIDE), bool)
            return None
        lab = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2LAB), np.uint8)
        number = _numbered(lab)
        colours = self._of_the_face(number, points, time_s)
        foreign = ~colours[number]
        unusual = self._unusual(lab, hull, classes)
        self._things = _confirmed(classes, inner, foreign, unusual, self._things)
        thin = self._thin(classes, inner, _features(points), foreign)
        front += _closed(classes[HAIR]) - classes[HAIR]
        seen = np.clip((front - SURE[0]) / (SURE[1] - SURE[0]), 0, 1)
        hidden = (seen > 0.5) & (self._things | thin) & (hull > 0)
        seen *= self._believed(_most_hidden(hidden, points), time_s)
        if not hidden.any() or not seen.any():
            return None
        things = cv2.blur(self._things.astype(np.float32), (3, 3))
        return InFront(
            np.asarray(seen, np.float32), np.asarray(things), thin.astype(np.float32), colours
        )

    def _believed(self, share: float, time_s: float) -> np.float32:
        """Return how far what is in front is shown, 0..1; it changes slowly.

        Args:
            share: of half a face that is hidden.
            time_s: of the frame.
        """
        believed = share < (MOST[1] if self._shown else MOST[0])
        step = abs(time_s - self._time_s) / FADE_S
        wanted = self._shown + (step if believed else -step)
        self._shown = min(max(wanted, 0.0), 1.0) if share < NEVER else 0.0
        self._time_s = time_s
        return np.float32(self._shown)

    def _unusual(self, lab: U8, hull: U8, classes: F32) -> NDArray[np.bool_]:
        """Return (128, 128) bool: where a face does not look as usual; remember how it looks."""
        size = (CELLS, CELLS)
        covering = np.asarray(classes[GLASSES] + classes[HAND] + classes[THING])
        cells, inside, covered = (
            np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32)
            for part in (lab, hull, covering)
        )
        deviation = self._usual.deviation(cells, inside > 200)
        self._usual.add(cells, covered < FREE)
        return np.asarray(cv2.resize(deviation, (SIDE, SIDE)) > UNUSUAL)

    def _steadied(self, crop: U8, classes: F32) -> F32:
        """Return probabilities mixed with those before, where the crop has not changed."""
        soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.5), np.uint8)
        if self._crop is not None and self._classes is not None:
            blue, green, red = cv2.split(cv2.absdiff(soft, self._crop))
            change = np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)
            classes = classes + _KEPT[change] * (self._classes - classes)
        self._crop, self._classes = soft, classes
        return classes

    def _of_the_face(
        self, number: NDArray[np.int32], points: F32, time_s: float
    ) -> NDArray[np.bool_]:
        """Take in the colours of a crop and return which colours most parts of the face have."""
        found = [number[_filled(points[list(part)]) > 0] for part in PARTS]
        length = int(np.prod(_LEVELS))
        counts = np.array(
            [np.bincount(part, minlength=length) / max(len(part), 1) for part in found], np.float32
        )
        if self._colours is None:
            self._colours = counts
        rate = np.float32(1 - np.exp(-abs(time_s - self._time_s) / MEMORY_S))
        self._colours += rate * (counts - self._colours)
        near = self._colours.reshape(-1, *_LEVELS)
        for axis in (1, 2, 3):
            near = _with_neighbours(near, axis)
        return np.asarray(((near > SHARE).sum(axis=0) >= QUORUM).ravel())

    def _thin(
        self,
        classes: F32,
        hull: NDArray[np.bool_],
        features: NDArray[np.bool_],
        foreign: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Return (128, 128) bool: the hair and the glasses that have no colour of the face."""
        strands = ((_closed(classes[HAIR]) > 0.3) & foreign).astype(np.uint8)
        deep = cv2.erode(hull.astype(np.uint8), np.ones((DEEP_PX,) * 2, np.uint8)) > 0
        _, parts = cv2.connectedComponents(strands * hull, ltype=cv2.CV_16U)
        fringe = np.bincount(parts[deep], minlength=int(parts.max()) + 1) >= MIN_OVER
        fringe &= np.arange(len(fringe)) > 0
        reach = cv2.dilate(fringe[parts].astype(np.uint8), np.ones((REACH_PX,) * 2, np.uint8)) > 0
        glasses = (classes[GLASSES] > 0.25) & foreign
        pixels = np.count_nonzero((classes[GLASSES] > LIKELY) & foreign & ~features)
        self._glasses = bool(pixels > (FEW_GLASSES if self._glasses else MIN_GLASSES))
        return _reaching_in(((strands > 0) & reach) | (glasses & self._glasses), features)


def is_of_the_face(image: U8, colours: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (h, w) bool: where an image has a colour of a face.

    Args:
        image: (h, w, 3) uint8 BGR.
        colours: of the face, from :class:`InFront`.
    """
    return np.asarray(
        colours[_numbered(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2LAB), np.uint8))]
    )


def _numbered(lab: U8) -> NDArray[np.int32]:
    """Return (h, w) int32 numbers of the colours of an image in CIELAB."""
    light, a, b = (table[channel] for table, channel in zip(_INDEX, cv2.split(lab), strict=True))
    return np.asarray(light + a + b, np.int32)


def _confirmed(
    classes: F32,
    hull: NDArray[np.bool_],
    foreign: NDArray[np.bool_],
    unusual: NDArray[np.bool_],
    before: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return (128, 128) bool: the hands and things that colours confirm, each as a whole.

    Args:
        classes: (6, 128, 128) float32 probabilities.
        hull: (128, 128) bool, the face.
        foreign: the same, where there is no colour of the face.
        unusual: the same, where the face does not look as usual.
        before: the same, what was confirmed a frame ago.
    """
    mask = classes[HAND] + classes[THING] > LIKELY
    count, parts = cv2.connectedComponents(mask.astype(np.uint8), ltype=cv2.CV_16U)
    hand = mask & (classes[HAND] > classes[THING])
    where = (mask, mask & hull, foreign & hull, (foreign | unusual) & hull, hand, before)
    size, over, odd, new, hands, known = (
        np.bincount(parts[part], minlength=count) for part in where
    )
    proven = np.where(hands > SOME_HAND * size, new, odd)
    needed = np.where(known > 0.5 * size, STILL_AGREED, AGREED) * over
    held = (over >= MIN_OVER) & (size - over >= BEYOND * size) & (proven >= needed)
    held[0] = False
    return np.asarray(cv2.dilate(held[parts].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)


def _most_hidden(hidden: NDArray[np.bool_], points: F32) -> float:
    """Return which share of the eyes' half of a face, or of the other, is hidden: the greater."""
    left, top, right, bottom = lm.face_box_from_mesh(points)
    across = slice(int(0.8 * left + 0.2 * right), int(0.2 * left + 0.8 * right))
    height = bottom - top
    return max(
        float(hidden[int(top + low * height) : int(top + high * height), across].mean())
        for low, high in HALVES
    )


def _features(points: F32) -> NDArray[np.bool_]:
    """Return (128, 128) bool: eyes, brows and lips, and a little around them."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    for feature in FEATURES:
        drawn |= _filled(points[list(feature)])
    return np.asarray(cv2.dilate(drawn, np.ones((7, 7), np.uint8)) > 0)


def _closed(probable: F32) -> NDArray[np.floating]:
    """Return probabilities without the thin gaps that outlines leave in them."""
    return np.asarray(cv2.morphologyEx(probable, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8)))


def _with_neighbours(counts: F32, axis: int) -> F32:
    """Return counts of colours with those of the steps before and after along an axis."""
    wide = np.concatenate([counts.take([0], axis), counts, counts.take([-1], axis)], axis)
    length = counts.shape[axis]
    parts = [wide.take(range(start, start + length), axis) for start in range(3)]
    return np.asarray(parts[0] + parts[1] + parts[2])


def _reaching_in(mask: NDArray[np.bool_], features: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask without what lies in a feature and does not reach into it from outside.

    Eyes, brows and lips have colours that most of the face has not.
    """
    reached = (mask & ~features).astype(np.uint8)
    for _ in range(INTO_PX):
        reached = np.asarray(cv2.dilate(reached, np.ones((3, 3), np.uint8)), np.uint8) & mask
    return np.asarray(reached > 0)


def _filled(points: F32) -> U8:
    """Return (128, 128) uint8, 255 in the hull of points."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    hull = cv2.convexHull(np.rint(points[:468, :2] * 16).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 255, cv2.LINE_8, 4)
    return drawn
