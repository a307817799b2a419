"""What lies around a face, moved so that it fits a face of another outline.

Each pixel beside the new face is fetched from where the old face's outline, at the nearest points
of the mesh, lies from the new one's (Shepard's inverse distance weights); farther out it is fetched
from ever nearer to itself. Nothing of the old face may appear beside the new one: what would be
fetched from inside it is filled with the colours around it instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.canonical_face import TRIANGLES
from streamanon.face.shape import Pose
from streamanon.face.turned import turned_away
from streamanon.face.warp import SKIN_POINTS
from streamanon.imaging.boxes import bounds
from streamanon.imaging.picture import clip_box, read_bgr, scaled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from streamanon.imaging.picture import Box
    from streamanon.types import F32, U8, Picture

REACH = 0.13
"""Standard deviation of the Gaussian with which moving fades out, in sides of the face."""

CONTRAST, HOLD = 8.0, (0.1, 0.2)
"""Contrast across the way, in 8 bit levels a third of a cell, at which half of moving is left out,
and how far beside the face, in its sides, that begins and is in full."""

CELLS = 25
"""Nodes a side of the face, of the grid on which it is worked out how far to move."""

MOVED_PX = 0.15
"""What is moved by less than this is left as it is."""

RIM = 0.2
"""Width of the rim of a face in eye distances; what lies deeper inside is never fetched."""

FEATURE_MARGIN = 0.03
"""How much around a feature is never fetched either, in eye distances."""

IN_RIM, INSIDE = 15, 255
"""Marks of the rim of a face and of what lies deeper inside; between both, that counts."""

AROUND, SPREAD = 0.15, 48
"""How much around a face, in its sides, fills it, and about how many px that is shrunk to."""

MIN_PX = 16
"""Least side of a region that is moved."""

AHEAD = 0.05
"""How far a turned head may go on beyond its mesh, where it looks to, in sides of the face."""

BESIDE = 0.01
"""How far beside the old face the new one's edge is fetched from, in its sides; a px more."""

KNOWN_FROM = 0.25
"""Share of known pixels in a cell from which what is filled there has their colour alone."""

_FEATURES = tuple(
    list(part)
    for part in (lm.RIGHT_BROW, lm.LEFT_BROW, lm.RIGHT_EYE, lm.LEFT_EYE, lm.NOSE, lm.OUTER_LIPS)
)
_GUIDES = np.array(sorted({*lm.FACE_OVAL, *range(0, 468, 8)}))
"""Mesh points whose displacement the rest follows."""


@dataclass(frozen=True)
class Surroundings:
    """A region of the frame around one face, as it is to be around another.

    Attributes:
        box: place of the region, in frame px.
        fitted: (h, w, 3) uint8 BGR, moved; the old face's inside stretched over the new one's.
        shown: the same without that inside: what may be seen where the new face does not cover.
        moved: (h, w) bool, where it differs from the frame or a face is.
    """

    box: Box
    fitted: U8
    shown: U8
    moved: U8


