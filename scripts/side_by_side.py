"""Tile frames of an original video and of its anonymised versions into one picture.

The picture shows the original faces: it is for looking at what was done, not for publishing,
unless everybody in the original agreed.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import click
import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def frames_at(path: Path, fractions: list[float]) -> list[NDArray[np.uint8]]:
    """Decode the frames at fractions (0..1) of a video, as (h, w, 3) uint8 BGR."""
    with av.open(str(path)) as container:
        total = sum(1 for _ in container.decode(video=0))
    wanted = sorted({min(total - 1, round(fraction * (total - 1))) for fraction in fractions})
    with av.open(str(path)) as container:
        return [
            np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
            for index, frame in enumerate(container.decode(video=0))
            if index in wanted
        ]


@click.command()
@click.argument("videos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
@click.option("--rows", default=6, show_default=True, help="Moments to show.")
@click.option("--width", default=480, show_default=True, help="Width of each frame in px.")
def main(videos: tuple[Path, ...], picture: Path, rows: int, width: int) -> None:
    """Write PICTURE: one column for each of VIDEOS (the original first), one row a moment."""
    fractions = [(row + 0.5) / rows for row in range(rows)]
    columns = []
    for video in videos:
        shown = frames_at(video, fractions)
        height = round(width * shown[0].shape[0] / shown[0].shape[1])
        columns.append(np.vstack([cv2.resize(frame, (width, height)) for frame in shown]))
    if any(one.shape != other.shape for one, other in pairwise(columns)):
        raise click.ClickException(
            "the videos differ in length or shape: give versions of one clip"
        )
    picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(picture), np.hstack(columns))


if __name__ == "__main__":
    main()
