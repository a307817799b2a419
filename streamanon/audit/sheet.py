"""A contact sheet of the worst faces of the anonymised file, for people to check."""

from dataclasses import dataclass

import cv2
import numpy as np

from streamanon.audit.judge import FaceComparison, square_around
from streamanon.imaging.crop import crop_square
from streamanon.types import U8, Picture

CELLS, COLUMNS = 12, 4
STRETCH_S = 0.5
CELL_PX = 240
CAPTION_PX = 40
AROUND = 2.5
"""Side of the square shown in a cell, in face boxes."""

_PAPER, _INK, _ALARM = (255, 255, 255), (40, 40, 40), (0, 0, 220)


@dataclass(frozen=True, slots=True)
class _Cell:
    """The worst face of a stretch of the anonymised file."""

    stretch: int
    badness: float
    image: U8


class ContactSheet:
    """Keeps the worst faces of a clip, one per stretch: leaks first, then the closest calls."""

    def __init__(self) -> None:
        self._cells: list[_Cell] = []

    def add(
        self, number: int, time_s: float, after: Picture, comparisons: list[FaceComparison]
    ) -> None:
        """Consider the worst face of the next frame of the anonymised file."""
        if not comparisons:
            return
        worst = max(comparisons, key=_badness)
        drawn = _draw(after, worst, f"frame {number}, {time_s:.2f} s")
        self._cells.append(_Cell(int(time_s / STRETCH_S), _badness(worst), drawn))
        self._cells.sort(key=lambda cell: -cell.badness)
        first = {cell.stretch: cell for cell in reversed(self._cells)}
        self._cells = [cell for cell in self._cells if cell is first[cell.stretch]][:CELLS]

    def image(self) -> U8:
        """Return the sheet, (h, w, 3) uint8 BGR, worst first."""
        blank = np.full((CELL_PX + CAPTION_PX, CELL_PX, 3), _PAPER, np.uint8)
        rows = -(-len(self._cells) // COLUMNS)
        cells = [cell.image for cell in self._cells]
        cells += [blank] * (rows * COLUMNS - len(cells))
        lines = [np.hstack(cells[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(rows)]
        return np.asarray(np.vstack(lines), np.uint8)


def _badness(comparison: FaceComparison) -> float:
    """Return how near a face is to a leak; leaks rank above all others."""
    return comparison.leaks + max(comparison.kept, comparison.cosine or -1.0)


def _draw(after: Picture, comparison: FaceComparison, place: str) -> U8:
    ink = _ALARM if comparison.leaks else _INK
    corners = square_around(comparison.box, AROUND)
    image = crop_square(after, corners, CELL_PX)
    scale = CELL_PX / (corners[1, 0] - corners[0, 0])
    x0, y0, x1, y1 = (comparison.box.reshape(2, 2) - 0.5 - corners[0]).ravel() * scale
    cv2.rectangle(image, (round(x0), round(y0)), (round(x1), round(y1)), ink, 1)
    cell = cv2.copyMakeBorder(image, 0, CAPTION_PX, 0, 0, cv2.BORDER_CONSTANT, value=_PAPER)
    cosine = "-" if comparison.cosine is None else f"{comparison.cosine:.2f}"
    for line, text in enumerate((place, f"kept {comparison.kept:.2f}, cosine {cosine}")):
        at = (4, CELL_PX + 15 + 17 * line)
        cv2.putText(cell, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, ink, 1, cv2.LINE_AA)
    return np.asarray(cell, np.uint8)
