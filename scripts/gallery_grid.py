"""Draw the picture of the README: sources, warped and mosaicked, several people and expressions.

Runs the product itself on stills and on frames of the bundled clip; nothing is retouched.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

from streamanon.app import anonymise
from streamanon.config import Config

ROOT = Path(__file__).parent.parent
CELL = 224
CLIP_TIMES_S = (0.5, 6.5, 12.5, 16.0)


def sources(folder: Path) -> list[Path]:
    """Write the stills to show into a folder: people of the fixtures, moments of the clip."""
    found = []
    for still in sorted((ROOT / "examples" / "stills").glob("*.jpg")):
        target = folder / still.name
        target.write_bytes(still.read_bytes())
        found.append(target)
    with av.open(str(ROOT / "examples" / "demo.mp4")) as container:
        wanted = list(CLIP_TIMES_S)
        for frame in container.decode(video=0):
            if wanted and frame.time is not None and frame.time >= wanted[0]:
                target = folder / f"clip-{wanted.pop(0):04.1f}.png"
                cv2.imwrite(str(target), frame.to_ndarray(format="bgr24"))
                found.append(target)
    return found


def cell(path: Path, around: tuple[int, int, int, int] | None = None) -> np.ndarray:
    """Return a square CELL px picture of the middle of an image."""
    image = cv2.imread(str(path))
    assert image is not None, path
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    square = image[top : top + side, left : left + side]
    return np.asarray(cv2.resize(square, (CELL, CELL), interpolation=cv2.INTER_AREA))


def main() -> None:
    """Write docs/grid.jpg."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stills = sources(folder)
        rows = [[cell(still) for still in stills]]
        for method in ("warp", "mosaic"):
            done = [
                anonymise(still, folder / f"{still.stem}-{method}.png", Config(method=method))
                for still in stills
            ]
            assert done
            rows.append([cell(folder / f"{still.stem}-{method}.png") for still in stills])
        grid = np.vstack([np.hstack(row) for row in rows])
        cv2.imwrite(str(ROOT / "docs" / "grid.jpg"), grid, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
