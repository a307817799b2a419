"""What is in front of one face over time, by two cues that know nothing of each other.

The first is the occlusion network. The second is the face itself: how it usually looks at each
point of its mesh, learnt while nothing is in front of it. A hand or a thing is confirmed where the
face does not look as usual, while the rest of it does; a face that changes altogether is another
face, and what was learnt is forgotten. Hair is confirmed by its colour: not one of the face, but
one of the hair around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.warp import SKIN_POINTS
from streamanon.types import OCCLUSION_CLASSES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from streamanon.types import F32, U8

    Mask = NDArray[np.bool_]

SIDE = 128
SKIN, HAIR, GLASSES, HAND, THING, OUTSIDE = range(len(OCCLUSION_CLASSES))

STEADY, CHANGE = 0.7, 5.0
"""Share of what was seen before in what is seen now, where nothing changes; change in 8 bit levels
at which a third of that is left."""

_KEPT = (STEADY * np.exp(-np.arange(256) / CHANGE)).astype(np.float32)

SURE = (0.42, 0.7)
"""Probabilities of being in front from which on something begins to be shown, and is in full."""

LIKELY = 0.45
"""Probability from which on a pixel belongs to a hand, a thing or hair."""

BARE = 0.15
"""Probability of being in front below which a point shows how the face looks."""

REST_S, DOUBT_S = 0.07, 0.5
"""Time for which a face that nothing is in front of is not looked at; and time after which what the
network alone sees in front of it counts for nothing there, until the face confirms something."""

GAP_S, FARTHEST = 0.15, 0.12
"""Time since the last look after which, and distance in sides of the crop farther than which a face
has moved since then, it may be another face."""

KNOWN_AFTER, REMEMBERED = 8, 30
"""Sights of a point after which it is known, and how many are remembered."""

SPREAD = (9.0, 4.0, 4.0)
"""Least standard deviation of lightness, a and b at a point of a face that does not change."""

UNUSUAL = 1.8
"""Deviations from which on a point does not look as usual."""

SAME_SHARE, OTHER_SHARE, SAME_POINTS = 0.12, 0.15, 40
"""Greatest share of the points without anything in front that may look unusual on the same face in
two looks in a row, and in one; and how many points there must be. In twelve clips a person has at
most 0.11 a third of a second later, and 0.13 with an expression that was never seen; another person
has at least 0.16, half of them 0.4."""

AGREED, STILL_AGREED = 0.5, (0.25, 0.15)
"""Share of the points behind something, and of those among the features, that must look unusual for
all of it to be shown; and for what was shown lately."""

LATELY_S = 0.4
"""Time for which something that was shown counts as such."""

MIN_OVER = 8
"""Points of a face that a hand or a thing covers at least."""

BEYOND = 0.1
"""Share of a thing or a hand that must lie beside the face: it comes from somewhere."""

CREASE_PX = 3
"""Width of the lines in a hand, as those between fingers, that may have other colours."""

SOME_HAND, STILL_HAND, SKIN_LIKE = 0.3, 0.15, 0.3
"""Share of something that the network must take for a hand, and for what was shown lately, if more
than the third share of it has a colour of the face."""

SOME_THING, LARGE = 0.3, 0.3
"""Share of what is over a face that the network must take for a thing, and no hand, for all of it
to be drawn as one; and share of the face that masks cover, which need not lie beside it."""

HOLE_PX, BESIDE_PX = 7, 5
"""Width of holes in a thing, as in the pattern of a cloth, that belong to it; and twice the
distance from the face at which its own pixels may be shown."""

WAIT_S, FADE_S = 0.12, 0.15
"""Time for which something must be confirmed before it appears, and time in which it does. It
disappears at once."""

STEPS, _LEVELS = (16, 6, 6), (16, 43, 43)
"""Steps of lightness, a and b in which colours are distinguished."""

_NUMBER = [
    (np.arange(256) // step * stride).astype(np.int32)
    for step, stride in zip(STEPS, (_LEVELS[1] * _LEVELS[2], _LEVELS[2], 1), strict=True)
]
"""Of each channel's 256 values, what they add to the number of a colour."""

COMMON = 0.03
"""Share of the colours of a face, or of hair, from which on a colour is one of it."""

MIN_HAIR = 60
"""Pixels beside the face that tell the colours of hair."""

MIN_DEEP, STILL_DEEP, RIM_PX = 20, 5, 9
"""Pixels of hair over the face from which on it is shown, and goes on being shown; those nearer to
the rim of the face than half the third number do not count."""

