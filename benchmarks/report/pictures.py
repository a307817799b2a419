"""Strips of pictures by method: the bundled stills, and moments of the bundled clip.

Only pictures that may be published: portraits of the Face Research Lab London Set, whose people
agreed (CC BY 4.0), and a clip of Wolfgang Langer on Pexels. Nothing is selected by quality:
every still is shown, and moments are evenly spaced.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks import ROOT
from benchmarks.methods import PRODUCT, method
from scripts.side_by_side import frames_at
from streamanon.config import Config
from streamanon.files.run import anonymise
from streamanon.identities.portrait import read_image
from streamanon.types import U8

MOMENTS = 8
CELL_PX = 160
QUALITY = 88

CREDIT = (
    "Stills: Face Research Lab London Set, Lisa DeBruine and Benedict Jones, 2017, "
    "<https://doi.org/10.6084/m9.figshare.5047666>, CC BY 4.0, scaled and anonymised. "
    "Clip: Wolfgang Langer on Pexels."
)

View = tuple[float, float, float]
"""Left, top and side of a square, over the width of a picture."""


@dataclass(frozen=True)
class Sources:
    """The pictures that are shown.

    Attributes:
        stills: picture files.
        clip: video file.
        still_view: part of a still that is shown.
        clip_view: part of the clip that is shown.
    """

    stills: Sequence[Path]
    clip: Path
    still_view: View = (0.2, 0.14, 0.6)
    clip_view: View = (0.44, 0.0, 0.5625)


def bundled() -> Sources:
    """Return the pictures that may be published."""
    stills = [
        *sorted((ROOT / "examples" / "stills").glob("*.jpg")),
        *sorted((ROOT / "tests" / "fixtures").glob("london_*.webp")),
    ]
    return Sources(stills, ROOT / "examples" / "demo.mp4")


def files(name: str) -> tuple[str, str]:
    """Return the file names of a method's strips: stills and clip."""
    return f"stills-{name}.jpg", f"clip-{name}.jpg"


def write(name: str, folder: Path, sources: Sources) -> None:
    """Draw the strips of a method.

    Args:
        name: name of the method, "none" for the sources.
        folder: folder for the strips.
        sources: pictures to show.
    """
    for file, cells in zip(
        files(name), (_stills(name, sources), _clip(name, sources)), strict=True
    ):
        strip = np.hstack(cells)
        cv2.imwrite(str(folder / file), strip, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _stills(name: str, sources: Sources) -> list[U8]:
    apply = method(name)
    images = ((path.name, read_image(path)) for path in sources.stills)
    return [_cell(apply(file, image).image, sources.still_view) for file, image in images]


def _clip(name: str, sources: Sources) -> list[U8]:
    """Return moments of the clip: the product runs on all of it, the rest on what is shown."""
    at = [(moment + 0.5) / MOMENTS for moment in range(MOMENTS)]
    if name in PRODUCT:
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "clip.mp4"
            anonymise(sources.clip, output, Config(method=name))
            return [_cell(frame, sources.clip_view) for frame in frames_at(output, at)]
    apply = method(name)
    frames = frames_at(sources.clip, at)
    return [_cell(apply(sources.clip.name, frame).image, sources.clip_view) for frame in frames]


def _cell(image: U8, view: View) -> U8:
    left, top, side = (round(share * image.shape[1]) for share in view)
    square = image[top : top + side, left : left + side]
    return np.asarray(
        cv2.resize(square, (CELL_PX, CELL_PX), interpolation=cv2.INTER_AREA), np.uint8
    )