def fit(
    picture: Picture, old: F32, new: F32, others: Sequence[F32], strength: float
) -> Surroundings | None:
    """Move what surrounds a face.

    Args:
        picture: the frame.
        old: (478, 3) float32 mesh of the face that is there, frame px.
        new: (478, 3) float32 mesh of the face that will be.
        others: (4,) boxes in px of other people's faces; nothing is moved into or out of them.
        strength: how far to move, 0..1.

    Returns:
        The region, or None when it is outside the picture.
    """
    faces = [np.ascontiguousarray(part[:SKIN_POINTS, :2]) for part in (old, new)]
    low, high = bounds(np.concatenate(faces))
    side = float((high - low).max())
    yaw, _, _ = lm.head_pose(old)
    aside = turned_away(yaw)
    shift = _off_the_skin(faces[0], side) - faces[1]
    if aside:
        shift += AHEAD * side * aside * _ahead(old)
    farthest = max(float(np.hypot(*shift.T).max()), MOVED_PX)
    reach = REACH * side * np.sqrt(2 * np.log(farthest / MOVED_PX)) + 2
    box = clip_box(picture, np.concatenate([low - reach, high + reach]))
    x0, y0, x1, y1 = box
    size = (x1 - x0, y1 - y0)
    if min(size) < MIN_PX:
        return None
    origin = np.array([x0, y0], np.float32)
    faces = [part - origin for part in faces]
    outlines = [np.asarray(cv2.convexHull(face), np.float32) for face in faces]
    taboo = [np.asarray(other - np.tile(origin, 2), np.float32) for other in others]
    cell = max(4, round(side / CELLS))
    source = read_bgr(picture, box)
    nodes = _nodes(size, cell)
    offsets = _offsets(nodes, faces[1], shift, outlines[1], cell, side)
    for part in taboo:
        _keep_away(offsets, nodes, part, cell)
    offsets *= np.float32(strength) * _held(source, offsets, nodes, outlines[1], cell)
    far = np.asarray(cv2.magnitude(*cv2.split(offsets)) > MOVED_PX, np.uint8)
    moved = np.asarray(_spread_out(255 * far, cell, size) > 0, np.uint8)
    marked = cv2.cvtColor(source, cv2.COLOR_BGR2BGRA)  # four channels are sampled faster than three
    cv2.insertChannel(_depth(size, faces[0], outlines[0]), marked, 3)
    border = cv2.BORDER_REPLICATE
    lookup = _spread_out(offsets + nodes, cell, size)
    found = cv2.remap(marked, lookup, None, cv2.INTER_LINEAR, borderMode=border)  # type: ignore[call-overload]
    fitted = np.asarray(cv2.cvtColor(found, cv2.COLOR_BGRA2BGR), np.uint8)
    free = np.full(size[::-1], 255, np.uint8)
    for part in taboo:
        left, top = np.floor(np.maximum(part[:2], 0)).astype(int).tolist()
        right, bottom = np.ceil(np.maximum(part[2:], 0)).astype(int).tolist()
        free[top:bottom, left:right] = 0
    depth = np.asarray(cv2.extractChannel(found, 3), np.uint8)
    down = cv2.extractChannel(lookup, 1)
    below = np.asarray(cv2.compare(down, size[1] - 1, cv2.CMP_GE), np.uint8)  # type: ignore[call-overload]
    place = _silhouette(faces[1], size) if aside == 1 else _filled(outlines[1], size)
    shown = _without_face(fitted, depth, outlines, place, free, below)
    moved[free == 0] = 0
    for outline in outlines:
        cv2.fillConvexPoly(moved, _fixed_point(outline), 1, cv2.LINE_8, 4)
    return Surroundings(box, fitted, shown, moved)