HAIR_ENDS_PX = 16
"""Height above the nostrils from which down hair is shown less, as it ends there."""

FEATURES = (lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.OUTER_LIPS, lm.NOSE)

_CORE = np.isin(np.arange(SKIN_POINTS), [point for feature in FEATURES for point in feature])
_PLAIN = ~_CORE & ~np.isin(np.arange(SKIN_POINTS), lm.FACE_OVAL)
"""Points of eyes, brows, nose and lips; and those that have the colour of the skin."""


@dataclass(frozen=True)
class InFront:
    """What is in front of a face, in the crop.

    Attributes:
        seen: (128, 128) float32 0..1, by the network.
        things: (128, 128) float32 0..1, hands and things that the face confirms.
        hair: (128, 128) float32 0..1, hair that its colours confirm, as far as it is shown now.
        strength: how far hands and things are shown now, 0..1.
        plain: (128, 128) float32 0..1, things over the face that the network alone sees.
        beside: (128, 128) float32 0..1, the parts of these that lie beside the face.
    """

    seen: F32
    things: F32
    hair: F32
    strength: np.float32
    plain: F32
    beside: F32


class _KnownFace:
    """How a face usually looks at the points of its mesh, in CIELAB at 8 bits."""

    def __init__(self) -> None:
        self._mean = np.zeros((SKIN_POINTS, 3), np.float32)
        self._square = np.zeros((SKIN_POINTS, 3), np.float32)
        self._sights = np.zeros(SKIN_POINTS, np.float32)

    @property
    def known(self) -> Mask:
        """(468,) bool: points seen often enough."""
        return self._sights >= KNOWN_AFTER

    def deviation(self, seen: F32, bare: Mask) -> F32:
        """Return (468,) float32: how far points are from usual, in standard deviations.

        Args:
            seen: (468, 3) colours now.
            bare: (468,) bool, known points with nothing in front, which tell the light as a whole.
        """
        gap = seen - self._mean
        gap = gap - np.median(gap[bare], axis=0)
        variance = np.maximum(self._square - self._mean**2, 0)
        spread = np.sqrt(variance) + np.array(SPREAD, np.float32)
        return np.asarray(np.sqrt(((gap / spread) ** 2).sum(axis=1)), np.float32)

    def add(self, seen: F32, bare: Mask) -> None:
        """Remember the points that have nothing in front."""
        self._sights[bare] = np.minimum(self._sights[bare] + 1, REMEMBERED)
        rate = (bare / np.maximum(self._sights, 1))[:, None].astype(np.float32)
        self._mean += rate * (seen - self._mean)
        self._square += rate * (seen**2 - self._square)


@dataclass(frozen=True)
class _Sight:
    """A face in one frame, in its crop.

    Attributes:
        points: (478, 2) float32 mesh.
        where: rows and columns of the 468 points on the skin.
        hull: (128, 128) uint8, 255 in the face.
        number: (128, 128) int32 numbers of the colours.
        own: (128, 128) bool, where these are of the skin's.
        colours: (468, 3) float32 at the points.
        bare: (468,) bool, points with nothing in front.
        over: (128, 128) float32 probability of a hand or a thing.
        at_points: (468,) float32 of it at the points.
    """

    points: F32
    where: tuple[NDArray[np.int64], NDArray[np.int64]]
    hull: U8
    number: NDArray[np.int32]
    own: Mask
    colours: F32
    bare: Mask
    over: F32
    at_points: F32

    @classmethod
    def of(cls, crop: U8, classes: F32, points: F32) -> _Sight:
        """Look at a crop; see :meth:`OcclusionMemory.look`."""
        lab = np.asarray(cv2.cvtColor(cv2.blur(crop, (3, 3)), cv2.COLOR_BGR2LAB), np.uint8)
        at = np.clip(np.rint(points[:SKIN_POINTS]).astype(np.int64), 0, SIDE - 1)
        where = at[:, 1], at[:, 0]
        bare, number = _in_front(classes[:, *where]) < BARE, _numbered(lab)
        own = _table(number[where][bare & _PLAIN]).take(number)
        hull, colours = filled(points[:SKIN_POINTS]), lab[where].astype(np.float32)
        over = np.asarray(classes[HAND] + classes[THING], np.float32)
        return cls(points, where, hull, number, own, colours, bare, over, over[where])

    def features(self) -> Mask:
        """Return (128, 128) bool: brows, eyes, nose, and all that is below the nose."""
        drawn = np.zeros((SIDE, SIDE), np.uint8)
        for feature in FEATURES:
            drawn |= filled(self.points[list(feature)])
        drawn = np.asarray(cv2.dilate(drawn, np.ones((5, 5), np.uint8)), np.uint8)
        drawn[self._nostrils :] = 255
        return drawn > 0

    def above_nostrils(self) -> F32:
        """Return (128, 1) float32: 1 in the rows above HAIR_ENDS_PX from the nostrils, 0 below."""
        above = self._nostrils - np.arange(SIDE, dtype=np.float32)[:, None]
        return np.asarray(np.clip(above / HAIR_ENDS_PX, 0, 1), np.float32)

    @property
    def _nostrils(self) -> int:
        """Row of the nostrils."""
        return int(self.points[list(lm.NOSE), 1].max())


