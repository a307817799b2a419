"""Small sidecars, made of scenes by the real sealer, and who can open them."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

from streamanon.imaging.picture import as_picture
from streamanon.safety.compose import compose
from streamanon.sealed.keys import Recipients
from streamanon.sealed.sealer import Sealer
from streamanon.sealed.sidecar import SidecarWriter
from streamanon.types import Face, Frame, MediaInfo, Picture, Scene, Subject, Track

BASE = Fraction(1, 25)


@dataclass(frozen=True)
class Holder:
    """Somebody with a key: the file of the private one, and the public one."""

    file: Path
    public: str


def noise(seed: int, size: tuple[int, int] = (64, 64)) -> Picture:
    """Return a picture that no other seed gives."""
    made = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3))
    return as_picture(np.asarray(made, np.uint8))


def scene(
    index: int, picture: Picture, boxes: Sequence[tuple[float, ...]], distrust: str = ""
) -> Scene:
    """Return a frame with somebody in each box."""
    subjects = []
    for number, one in enumerate(boxes, 1):
        box = np.asarray(one, np.float32)
        subjects.append(Subject(Track(number, Face(box, 1.0), box)))
    return Scene(Frame(index, picture, index, BASE), tuple(subjects), distrust)


def seal_scenes(
    path: Path, scenes: Sequence[Scene], recipients: Recipients, *, lossless: bool = True
) -> Path:
    """Seal scenes whose people get the cover, as a run does.

    Args:
        path: sidecar to write.
        scenes: scenes to seal, of 25 frames a second.
        recipients: public keys that can open it.
        lossless: keep the samples exactly.
    """
    picture = scenes[0].frame.picture
    info = MediaInfo("test", picture.width, picture.height, picture.colour, BASE, Fraction(25))
    writer = partial(SidecarWriter, path, access=recipients.access, overwrite=False)
    sealer = Sealer(writer, info, recipients, lossless=lossless)
    for one in scenes:
        sealer.add(one, compose(one, [None] * len(one.subjects)))
        sealer.written(one.frame.index, one.frame.index * 40_000)
    sealer.drain()
    sealer.bind(["00" * 32])
    return path
