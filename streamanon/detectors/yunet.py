"""YuNet: boxes and five points, in one look at the whole frame or in several at its tiles.

Source: Wu et al., "YuNet: a tiny millisecond-level face detector", 2023; output layout as in
libfacedetection.train.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.core.picture import clip_box, shrink
from streamanon.types import Face

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from streamanon.protocols import Backend
    from streamanon.types import F32, U8, Picture

SMALLEST_PX = 12
"""Size at which the network is shown the smallest wanted face."""

LARGEST_LOOK_PX = 768
"""Longer side of a look, at most; larger frames are searched in tiles."""

SHORTEST_LOOK_PX = 320
"""Small pictures are not shrunk below this longer side."""

_STRIDES = (8, 16, 32)
_SAME_FACE = 0.4
"""Intersection over union above which two boxes are one face."""


@dataclass(frozen=True, slots=True)
class _Look:
    """A rectangle of the frame and the size in px at which the network sees it."""

    box: tuple[int, int, int, int]
    size: tuple[int, int]


class YuNetDetector:
    """Finds faces; implements :class:`streamanon.protocols.Detector`."""

    def __init__(self, backend: Backend, *, min_face_px: float, threshold: float = 0.4) -> None:
        """Take the loaded network ``yunet.onnx``.

        Args:
            backend: the network.
            min_face_px: smallest face to find, in frame px.
            threshold: least score; low, since a missed face costs more than a false one.
        """
        self._backend = backend
        self._min_face_px = min_face_px
        self._threshold = threshold

    def detect(self, picture: Picture) -> list[Face]:
        """Return every face of an upright picture, best score first."""
        found = [
            self._look(picture, look)
            for look in _plan(picture.width, picture.height, self._min_face_px)
        ]
        rows = np.concatenate(found)
        boxes = rows[:, :4].copy()
        boxes[:, 2:] -= boxes[:, :2]
        keep = cv2.dnn.NMSBoxes(boxes.tolist(), rows[:, 14].tolist(), 0.0, _SAME_FACE)
        best = rows[np.asarray(keep, np.int64).reshape(-1)]
        return [Face(row[:4], float(row[14]), row[4:14].reshape(5, 2)) for row in best]

    def _look(self, picture: Picture, look: _Look) -> F32:
        """Return (n, 15) candidates in frame px: box, five points, score."""
        x0, y0, x1, y1 = clip_box(picture, look.box)
        width, height = look.size
        image = shrink(picture, (x0, y0, x1, y1), look.size)
        padded = cv2.copyMakeBorder(image, 0, -height % 32, 0, -width % 32, cv2.BORDER_CONSTANT)
        outputs = self._backend.run({"input": cv2.dnn.blobFromImage(padded)})
        rows = _decode(outputs, np.asarray(padded, np.uint8), self._threshold)
        scale = np.array([(x1 - x0) / width, (y1 - y0) / height], np.float32)
        # The network's points are edges-based; pixel centres lie at whole numbers.
        rows[:, :14] = rows[:, :14] * np.tile(scale, 7) + np.tile((x0, y0), 7)
        rows[:, 4:14] -= 0.5
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
        hits = np.flatnonzero(score >= threshold)
        grid = _grid(image.shape[0] // stride, image.shape[1] // stride)[hits]
        centre, half = (grid + box[hits, :2]) * stride, np.exp(box[hits, 2:]) * (stride / 2)
        spots = points[hits] + np.tile(grid, 5)
        parts.append(np.hstack([centre - half, centre + half, spots * stride, score[hits, None]]))
    return np.concatenate(parts).astype(np.float32)


@lru_cache(maxsize=64)
def _grid(rows: int, columns: int) -> F32:
    """Return (rows * columns, 2) float32 x, y of every cell, row by row."""
    y, x = np.mgrid[:rows, :columns]
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)


@lru_cache(maxsize=16)
def _plan(width: int, height: int, min_face_px: float) -> tuple[_Look, ...]:
    """Return the looks that together see every face of at least min_face_px.

    One look at the whole frame where that is enough. Otherwise tiles see the small faces, and a
    look at the whole frame those too large to be whole in a tile: neighbouring tiles overlap by
    more than the smallest face that look can see.
    """
    longest = max(width, height)
    scale = min(2.0, max(SMALLEST_PX / min_face_px, min(1.0, SHORTEST_LOOK_PX / longest)))
    whole = min(scale, LARGEST_LOOK_PX / longest)
    looks = [_Look((0, 0, width, height), _scaled(width, height, whole))]
    if whole < scale:
        side = LARGEST_LOOK_PX / scale
        overlap = min(1.5 * SMALLEST_PX / whole, side / 2)
        starts = (_starts(length, side, overlap) for length in (width, height))
        for x, y in product(*starts):
            box = (x, y, min(width, x + round(side)), min(height, y + round(side)))
            looks.append(_Look(box, _scaled(box[2] - box[0], box[3] - box[1], scale)))
    return tuple(looks)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))


def _starts(length: int, side: float, overlap: float) -> list[int]:
    """Return where tiles of a side begin, so that they cover a length and overlap enough."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - overlap) / (side - overlap)))
    return [round(at) for at in np.linspace(0, length - side, count)]