class OcclusionMemory:
    """One face over time; forgets it when in doubt whether it is still the same.

    Attributes:
        at_points: (468,) float32 probability that a hand or a thing is in front of each point of
            the mesh, at the last look; None before.
        detail: share of its detail with which a hand was shown last, 0..1.
    """

    def __init__(self) -> None:
        """Create one that has seen nothing."""
        self.at_points: F32 | None = None
        self.detail = 1.0
        self._time_s, self._place = -np.inf, np.zeros((3, 2), np.float32)
        self._hair_since_s = -np.inf  # what is there from the start needs no fade
        self._forget()

    def _forget(self) -> None:
        """Forget how the face looks, so that no hand and no thing is shown until it is known."""
        self._face = _KnownFace()
        self._crop: U8 | None = None
        self._classes: F32 | None = None
        self._things, self._things_s = np.zeros((SIDE, SIDE), bool), -np.inf
        self._things_since_s = np.inf
        self._claimed_since_s = np.inf
        self._strange, self._busy = False, True

    def is_due(self, time_s: float) -> bool:
        """Tell whether the face must be looked at in the frame of this time."""
        return self._busy or not 0 <= time_s - self._time_s < REST_S

    def look(
        self,
        crop: U8,
        classes: F32,
        points: F32,
        corners: F32,
        time_s: float,
        *,
        alone: bool = True,
    ) -> InFront | None:
        """Take in a frame and return what is in front of the face; None for nothing.

        Args:
            crop: (128, 128, 3) uint8 BGR.
            classes: (6, 128, 128) float32 probabilities of OCCLUSION_CLASSES.
            points: (478, 2) float32 mesh in px of the crop.
            corners: (3, 2) float32 of the crop, in px of the frame.
            time_s: time of the frame.
            alone: whether no other face is near; else nothing is confirmed.
        """
        finite = bool(np.isfinite(classes).all())
        if not (finite and self._goes_on(corners, time_s)):
            self._forget()
        if not finite:
            return None
        classes = self._steadied(crop, classes)
        sight = _Sight.of(crop, classes, points)
        self.at_points = sight.at_points
        nothing = np.zeros((SIDE, SIDE), bool)
        if time_s - self._things_s > LATELY_S:
            self._things, self._things_since_s = nothing, np.inf
        things = self._confirmed(classes, sight) if alone else nothing
        if things.any():
            self._things, self._things_s = things, time_s
            self._things_since_s = min(self._things_since_s, time_s)
        hair = self._hair(classes, sight) if alone else nothing
        self._hair_since_s = min(self._hair_since_s, time_s) if hair.any() else np.inf
        plain = _plain(classes, sight)
        shown = bool(hair.any() or things.any() or plain.any())
        claimed = not shown and bool(np.count_nonzero(sight.at_points > LIKELY) >= MIN_OVER)
        self._claimed_since_s = min(self._claimed_since_s, time_s) if claimed else np.inf
        self._busy = shown or (claimed and time_s - self._claimed_since_s < DOUBT_S)
        if not shown:
            return None
        near_face = cv2.dilate(sight.hull, np.ones((BESIDE_PX,) * 2, np.uint8)) > 0
        seen = np.maximum(_sure(_in_front(classes)), cv2.erode(plain, np.ones((3, 3), np.uint8)))
        soft = [
            np.asarray(cv2.blur(part.astype(np.float32), (3, 3)), np.float32)
            for part in (
                things,
                hair * sight.above_nostrils() * _faded_in(time_s - self._hair_since_s),
                plain,
                plain * (~near_face & alone),
            )
        ]
        strength = _faded_in(time_s - self._things_since_s)
        return InFront(seen, soft[0], soft[1], strength, soft[2], soft[3])

    def withhold(self) -> None:
        """Show hands and things again only when they have been confirmed for some time from now."""
        self._things_since_s = self._time_s

    def _goes_on(self, corners: F32, time_s: float) -> bool:
        """Tell whether a face can be the one of the last look by time and place; remember both."""
        since_s, self._time_s = time_s - self._time_s, time_s
        moved = np.abs(corners - self._place).max() / np.linalg.norm(corners[1] - corners[0])
        self._place = corners
        return bool(0 < since_s <= GAP_S and moved <= FARTHEST)

    def _confirmed(self, classes: F32, sight: _Sight) -> Mask:
        """Return (128, 128) bool: hands and things that the face confirms, each as a whole."""
        nothing = np.zeros((SIDE, SIDE), bool)
        known = self._face.known
        sure = known & sight.bare
        if sure.sum() < SAME_POINTS:
            if known.sum() < SAME_POINTS:
                self._face.add(sight.colours, sight.bare)
            return nothing
        odd = self._face.deviation(sight.colours, sure) > UNUSUAL
        strange, self._strange = self._strange, bool(odd[sure].mean() > SAME_SHARE)
        if odd[sure].mean() > (SAME_SHARE if strange else OTHER_SHARE):
            self._forget()
            self._face.add(sight.colours, sight.bare)
            return nothing
        odd &= known
        self._face.add(sight.colours, sight.bare & ~odd)
        mask = (sight.over > LIKELY).astype(np.uint8)
        if not cv2.countNonZero(mask & sight.hull):
            return nothing
        count, parts = cv2.connectedComponents(mask, ltype=cv2.CV_16U)
        labels = parts[sight.where]
        behind, changed, core, core_changed = (
            np.bincount(labels[chosen], minlength=count)
            for chosen in (slice(None), odd, _CORE, _CORE & odd)
        )
        face = sight.hull > 0
        hand, alike = classes[HAND] > classes[THING], sight.own
        size, over, hands, skin_like, before = _pixels(
            parts, count, mask > 0, face, hand, alike & face, self._things
        )
        lately = before > 0.5 * size
        needed, core_needed = (np.where(lately, still, AGREED) for still in STILL_AGREED)
        some_hand = np.where(lately, STILL_HAND, SOME_HAND)
        held = (
            (behind >= MIN_OVER)
            & (changed >= needed * behind)
            & (core_changed >= core_needed * core)
        )
        held &= size - over >= BEYOND * size
        held &= (hands >= some_hand * size) | (skin_like <= SKIN_LIKE * over)
        held[0] = False
        if not held.any():
            return nothing
        handy = (held & (hands >= some_hand * size))[parts]
        return np.asarray(held[parts] & (~handy | _coloured_as_beside(handy, sight)))

    def _hair(self, classes: F32, sight: _Sight) -> Mask:
        """Return (128, 128) bool: hair over the face, of the colours of that beside it.

        It is looked for above the nostrils, in neither brows, eyes nor nose.
        """
        nothing = np.zeros((SIDE, SIDE), bool)
        strands = classes[HAIR] > LIKELY
        beside = strands & (sight.hull == 0)
        deep = strands & (cv2.erode(sight.hull, np.ones((RIM_PX,) * 2, np.uint8)) > 0)
        least = MIN_DEEP if self._hair_since_s == np.inf else STILL_DEEP
        known = np.count_nonzero(beside) >= MIN_HAIR and sight.bare.sum() >= SAME_POINTS
        if not known or np.count_nonzero(deep) < least:
            return nothing
        hair = strands & ~sight.own & _table(sight.number[beside]).take(sight.number)
        hair &= ~sight.features()
        _, parts = cv2.connectedComponents((hair | beside).astype(np.uint8), ltype=cv2.CV_16U)
        reaching = np.bincount(parts[beside], minlength=int(parts.max()) + 1) > 0
        reaching[0] = False
        hair &= reaching[parts]
        return np.asarray(hair) if np.count_nonzero(hair & deep) >= least else nothing

    def _steadied(self, crop: U8, classes: F32) -> F32:
        """Return probabilities mixed with those before, where the crop has not changed."""
        soft = np.asarray(cv2.GaussianBlur(crop, (0, 0), 1.5), np.uint8)
        if self._crop is not None and self._classes is not None:
            blue, green, red = cv2.split(cv2.absdiff(soft, self._crop))
            change = np.asarray(cv2.max(cv2.max(blue, green), red), np.uint8)
            classes = classes + cv2.LUT(change, _KEPT) * (self._classes - classes)
        self._crop, self._classes = soft, classes
        return classes


