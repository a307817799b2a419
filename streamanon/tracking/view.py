"""What a second detector is shown of a place where there may be a face, and what it finds there."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamanon.imaging.boxes import centre, iou, share_inside
from streamanon.imaging.picture import shrink
from streamanon.types import F32, U8, Face, Picture

SAME_FACE = 0.3
"""Overlap (IoU) from which the second detector sees the same face, if not by its middle."""

OTHER_FACE = 0.5
"""Overlap with a proven face from which the second detector sees that one: IoU, or what it found in
a turned crop, where it takes parts of upright faces for one, within that face."""


@dataclass(slots=True)
class View:
    """An enlarged crop of a frame, and the best score of a face there that is none of the others.

    Attributes:
        picture: frame.
        box: what of it is shown, in px.
        size: to which it is scaled.
        mirrored: -1 where it is mirrored, or 1.
        where: (4,) box in which to look for a face.
        others: (4,) boxes of other faces.
        score: best score, 0..1.
        turns: number of directions it was looked at from so far, a quarter apart.
    """

    picture: Picture
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    mirrored: int
    where: F32
    others: Sequence[F32]
    score: float = 0.0
    turns: int = 0

    def turned(self) -> U8:
        """Return the crop as it is to be looked at next."""
        image = shrink(self.picture, self.box, self.size)[:, :: self.mirrored]
        return np.ascontiguousarray(np.rot90(image, self.turns))

    def note(self, faces: Sequence[Face]) -> None:
        """Take note of what the detector found in the turned crop, best first."""
        overlap = share_inside if self.turns else iou  # it sees upright faces only
        x0, y0, x1, y1 = self.box
        width, height = self.size
        shape = (width, height) if self.turns % 2 else (height, width)
        to_frame = np.tile(np.array([x1 - x0, y1 - y0], np.float32) / self.size, 2)
        for face in faces:
            if face.score <= self.score:
                break
            low_x, low_y, high_x, high_y = _turned_back(face.box, shape, self.turns)
            if self.mirrored < 0:
                low_x, high_x = width - high_x, width - low_x
            placed = np.array([low_x, low_y, high_x, high_y]) * to_frame + (x0, y0, x0, y0)
            found = placed.astype(np.float32)
            if not _is_at(found, self.where):
                continue
            if not any(overlap(found, other) > OTHER_FACE for other in self.others):
                self.score = face.score
        self.turns += 1


def _turned_back(box: F32, shape: tuple[int, int], turns: int) -> tuple[float, ...]:
    """Return a box of a picture of this shape, turned left so often, as one of the upright one."""
    x0, y0, x1, y1 = box.tolist()
    height, width = shape
    for _ in range(turns):
        x0, y0, x1, y1 = height - y1, x0, height - y0, x1
        height, width = width, height
    return x0, y0, x1, y1


def _is_at(found: F32, box: F32) -> bool:
    """Tell whether a face lies where another detector saw one."""
    middle = centre(found)
    inside = bool((middle > box[:2]).all() and (middle < box[2:]).all())
    return inside or iou(found, box) > SAME_FACE
