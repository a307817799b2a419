"""How well the network brings back faces of people it has not learnt from."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

import cv2
import numpy as np

from benchmarks.identity.people import Person
from benchmarks.judges.detectors import detector
from benchmarks.judges.perceptual import ShiftTolerantLpips
from benchmarks.judges.realism import features, frechet
from benchmarks.judges.recognisers import Recogniser
from streamanon.types import F32, U8
from training.recovery.model import SIDE_PX, Codec, scrambled
from training.recovery.pairs import Pair, pair_of_image

LARGER = 4
"""How much crops are enlarged for judges."""

WRONG_KEYS = 2
"""Tried on each face."""


def row(
    codec: Codec,
    people: Sequence[Person],
    method: str,
    judges: Sequence[Recogniser],
    step: Callable[[], None],
) -> dict[str, Any]:
    """Return means over faces: PSNR in dB, SSIM, LPIPS, cosines of identity, and faces found.

    ``recovered`` and ``anonymised`` are compared with the original, and ``wrong_key`` is what codes
    give that were decrypted with another key. ``frechet`` is the distance of such faces, one a
    person, from all originals. ``between`` compares what two wrong keys give, and ``strangers``
    originals of different people.
    """
    found: list[Pair] = []
    made: dict[str, list[list[U8]]] = {"recovered": [], "wrong_key": []}
    for person in people:
        pair = pair_of_image(person.neutral, method)
        step()
        if pair is None:
            continue
        found.append(pair)
        right = secrets.token_bytes(32)
        sealed = scrambled(codec.code(pair), right)
        keys = [right, *(secrets.token_bytes(32) for _ in range(WRONG_KEYS))]
        faces = [
            codec.recover(pair.anonymised, pair.points, scrambled(sealed, key)) for key in keys
        ]
        made["recovered"].append(faces[:1])
        made["wrong_key"].append(faces[1:])
    made["anonymised"] = [[pair.anonymised] for pair in found]
    results: dict[str, Any] = {"faces": len(found)}
    yunet, lpips = detector("yunet"), ShiftTolerantLpips()
    real = features(pair.original for pair in found)
    for name, images in made.items():
        pairs = [
            (pair, one) for pair, several in zip(found, images, strict=True) for one in several
        ]
        results[name] = {
            "psnr": _mean(psnr(pair.original, one) for pair, one in pairs),
            "ssim": _mean(ssim(pair.original, one) for pair, one in pairs),
            "lpips": _mean(lpips(pair.original, one) for pair, one in pairs),
            "frechet": _mean(
                frechet(real, features(several)) for several in zip(*images, strict=True)
            ),
            "found": _mean(float(len(yunet(_large(one))) > 0) for _, one in pairs),
            "cosine": {
                judge.name: _mean(_alike(judge, pair, pair.original, one) for pair, one in pairs)
                for judge in judges
            },
        }
    results["between"] = {
        judge.name: _mean(
            _alike(judge, pair, *faces)
            for pair, faces in zip(found, made["wrong_key"], strict=True)
        )
        for judge in judges
    }
    results["strangers"] = {judge.name: _strangers(judge, found) for judge in judges}
    return results


def psnr(one: U8, other: U8) -> float:
    """Return the peak signal to noise ratio of two images of bytes, dB."""
    square = float(np.square(one.astype(np.float64) - other).mean())
    return float(10 * np.log10(255**2 / max(square, 1e-9)))


def ssim(one: U8, other: U8) -> float:
    """Return the structural similarity of luma (Wang et al., 2004; Gaussian of 1.5 px)."""
    x, y = (cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float64) for image in (one, other))

    def mean(values: Any) -> Any:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    mx, my = mean(x), mean(y)
    xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mx * my + c1) * (2 * xy + c2) / ((mx * mx + my * my + c1) * (xx + yy + c2))
    return float(alike.mean())


def _alike(judge: Recogniser, pair: Pair, one: U8, other: U8) -> float:
    return float(np.dot(*(_embedded(judge, pair, image) for image in (one, other))))


def _embedded(judge: Recogniser, pair: Pair, image: U8) -> F32:
    return judge.embed(_large(image), pair.points * np.float32(LARGER))


def _strangers(judge: Recogniser, found: Sequence[Pair]) -> float:
    vectors = [_embedded(judge, pair, pair.original) for pair in found]
    return _mean(float(np.dot(*two)) for two in combinations(vectors, 2))


def _large(image: U8) -> U8:
    side = SIDE_PX * LARGER
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)