def _coloured_as_beside(hands: Mask, sight: _Sight) -> Mask:
    """Return (128, 128) bool: where hands have the colours that they have beside the face.

    Shadows between a hand and the skin have not.
    """
    colours = _table(sight.number[hands & (sight.hull == 0)])
    like = (hands & (colours.take(sight.number) | (sight.hull == 0))).astype(np.uint8)
    closed = cv2.morphologyEx(like, cv2.MORPH_CLOSE, np.ones((CREASE_PX,) * 2, np.uint8))
    return np.asarray(closed > 0)


def _plain(classes: F32, sight: _Sight) -> U8:
    """Return (128, 128) uint8 0 or 1: things that the network sees over the face, each whole."""
    likely = (sight.over > LIKELY).astype(np.uint8)
    mask = cv2.morphologyEx(likely, cv2.MORPH_CLOSE, np.ones((HOLE_PX,) * 2, np.uint8))
    count, found = cv2.connectedComponents(mask, ltype=cv2.CV_16U)
    parts = np.asarray(found, np.uint16)
    face, things = sight.hull > 0, classes[THING] > classes[HAND]
    behind = np.bincount(parts[sight.where], minlength=count)
    size, over, sure, skin_like = _pixels(
        parts, count, mask > 0, face, face & things, face & sight.own
    )
    held = (behind >= MIN_OVER) & (sure >= SOME_THING * over) & (skin_like <= SKIN_LIKE * over)
    held &= (size - over >= BEYOND * size) | (over >= LARGE * np.count_nonzero(face))
    held[0] = False
    return np.asarray(held.take(parts), np.uint8)


