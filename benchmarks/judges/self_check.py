"""Self-checks of judges: whether a judge works at all, tested on faces that it must recognise.

A detector that finds nothing calls every picture anonymous, and a recogniser that always answers
the same never recognises anybody. Such measurements are dead, not good; results carry the answer
of these checks beside their figures.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from streamanon.identities.gallery import load_builtin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.judges.detectors import DetectorJudge
    from benchmarks.judges.expression import Observation
    from benchmarks.judges.realism import Features
    from benchmarks.judges.recognisers import Recogniser
    from streamanon.types import F32, U8

MOST = 0.8
"""Share of the known faces that a judge must get right to be alive."""

KNOWN = ("amara", "amos", "arun", "bjorn", "clara", "edith")
"""Known faces that are looked at: identities of the built-in gallery."""

FACE_PX = 400
"""Longer side of a known face's picture."""

SHIFT_PX = 24


@dataclass(frozen=True)
class SelfCheck:
    """Whether a judge works, and why not.

    Attributes:
        alive: True when its figures mean something.
        reason: reason for the failure; "" when alive.
    """

    alive: bool
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


@dataclass(frozen=True)
class KnownFace:
    """A picture of one face, and where it is.

    Attributes:
        image: (h, w, 3) uint8 BGR.
        points: (478, 2 or 3) float32 mesh, px of the image.
    """

    image: U8
    points: F32


@cache
def known_faces() -> tuple[KnownFace, ...]:
    """Return portraits that ship with streamanon, frontal and clear."""
    found = []
    for identity in (one for one in load_builtin() if one.name in KNOWN):
        scale = FACE_PX / max(identity.portrait.shape[:2])
        size = [round(side * scale) for side in identity.portrait.shape[1::-1]]
        image = cv2.resize(identity.portrait, size, interpolation=cv2.INTER_AREA)
        found.append(KnownFace(np.asarray(image, np.uint8), identity.mesh.points * scale))
    return tuple(found)


def check_detector(judge: DetectorJudge, faces: Sequence[KnownFace] | None = None) -> SelfCheck:
    """Check that a detector finds known faces where they are, and none in a grey picture.

    Args:
        judge: the detector.
        faces: known faces; the built-in portraits by default.
    """
    known = known_faces() if faces is None else faces
    found = [_finds(judge(face.image), face.points) for face in known]
    if np.mean(found) < MOST:
        return SelfCheck(alive=False, reason=f"finds {sum(found)} of {len(found)} known faces")
    if len(judge(np.full_like(known[0].image, 128))):
        return SelfCheck(alive=False, reason="finds a face in a grey picture")
    return SelfCheck(alive=True)


def check_recogniser(recogniser: Recogniser) -> SelfCheck:
    """Check that a recogniser knows a face again that was darkened a little, among others."""
    known = known_faces()
    first = np.stack([recogniser.embed(face.image, face.points) for face in known])
    again = np.stack([recogniser.embed(_disturbed(face.image), face.points) for face in known])
    if first.shape[1] != recogniser.dimensions or not np.isfinite(first).all():
        return SelfCheck(alive=False, reason="gives embeddings that are not finite numbers")
    if np.abs(np.linalg.norm(first, axis=1) - 1).max() > 1e-3:
        return SelfCheck(alive=False, reason="gives embeddings that are not of length 1")
    return _tells_apart(first, again)


def check_features(features: Features) -> SelfCheck:
    """Check that features tell pictures apart, and find the nearest to a disturbed one."""
    known = known_faces()
    first = features([face.image for face in known])
    again = features([_disturbed(face.image) for face in known])
    if first.shape != (len(known), features.dimensions) or not np.isfinite(first).all():
        return SelfCheck(alive=False, reason="gives features that are not finite numbers")
    return _tells_apart(first, again)


def check_observer(observe: Callable[[U8], Observation | None]) -> SelfCheck:
    """Check that landmarks lie on known faces, move with them, and that expressions differ."""
    known = known_faces()
    expressions = []
    right = 0
    for face in known:
        here, there = observe(face.image), observe(_moved(face.image))
        if here is None or there is None:
            continue
        expressions.append(here.blendshapes)
        width = float(np.ptp(face.points[:, 0]))
        off = np.abs(np.median((here.points - face.points[:, : here.points.shape[1]])[:, :2], 0))
        step = np.median((there.points - here.points)[:, :2], axis=0)
        right += bool(off.max() < 0.1 * width and np.abs(step - SHIFT_PX).max() < SHIFT_PX / 3)
    if len(expressions) < MOST * len(known):
        return SelfCheck(alive=False, reason=f"sees {len(expressions)} of {len(known)} known faces")
    if right < MOST * len(known):
        reason = f"landmarks lie on the face and move with it in {right} of {len(known)} pictures"
        return SelfCheck(alive=False, reason=reason)
    if np.std(expressions, axis=0).max() < 1e-3:
        return SelfCheck(alive=False, reason="sees the same expression in every face")
    return SelfCheck(alive=True)


def _finds(boxes: F32, points: F32) -> bool:
    """Return whether the middle of one of (n, 5) boxes lies within the mesh's own box."""
    middles = (boxes[:, :2] + boxes[:, 2:4]) / 2
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return bool(((middles >= low) & (middles <= high)).all(axis=1).any())


def _tells_apart(first: NDArray[np.floating], again: NDArray[np.floating]) -> SelfCheck:
    """Check that vectors differ, and that each is nearest to that of its own disturbed picture."""
    apart = np.linalg.norm(first[:, None].astype(np.float64) - again[None], axis=2)
    scale = float(np.linalg.norm(first, axis=1).mean())
    others = np.linalg.norm(first[1:] - first[:-1], axis=1)
    if scale < 1e-9 or others.max() < 1e-4 * scale:
        return SelfCheck(alive=False, reason="answers the same to every picture")
    hits = apart.argmin(axis=1) == np.arange(len(first))
    if hits.mean() < MOST:
        reason = f"knows {hits.sum()} of {len(hits)} pictures again after a slight change"
        return SelfCheck(alive=False, reason=reason)
    return SelfCheck(alive=True)


def _disturbed(image: U8) -> U8:
    """Return a picture a little darker and softer."""
    return np.asarray(
        cv2.convertScaleAbs(cv2.GaussianBlur(image, (0, 0), 1.0), alpha=0.85), np.uint8
    )


def _moved(image: U8) -> U8:
    """Return a picture with its content moved right and down; the edge is repeated."""
    moved = cv2.copyMakeBorder(image, SHIFT_PX, 0, SHIFT_PX, 0, cv2.BORDER_REPLICATE)
    return np.asarray(moved[: image.shape[0], : image.shape[1]], np.uint8)