def _nodes(size: tuple[int, int], cell: int) -> F32:
    """Return (rows, columns, 2) float32 px of a grid, a cell larger than its region all around.

    Args:
        size: width and height of the region in px.
        cell: distance of nodes in px.
    """
    x, y = (
        (np.arange(-(-length // cell) + 2, dtype=np.float32) - 0.5) * np.float32(cell) - 0.5
        for length in size
    )
    nodes = np.empty((len(y), len(x), 2), np.float32)
    nodes[:, :, 0], nodes[:, :, 1] = x, y[:, None]
    return nodes


def _offsets(nodes: F32, new: F32, shift: F32, outline: F32, cell: int, side: float) -> F32:
    """Return (rows, columns, 2) float32 px: how far from each node its pixels are fetched.

    Args:
        nodes: (rows, columns, 2) float32 px of the region (:func:`_nodes`).
        new: (468, 2) float32 px, the mesh of the new face.
        shift: (468, 2) float32 px, how far from there the old one lies.
        outline: (n, 1, 2) float32 px of the new face.
        cell: distance of nodes in px.
        side: side of both faces together in px.
    """
    guides, shift = new[_GUIDES], shift[_GUIDES]
    across, down = (
        (guides[:, at, None] - part) ** 2
        for at, part in enumerate((nodes[0, :, 0], nodes[:, 0, 1]))
    )
    square = (down[:, :, None] + across[:, None, :]).reshape(len(guides), -1)
    nearest, least = square.min(axis=0), np.float32(0.01 * cell**2)
    close = np.flatnonzero(nearest < least)  # they are few
    square[:, close] = np.maximum(square[:, close], least)
    nearest[close] = least
    square *= np.sqrt(square)
    weights = np.reciprocal(square, out=square)
    wanted = np.vstack([shift.T, np.ones(len(guides), np.float32)])
    sums = np.einsum("ij,jk->ik", wanted, weights)  # for BLAS this is large enough for threads
    drawn = np.zeros(nodes.shape[:2], np.uint8)
    placed = _fixed_point((outline - nodes[0, 0]) / np.float32(cell))
    cv2.fillConvexPoly(drawn, placed, 1, cv2.LINE_8, 4)
    nearest[drawn.ravel() > 0] = 0
    share = np.exp(-0.5 / np.float32(REACH * side) ** 2 * nearest) / sums[2]
    return np.ascontiguousarray((sums[:2] * share).T).reshape(nodes.shape)


def _keep_away(offsets: F32, nodes: F32, taboo: F32, cell: int) -> None:
    """Let nothing be fetched from another person's box, nor into it, in place.

    Args:
        offsets: (rows, columns, 2) float32 px (:func:`_offsets`).
        nodes: (rows, columns, 2) float32 px of the region.
        taboo: (4,) box in px of the region.
        cell: distance of nodes in px.
    """
    beyond = np.maximum(np.maximum(taboo[:2] - nodes, nodes - taboo[2:]), 0)
    room = np.maximum(np.hypot(*cv2.split(beyond)) - 1.5 * cell - 1, 0)
    length = np.maximum(np.hypot(*cv2.split(offsets)), 1e-6)
    offsets *= np.minimum(room / length, 1)[:, :, None]


def _held(source: U8, offsets: F32, grid: F32, new: F32, cell: int) -> F32:
    """Return (rows, columns, 1) float32 in 0..1: less where moving would bend what stands still.

    A line that crosses the way bends; one along it does not. So what counts is the contrast across
    (the structure tensor), and only beside the face itself, where hair and skin must move.

    Args:
        source: (h, w, 3) uint8 BGR region.
        offsets: (rows, columns, 2) float32 px, how far the nodes of a grid move.
        grid: (rows, columns, 2) float32 px, where they lie.
        new: (n, 1, 2) float32 px, outline of the new face.
        cell: distance of nodes in px.
    """
    rows, columns = grid.shape[:2]
    small = (3 * (columns - 2), 3 * (rows - 2))
    grey = scaled(np.asarray(cv2.cvtColor(source, cv2.COLOR_BGR2GRAY), np.uint8), small)
    across, down = (
        np.asarray(cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8)) for order in ((1, 0), (0, 1))
    )
    way = offsets / np.maximum(np.hypot(*cv2.split(offsets)), 1e-3)[:, :, None]
    wide = cv2.resize(way[1:-1, 1:-1], small, interpolation=cv2.INTER_LINEAR)
    crossed = (across * wide[:, :, 0] + down * wide[:, :, 1]) ** 2
    inner = cv2.resize(crossed, (columns - 2, rows - 2), interpolation=cv2.INTER_AREA)
    contrast = cv2.copyMakeBorder(inner, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    contrast = np.asarray(cv2.GaussianBlur(contrast, (0, 0), 1.0))
    drawn = np.ones((rows, columns), np.uint8)
    outline = _fixed_point((new - grid[0, 0]) / np.float32(cell))
    cv2.fillConvexPoly(drawn, outline, 0, cv2.LINE_8, 4)
    gap = np.asarray(cv2.distanceTransform(drawn, cv2.DIST_L2, 5)) / CELLS
    beside = np.clip((gap - HOLD[0]) / (HOLD[1] - HOLD[0]), 0, 1)
    held = 1 - beside * contrast / (contrast + CONTRAST**2)
    return np.asarray(held[:, :, None], np.float32)


def _spread_out(values: NDArray[Any], cell: int, size: tuple[int, int]) -> NDArray[Any]:
    """Return values at the nodes of a grid, of :func:`_offsets`, as values at each px."""
    rows, columns = values.shape[:2]
    spread = cv2.resize(values, (columns * cell, rows * cell), interpolation=cv2.INTER_LINEAR)
    return np.asarray(spread)[cell : cell + size[1], cell : cell + size[0]]


def _off_the_skin(points: F32, side: float) -> F32:
    """Return (n, 2) points of a face a little farther out: its very edge belongs to the face."""
    outwards = points - points.mean(axis=0)
    away = 1 + BESIDE * side
    unit = outwards / np.maximum(np.hypot(*outwards.T), 1.0)[:, None]
    return np.asarray(points + away * unit, np.float32)


def _ahead(points: F32) -> F32:
    """Return (468, 2): where a turned head may reach farther than its mesh, 0..1 long, most ahead.

    Meshes miss the tip of its nose, or a lip, a little; beside the new face they would be seen.
    """
    looks_to = -Pose.of(points).turn[:2, 2]
    across = (points[:SKIN_POINTS, :2] - points[:SKIN_POINTS, :2].mean(axis=0)) @ looks_to
    first = np.clip(across / max(float(across.max()), 1.0), 0, 1)
    return np.asarray(first[:, None] * looks_to, np.float32)


def _fixed_point(outline: F32) -> NDArray[np.int32]:
    """Return an outline in px as cv2 draws it, in sixteenths of a px."""
    return np.rint(outline * 16).astype(np.int32)


def _filled(outline: F32, size: tuple[int, int]) -> U8:
    """Return (h, w) uint8, 255 inside a convex (n, 1, 2) outline in px."""
    drawn = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(drawn, _fixed_point(outline), 255, cv2.LINE_8, 4)
    return drawn


def _silhouette(face: F32, size: tuple[int, int]) -> U8:
    """Return (h, w) uint8, 255 where a (468, 2) mesh in px is: the outline of a turned one is bent.

    Between its nose and its chin is what is behind it, and of the old face nothing.
    """
    drawn = np.zeros(size[::-1], np.uint8)
    for triangle in _fixed_point(face).take(TRIANGLES, axis=0):
        cv2.fillConvexPoly(drawn, triangle, 255, cv2.LINE_8, 4)
    return drawn


def _without_face(
    fitted: U8, depth: U8, outlines: Sequence[F32], place: U8, free: U8, below: U8
) -> U8:
    """Return a moved region without the old face, but for its rim inside the new one.

    What is left out is filled with the colours beside the new face, and with those of the rim
    inside it and where the picture ends below: there lies a neck that it does not show.

    Args:
        fitted: (h, w, 3) uint8 BGR.
        depth: (h, w) uint8, how deep in the old face each pixel was fetched from (:func:`_depth`).
        outlines: (n, 1, 2) float32 px of the region, of the old face and the new one.
        place: (h, w) uint8, 255 where the new one is.
        free: (h, w) uint8, 0 where other people are: what is filled does not go on from there.
        below: (h, w) uint8, 255 where pixels would be fetched from below the picture.
    """
    first, last = bounds(np.concatenate(outlines)[:, 0])
    margin = (last - first).max() * AROUND
    low = np.maximum(np.floor(first - margin), 0).astype(int).tolist()
    high = np.ceil(last + margin).astype(int).tolist()
    here = (slice(low[1], high[1]), slice(low[0], high[0]))
    allowed = np.asarray(cv2.min(place[here], IN_RIM), np.uint8)  # type: ignore[call-overload]
    hidden = np.asarray(cv2.compare(depth[here], allowed, cv2.CMP_GT), np.uint8)
    inside = np.asarray(cv2.max(255 // IN_RIM * allowed, below[here]), np.uint8)
    shown = fitted.copy()
    seen = cv2.bitwise_and(cv2.bitwise_not(hidden), free[here])
    marked = np.asarray(cv2.cvtColor(fitted[here], cv2.COLOR_BGR2BGRA), np.uint8)
    for part in (cv2.bitwise_not(inside), inside):
        known = cv2.copyTo(marked, cv2.bitwise_and(part, seen))
        filled = np.asarray(cv2.bitwise_and(hidden, part), np.uint8)
        cv2.copyTo(_spread(np.asarray(known, np.uint8)), filled, shown[here])
    return shown


def _depth(size: tuple[int, int], face: F32, outline: F32) -> U8:
    """Return (h, w) uint8: IN_RIM in the rim of a face, INSIDE deeper in and on features, else 0.

    Args:
        size: width and height in px.
        face: (468, 2) float32 px, its mesh.
        outline: (n, 1, 2) float32 px of it.
    """
    rim, silhouette = np.zeros(size[::-1], np.uint8), _filled(outline, size)
    eyes_px, hull = lm.inter_ocular_px(face), _fixed_point(outline)
    cv2.fillConvexPoly(rim, hull, INSIDE, cv2.LINE_8, 4)
    rim_px = max(1, round(2 * RIM * eyes_px))
    cv2.polylines(rim, [hull], isClosed=True, color=IN_RIM, thickness=rim_px, shift=4)
    depth = np.asarray(cv2.min(rim, cv2.dilate(silhouette, np.ones((3, 3), np.uint8))), np.uint8)
    margin_px = max(1, round(2 * FEATURE_MARGIN * eyes_px))
    for feature in _FEATURES:
        part = _fixed_point(np.asarray(cv2.convexHull(face[feature])))
        cv2.fillConvexPoly(depth, part, INSIDE, cv2.LINE_8, 4)
        cv2.polylines(depth, [part], isClosed=True, color=INSIDE, thickness=margin_px, shift=4)
    return depth


def _spread(marked: U8) -> U8:
    """Return a region of smooth colours that go on from its known pixels (push and pull).

    Args:
        marked: (h, w, 4) uint8 BGR and 255 where it is known, else 0.
    """
    height, width = marked.shape[:2]
    times = 1 << max(0, (max(height, width) // SPREAD).bit_length() - 1)
    bottom, right = -height % times, -width % times
    whole = cv2.copyMakeBorder(marked, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    size = whole.shape[1] // times, whole.shape[0] // times
    levels = [scaled(np.asarray(whole, np.uint8), size).astype(np.float32)]
    while min(levels[-1].shape[:2]) > 2:
        levels.append(np.asarray(cv2.pyrDown(levels[-1]), np.float32))
    result = 255 * levels[-1] / np.maximum(levels[-1][:, :, 3:], 1e-3)
    for level in levels[-2::-1]:
        below = cv2.resize(result, level.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        known = level / np.maximum(level[:, :, 3:] / 255, np.float32(KNOWN_FROM))
        unknown = 255 - cv2.extractChannel(known, 3)
        below = cv2.multiply(below, cv2.merge([unknown] * 4), scale=1 / 255)
        result = np.asarray(cv2.add(known, below), np.float32)
    spread = cv2.cvtColor(np.clip(result, 0, 255).astype(np.uint8), cv2.COLOR_BGRA2BGR)
    full = cv2.resize(spread, whole.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[:height, :width], np.uint8)