def _pixels(parts: NDArray[Any], count: int, *chosen: Mask) -> list[NDArray[np.int64]]:
    """Return how many pixels each part has of those chosen; of the first, what is beside all, 0.

    Args:
        parts: (128, 128) numbers of the parts.
        count: number of parts.
        chosen: (128, 128) bool each.
    """
    there = np.flatnonzero(parts)
    labels = parts.take(there)
    return [np.bincount(labels[one.take(there)], minlength=count) for one in chosen]


def _faded_in(since_s: float) -> np.float32:
    """Return how far something is shown, 0..1, so long after it was first confirmed."""
    return np.float32(np.clip((since_s - WAIT_S) / FADE_S, 0, 1))


def _in_front(classes: F32) -> F32:
    """Return (128, 128) float32: the probability of anything in front."""
    return np.asarray(classes[HAIR] + classes[GLASSES] + classes[HAND] + classes[THING])


def _sure(probability: F32) -> F32:
    """Return how far something is drawn, 0..1, that is there with a probability."""
    return np.asarray(np.clip((probability - SURE[0]) / (SURE[1] - SURE[0]), 0, 1), np.float32)


def _numbered(lab: U8) -> NDArray[np.int32]:
    """Return (h, w) int32 numbers of the colours of an image in CIELAB."""
    channels = zip(_NUMBER, cv2.split(lab), strict=True)
    light, a, b = (np.asarray(cv2.LUT(channel, table)) for table, channel in channels)
    return np.asarray(light + a + b, np.int32)


def _table(numbers: NDArray[np.int32]) -> Mask:
    """Return which numbers of colours are common among these (n,), or near to common ones."""
    counts = np.bincount(numbers, minlength=prod(_LEVELS)).astype(np.float32).reshape(_LEVELS)
    edge = cv2.BORDER_CONSTANT
    near = np.asarray(
        cv2.boxFilter(counts, -1, (3, 3), normalize=False, borderType=edge), np.float32
    )
    around = near.copy()  # that was of lightness and a; now of b
    around[:, :, 1:] += near[:, :, :-1]
    around[:, :, :-1] += near[:, :, 1:]
    return np.asarray(around.ravel() > COMMON * max(len(numbers), 1))


def filled(points: F32) -> U8:
    """Return (128, 128) uint8, 255 in the hull of points."""
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    hull = cv2.convexHull(np.rint(points[:, :2] * 16).astype(np.int32))
    cv2.fillConvexPoly(drawn, hull, 255, cv2.LINE_8, 4)
    return drawn
