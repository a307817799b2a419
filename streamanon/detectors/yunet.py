"""YuNet: boxes and five points, found in the whole frame and, for small faces, in tiles of it.

Source: Wu et al., "YuNet: a tiny millisecond-level face detector", 2023; output layout as in
libfacedetection.train.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.errors import ModelError
from streamanon.imaging.crop import to_blob
from streamanon.imaging.picture import clip_box, shrink
from streamanon.protocols import Backend
from streamanon.types import F32, U8, Face, Picture

MIN_FACE_INPUT_PX = 12
"""Width of the smallest wanted face in the network's input; on a street scene it found 95 % of the
faces this small (87 % at 8 px, 98 % at 16 px) at threshold 0.3."""

MAX_INPUT_PX = 768
"""Maximum longer side of the network's input; larger frames are searched in tiles."""

MIN_INPUT_PX = 320
"""Longer side below which small pictures are not scaled down."""

COARSE_INPUT_PX = 160
"""Longer side of the input in which faces larger than the frame are searched for."""

_STRIDES = (8, 16, 32)
_MAX_IOU = 0.4
"""Intersection over union above which two boxes are one face."""

_MAX_CONTAINED = 0.8
"""Share of the smaller box that lies in the other above which two boxes are one face."""


@dataclass(frozen=True, slots=True)
class _Tile:
    """A rectangle of the frame and the size in px to which it is scaled for the network."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]


class YuNetDetector:
    """Finds faces; implements :class:`streamanon.protocols.Detector`."""

    def __init__(self, backend: Backend, *, min_face_px: float, threshold: float = 0.3) -> None:
        """Wrap the loaded network ``yunet.onnx``.

        Args:
            backend: loaded network.
            min_face_px: smallest face to find, in frame px.
            threshold: minimum score; low, since a missed face costs more than a false one. Over ten
                clips of one face or none, 0.25 still gave no false face.
        """
        self._backend = backend
        self._min_face_px = min_face_px
        self._threshold = threshold

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture, best score first.

        Raises:
            ModelError: An output of the network is not finite.
        """
        found = []
        for number, tile in enumerate(_plan(picture.width, picture.height, self._min_face_px)):
            box = clip_box(picture, tile.box)
            image = shrink(picture, box, tile.size)
            found.append(self._search(image, box))
            if number == 0:
                found.append(self._search_coarse(image, box))
        rows = np.concatenate(found)
        return [
            Face(row[:4], float(row[14]), row[4:14].reshape(5, 2))
            for row in rows[_suppress_overlaps(rows)]
        ]

    def _search_coarse(self, image: U8, box: tuple[int, int, int, int]) -> F32:
        """Return (n, 15) candidates, in an image of the whole frame, that fill much of it."""
        height, width = image.shape[:2]
        size = _scaled(width, height, min(1.0, COARSE_INPUT_PX / max(width, height)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        rows = self._search(np.asarray(small, np.uint8), box)
        sides = (rows[:, 2:4] - rows[:, :2]).max(axis=1)
        return np.asarray(rows[sides > 0.7 * min(box[2:]), :], np.float32)

    def _search(self, image: U8, box: tuple[int, int, int, int]) -> F32:
        """Return (n, 15) candidates in an image of a box: box, five points in frame px, score."""
        x0, y0, x1, y1 = box
        height, width = image.shape[:2]
        padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        image = np.asarray(padded, np.uint8)
        rows = _decode(self._backend.run({"input": to_blob(image)}), image, self._threshold)
        if not np.isfinite(rows).all():
            raise ModelError("the face detector answered numbers that are not finite")
        scale = np.array([(x1 - x0) / width, (y1 - y0) / height], np.float32)
        for axis, corner in enumerate((x0, y0)):
            rows[:, axis:14:2] = rows[:, axis:14:2] * scale[axis] + corner
        rows[:, 4:14] -= 0.5  # boxes count from the edge of the first pixel, points from its centre
        return rows


def _decode(outputs: Mapping[str, NDArray[np.generic]], image: U8, threshold: float) -> F32:
    """Return (n, 15) candidates in px of the network's input: box, five points, score."""
    parts = []
    for stride in _STRIDES:
        of_class, of_object, box, points = (
            np.asarray(outputs[f"{kind}_{stride}"][0], np.float32)
            for kind in ("cls", "obj", "bbox", "kps")
        )
        score = np.sqrt(of_class[:, 0] * of_object[:, 0])
        hits = np.flatnonzero(~(score < threshold))  # keeps NaN scores, which are refused later
        if not hits.size:
            continue
        grid = _grid(image.shape[0] // stride, image.shape[1] // stride)[hits]
        centre, half = (grid + box[hits, :2]) * stride, np.exp(box[hits, 2:]) * (stride / 2)
        spots = (points[hits].reshape(-1, 5, 2) + grid[:, None]).reshape(-1, 10) * stride
        parts.append(np.hstack([centre - half, centre + half, spots, score[hits, None]]))
    return np.concatenate(parts or [np.empty((0, 15))]).astype(np.float32)


def _suppress_overlaps(rows: F32) -> list[int]:
    """Return the (n, 15) candidates left by non-maximum suppression, best score first.

    A candidate is dropped when it overlaps a better one by more than _MAX_IOU, or when one of the
    two contains most of the other: a face cut by an edge is found both with and without the part
    that is cut off.
    """
    order = np.argsort(-rows[:, 14])
    low, high = rows[:, :2], rows[:, 2:4]
    area = np.prod(high - low, axis=1)
    kept: list[int] = []
    while order.size:
        best, order = int(order[0]), order[1:]
        kept.append(best)
        sides = np.minimum(high[order], high[best]) - np.maximum(low[order], low[best])
        shared = np.prod(np.clip(sides, 0, None), axis=1)
        union = area[order] + area[best] - shared
        smaller = np.minimum(area[order], area[best])
        order = order[(shared <= _MAX_IOU * union) & (shared <= _MAX_CONTAINED * smaller)]
    return kept


@lru_cache(maxsize=64)
def _grid(rows: int, columns: int) -> F32:
    """Return (rows * columns, 2) float32 x, y of every cell, row by row."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


@lru_cache(maxsize=16)
def _plan(width: int, height: int, min_face_px: float) -> tuple[_Tile, ...]:
    """Return the tiles in which every face of at least min_face_px can be found.

    The first is the whole frame, and the only one if its scale suffices. Otherwise small faces are
    found in smaller tiles, and faces too large to be whole in one of them in the first:
    neighbouring tiles overlap by more than the smallest face that can be found there.
    """
    longest = max(width, height)
    scale = min(2.0, max(MIN_FACE_INPUT_PX / min_face_px, min(1.0, MIN_INPUT_PX / longest)))
    whole = min(scale, MAX_INPUT_PX / longest)
    tiles = [_Tile((0, 0, width, height), _scaled(width, height, whole))]
    if whole < scale:
        side = MAX_INPUT_PX / scale
        overlap = min(1.5 * MIN_FACE_INPUT_PX / whole, side / 2)
        starts = (_starts(length, side, overlap) for length in (width, height))
        for x, y in product(*starts):
            box = (x, y, min(width, x + round(side)), min(height, y + round(side)))
            tiles.append(_Tile(box, _scaled(box[2] - box[0], box[3] - box[1], scale)))
    return tuple(tiles)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _starts(length: int, side: float, overlap: float) -> list[int]:
    """Return the starts of tiles that cover a length and overlap by at least so much."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - overlap) / (side - overlap)))
    return [round(at) for at in np.linspace(0, length - side, count)]
