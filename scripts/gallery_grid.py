"""Draw the picture of the README: sources and what methods make of them, several people.

Runs the product itself on stills and on the bundled clip; nothing is retouched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.side_by_side import frames_at
from streamanon.config import Config
from streamanon.files.run import anonymise

EXAMPLES = Path(__file__).parent.parent / "examples"
CELL = 224
MOMENTS = (0.03, 0.45, 0.63, 0.83)
"""Where in the clip to look, as shares of its length."""
STILL_VIEW = (0.2, 0.14, 0.6)
"""Left, top and side of what is shown of a still, as shares of its width."""
CLIP_VIEW = (0.44, 0.0, 0.5625)
"""The same for the clip."""

Image = NDArray[np.uint8]


def cell(image: Image, view: tuple[float, float, float]) -> Image:
    """Return a square view of an image at CELL px."""
    left, top, side = (round(share * image.shape[1]) for share in view)
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (CELL, CELL), interpolation=cv2.INTER_AREA), np.uint8)


def row(method: str | None, folder: Path) -> Image:
    """Return the stills and the clip's moments, anonymised unless method is None."""
    cells = []
    for source in [*sorted((EXAMPLES / "stills").glob("*.jpg")), EXAMPLES / "demo.mp4"]:
        shown = source
        if method is not None:
            shown = folder / f"{method}-{source.name}"
            anonymise(source, shown, Config(method=method))
        if source.suffix == ".mp4":
            cells += [cell(frame, CLIP_VIEW) for frame in frames_at(shown, list(MOMENTS))]
        else:
            cells.append(cell(np.asarray(cv2.imread(str(shown)), np.uint8), STILL_VIEW))
    return np.hstack(cells)


def main() -> None:
    """Write docs/grid.jpg."""
    with tempfile.TemporaryDirectory() as name:
        methods = (None, "anonygan", "warp", "mosaic")
        grid = np.vstack([row(method, Path(name)) for method in methods])
    target = EXAMPLES.parent / "docs" / "grid.jpg"
    cv2.imwrite(str(target), grid, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
