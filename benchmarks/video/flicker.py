"""Whether a still face flickers when only the sensor's noise changes."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.imaging.picture import whole_bgr
from streamanon.sources.video import VideoSource
from streamanon.types import F32

CELL_PX = 8


def flicker(source: Path, output: Path, mesh: F32) -> dict[str, Any] | None:
    """Return the deviation over time of the mean luma of 8 x 8 px cells of the face.

    Args:
        source: clip of one frame with noise.
        output: the same, anonymised.
        mesh: (478, 3) of the face, px.

    Returns:
        Mean over cells of source and output, 0..255, and their ratio; None where the face is
        smaller than a cell, or the source does not change.
    """
    cells = [_cells(path) for path in (source, output)]
    inside = _inside(mesh, cells[0].shape[1:])
    if not inside.any():
        return None
    before, after = (float(one[:, inside].std(axis=0).mean()) for one in cells)
    if before == 0:
        return None
    return {
        "source": before,
        "output": after,
        "ratio": after / before,
        "cells": int(inside.sum()),
        "frames": len(cells[0]),
    }


def _cells(path: Path) -> NDArray[np.float64]:
    """Return (frames, rows, columns) of mean luma; what fills no whole cell is left out."""
    source = VideoSource(path)
    found = []
    for frame in source:
        luma = cv2.cvtColor(whole_bgr(frame.picture), cv2.COLOR_BGR2GRAY)
        rows, columns = (side // CELL_PX for side in luma.shape)
        whole = luma[: rows * CELL_PX, : columns * CELL_PX]
        found.append(whole.reshape(rows, CELL_PX, columns, CELL_PX).mean(axis=(1, 3)))
    source.close()
    return np.stack(found)


def _inside(mesh: F32, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which cells lie wholly inside the oval of a face."""
    size = (shape[1] * CELL_PX, shape[0] * CELL_PX)
    oval = cv2.convexHull(np.rint(mesh[list(lm.FACE_OVAL), :2]).astype(np.int32))
    mask = np.zeros(size[::-1], np.uint8)
    cv2.fillConvexPoly(mask, oval, 1)
    return np.asarray(
        mask.reshape(shape[0], CELL_PX, shape[1], CELL_PX).min(axis=(1, 3)).astype(bool)
    )
