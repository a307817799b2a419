"""Real faces as inputs of the networks, for calibration and measurements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.face import landmarks as lm
from streamanon.face.bare_skin import bare_portrait
from streamanon.face.mouth import texture_of
from streamanon.face.network_input import (
    AlignedCondition,
    AlignedFace,
    ConditionWarp,
    network_inputs,
)
from streamanon.factory import Factory
from streamanon.identities.gallery import showing_most_teeth
from streamanon.identities.portrait import read_image
from streamanon.imaging.boxes import side
from streamanon.imaging.picture import as_picture
from streamanon.media.file_types import IMAGE_SUFFIXES
from streamanon.sources.video import VideoSource
from streamanon.types import F32, Frame, Picture

CLIP = Path(__file__).parent.parent / "examples" / "demo.mp4"
CLIP_EVERY = 10
"""Step in frames between two faces of the clip."""

MIN_PRESENCE = 0.9


@dataclass(frozen=True)
class Sample:
    """One face with an identity to replace it.

    Attributes:
        face: source face.
        inputs: inputs of both branches, without the batch axis.
        edge: (128, 128) float32 opacity of the result.
    """

    face: AlignedFace
    inputs: dict[str, NDArray[Any]]
    edge: F32


def samples(folder: Path | None, count: int) -> list[Sample]:
    """Return faces of the demo clip, the gallery and a folder of pictures, evenly mixed.

    Args:
        folder: folder with more pictures of faces, or None.
        count: largest number of faces.

    Raises:
        UsageError: there is no such folder, or no face in it.
    """
    factory = Factory(Config())
    gallery = factory.gallery
    found = [AlignedFace.of(as_picture(one.portrait), one.mesh.points) for one in gallery]
    found += _faces((frame.picture for frame in _clip()), factory)
    if folder is not None:
        more = list(_faces(_pictures(folder, count), factory))
        if not more:
            raise UsageError(f"no face in the pictures of {folder}: give photographs of people")
        found += more
    donor = showing_most_teeth(gallery)
    teeth = texture_of(donor) if donor else None
    conditions = [AlignedCondition.of(one, bare_portrait(one), teeth) for one in gallery]
    chosen = np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int)
    return [
        _sample(found[at], conditions[number % len(conditions)])
        for number, at in enumerate(chosen.tolist(), 1)
    ]


def _sample(face: AlignedFace, condition: AlignedCondition) -> Sample:
    warp = ConditionWarp.of(face, condition)
    inputs = network_inputs(face, condition, warp) | condition.arrays()
    return Sample(face, inputs, warp.alpha(lm.head_pose(face.points)[0]))


def _clip() -> Iterator[Frame]:
    source = VideoSource(CLIP)
    try:
        yield from islice(source, 0, None, CLIP_EVERY)
    finally:
        source.close()


def _pictures(folder: Path, count: int) -> Iterator[Picture]:
    """Yield pictures of a folder, evenly chosen."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder: give one with pictures of faces")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    for path in paths[:: max(1, len(paths) // count)]:
        yield as_picture(read_image(path))


def _faces(pictures: Iterable[Picture], factory: Factory) -> Iterator[AlignedFace]:
    """Yield the largest face of each picture that has one."""
    for picture in pictures:
        faces = [face for face in factory.detector.detect(picture) if face.points is not None]
        if not faces:
            continue
        points = max(faces, key=lambda face: side(face.box)).points
        assert points is not None
        roi = lm.roi_from_points(points)
        for _ in range(2):
            mesh = factory.mesher.fit(picture, roi)
            roi = lm.roi_from_mesh(mesh.points)
        if mesh.presence > MIN_PRESENCE:
            yield AlignedFace.of(picture, mesh.points)
