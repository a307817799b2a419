"""Draw what ``anonygan`` makes of different people, and of consecutive frames.

Runs the product itself; nothing is retouched, and the failures are in it too.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.gallery_grid import CLIP_VIEW, EXAMPLES, STILL_VIEW, cell
from streamanon.config import Config
from streamanon.files.run import anonymise

IDENTITIES = ("clara", "kofi", "mei", "omar", "ruth", "luis")
WHOLE = (0.0, 0.0, 1.0)
SOURCES = (
    *((path, WHOLE) for path in sorted((EXAMPLES / "portraits").glob("*.jpg"))),
    (EXAMPLES / "stills" / "london-008.jpg", STILL_VIEW),
    (EXAMPLES / "stills" / "london-009-smiling.jpg", STILL_VIEW),
)
"""Pictures, and which part of them is shown."""

FIRST, SHOWN = 60, 9
"""Consecutive frames of the bundled clip."""

DOCS = EXAMPLES.parent / "docs"
Image = NDArray[np.uint8]


def wardrobe(folder: Path) -> Image:
    """Return a grid: a source a row, as it is and as each of the identities."""
    rows = []
    for source, view in SOURCES:
        cells = [cell(_read(source), view)]
        for identity in IDENTITIES:
            worn = folder / f"{identity}-{source.name}"
            anonymise(source, worn, Config(method="anonygan", identity=identity))
            cells.append(cell(_read(worn), view))
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def strip(folder: Path) -> Image:
    """Return consecutive frames of the clip: as they are, ``anonygan``, ``warp``."""
    clip, rows = EXAMPLES / "demo.mp4", []
    for method in (None, "anonygan", "warp"):
        shown = clip
        if method is not None:
            shown = folder / f"{method}.mp4"
            anonymise(clip, shown, Config(method=method))
        rows.append(np.hstack([cell(frame, CLIP_VIEW) for frame in _frames(shown)]))
    return np.vstack(rows)


def _read(path: Path) -> Image:
    return np.asarray(cv2.imread(str(path)), np.uint8)


def _frames(path: Path) -> list[Image]:
    with av.open(str(path)) as container:
        frames = enumerate(container.decode(video=0))
        return [
            np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            for index, frame in frames
            if FIRST <= index < FIRST + SHOWN
        ]


def main() -> None:
    """Write docs/anonygan.jpg and docs/strip.jpg."""
    with tempfile.TemporaryDirectory() as name:
        pictures = {"anonygan": wardrobe(Path(name)), "strip": strip(Path(name))}
    for name, picture in pictures.items():
        cv2.imwrite(str(DOCS / f"{name}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
