"""Eyes that look where the source's do: the irises of a portrait moved between its lids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.types import F32

LID_SHARE, LID_INSET = 0.4, 0.035
"""Share of an open eye over which its lids give way to the eyeball, and how far from a portrait's
lids that is sampled, in widths of its eye: there are lashes."""

RIM = 0.2
"""How far the blurred rim of an iris reaches beyond it, in its radii; stretched with the white
beside it, that becomes a shadow."""

CORNER = 0.12
"""Width of the flesh in the corners of an eye, which is not stretched either, in widths of it."""

LEAST_OPENING = 0.06
"""Opening of an eye, in its width, below which there is nothing to be seen of an iris."""


def follow_gaze(lookup: F32, points: F32, portrait: F32, zoom: float) -> None:
    """Let the portrait's irises lie where the source's are, in place.

    Along an eye an iris keeps its size and the white beside it is stretched or pressed between it
    and the corners; across, it is covered by the lids and not squeezed. At the lids themselves, and
    while an eye is closed, the lookup is left as it is.

    Args:
        lookup: (n, n, 2) float32 portrait px of each px of the face, changed where eyes are.
        points: (478, 2) float32 mesh of the face, px of the lookup.
        portrait: (478, 2) float32 mesh of the portrait, px of the portrait.
        zoom: px of the portrait a px of the face.
    """
    for lids, iris in ((lm.RIGHT_EYE, lm.RIGHT_IRIS_CENTRE), (lm.LEFT_EYE, lm.LEFT_IRIS_CENTRE)):
        outline = points[list(lids)]
        low = np.floor(outline.min(axis=0)).astype(int) - 1
        high = np.ceil(outline.max(axis=0)).astype(int) + 2
        if low.min() < 0 or high.max() > len(lookup):
            continue
        eye = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(eye, [np.rint((outline - low) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        reach = np.asarray(cv2.distanceTransform(eye, cv2.DIST_L2, 3), np.float32)
        open_px = float(reach.max())
        if open_px < LEAST_OPENING * float(np.hypot(*(high - low))):
            continue
        weight = np.clip(reach / (LID_SHARE * open_px), 0, 1)
        weight = (weight * weight * (3 - 2 * weight))[:, :, None]
        region = lookup[low[1] : high[1], low[0] : high[0]]
        rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]].astype(np.float32)
        place = np.stack([columns, rows], axis=2)
        ours, theirs = (_EyeAxes.of(mesh, lids, iris) for mesh in (points, portrait))
        region += weight * (ours.looked_up(place, theirs, zoom) - region)


@dataclass(frozen=True)
class _EyeAxes:
    """One eye of a mesh with axes along it, from corner to corner, and across.

    Attributes:
        corner: (2,) float32 px, where the axes begin.
        width: from corner to corner in px.
        axes: (2, 2) float32 unit vectors, along and across.
        iris: (2,) float32 px along and across, its centre.
        radius: radius of the iris in px.
        lids: (2, 9, 2) float32 px along and across, of the upper lid and of the lower.
    """

    corner: F32
    width: float
    axes: F32
    iris: F32
    radius: float
    lids: F32

    @classmethod
    def of(cls, points: F32, lids: Sequence[int], iris: int) -> _EyeAxes:
        """Return the axes of an eye of a (478, 2) mesh.

        Args:
            points: mesh.
            lids: its 16 points around the eye, upper lid first.
            iris: its point in the middle of the iris, followed by four on the rim.
        """
        corner, other = points[lids[0]], points[lids[8]]
        width = max(float(np.hypot(*(other - corner))), 1.0)
        along = (other - corner) / width
        axes = np.stack([along, [-along[1], along[0]]]).astype(np.float32)
        upper, lower = points[list(lids[:9])], points[[lids[0], *lids[:7:-1]]]
        rim = points[iris + 1 : iris + 5] - points[iris]
        radius = float(np.hypot(*rim.T).mean())
        edges = (np.stack([upper, lower]) - corner) @ axes.T
        middle = (points[iris] - corner) @ axes.T
        return cls(corner, width, axes, middle, radius, np.asarray(edges, np.float32))

    def looked_up(self, place: F32, theirs: _EyeAxes, zoom: float) -> F32:
        """Return (h, w, 2) float32 px of a portrait for px of a face, as if looking the same way.

        Args:
            place: (h, w, 2) float32 px of the face.
            theirs: the same eye of the portrait.
            zoom: px of the portrait a px of the face.
        """
        along, across = np.moveaxis((place - self.corner) @ self.axes.T, 2, 0)
        share = theirs.radius / theirs.width
        here, there = (
            eye.iris[0] / eye.width + np.array([-share, share]) for eye in (self, theirs)
        )
        knots, ends = _knots(here, there, RIM * share)
        wanted = theirs.width * np.interp(along / self.width, knots, ends)
        down = theirs.iris[1] + zoom * (across - self.iris[1])
        upper, lower = (np.interp(wanted, lid[:, 0], lid[:, 1]) for lid in theirs.lids)
        inset = LID_INSET * theirs.width
        middle = (upper + lower) / 2
        down = np.clip(down, np.minimum(upper + inset, middle), np.maximum(lower - inset, middle))
        found = theirs.corner + np.stack([wanted, down], axis=2) @ theirs.axes
        return np.asarray(found, np.float32)


def _knots(
    here: NDArray[np.float64], there: NDArray[np.float64], rim: float
) -> NDArray[np.float64]:
    """Return (2, 6) where, along two eyes, corners end, flesh does, and irises are.

    Rims and flesh are as wide in both, and narrower where one iris is close to a corner.

    Args:
        here: where the iris of one begins and ends, in widths of that eye.
        there: the same of the other.
        rim: how far the rim of an iris reaches beyond it.
    """
    iris = np.stack([here, there])
    start, end = np.minimum(0, iris[:, 0] - 0.01), np.maximum(1, iris[:, 1] + 0.01)
    room = np.stack([iris[:, 0] - start, end - iris[:, 1]]).min(axis=1)
    (left, right), (first, last) = np.minimum(rim, room / 3), np.minimum(CORNER, room / 3)
    outer = (start, start + first, iris[:, 0] - left, iris[:, 1] + right, end - last, end)
    return np.stack(outer, axis=1)
