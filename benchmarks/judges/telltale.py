"""A linear classifier that tells new faces from real ones, and how often it is right.

It sees the middle and the end of EfficientNet-lite0 trained on ImageNet, of crops that are all
coded alike. Its measure is the area under the ROC curve: 0.5 when it cannot tell, 1 when it always
can. Those it is tested on are never those it has learnt from, nor other pictures of them.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.judges.realism import Lite0
from streamanon.face.network_input import AlignedFace
from streamanon.imaging.picture import as_picture
from streamanon.types import F32, U8

MIDDLE = 10
"""Block of EfficientNet-lite0 whose output is the first half of a description."""

QUALITY = 75
"""JPEG quality of pictures before and after cropping: what coding leaves is in all of them."""

FOLDS = 5
RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Weights of the penalty; that by which the classifier is right most often counts."""


class Describer(Lite0):
    """EfficientNet-lite0: means over the place of the output of a middle block and of the last."""

    metric = "EfficientNet-lite0, middle and last"
    dimensions = 112 + 1280

    def __init__(self) -> None:
        super().__init__()
        self._middle: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._network.get_submodule(f"_blocks.{MIDDLE}").register_forward_hook(self._keep)

    def _keep(self, _block: object, _inputs: object, output: torch.Tensor) -> None:
        self._middle = output.mean(dim=(2, 3)).numpy()

    def _run(self, batch: F32) -> NDArray[np.float64]:
        last = super()._run(batch)
        return np.concatenate([self._middle, last], axis=1).astype(np.float64)


def crop(image: U8, points: F32) -> U8:
    """Return the face of a picture as the classifier sees it, (128, 128, 3) uint8 BGR.

    Args:
        image: (h, w, 3) uint8 BGR.
        points: (478, 3) float32 px, mesh of the *original* face, so that places tell nothing.
    """
    return _coded(AlignedFace.of(as_picture(_coded(image)), points).image)


def area_under_curve(
    real: NDArray[np.float64], new: NDArray[np.float64], groups: Sequence[str]
) -> NDArray[np.float64]:
    """Return (folds,) areas under the ROC curve, one a fold that was not learnt from.

    Args:
        real: (n, d) descriptions of real faces.
        new: (n, d) of the same after a method.
        groups: person or clip of each; all of one are in the same fold.
    """
    names = sorted(set(groups))
    order = np.random.default_rng(0).permutation(len(names))
    fold_of = {name: int(place) % FOLDS for name, place in zip(names, order, strict=True)}
    folds = np.array([fold_of[name] for name in groups])
    areas = np.array(
        [
            [
                _area(*_scores(real, new, held_out=folds == fold, ridge=ridge))
                for fold in range(min(FOLDS, len(names)))
            ]
            for ridge in RIDGES
        ]
    )
    return np.asarray(areas[areas.mean(axis=1).argmax()], np.float64)


def _scores(
    real: NDArray[np.float64], new: NDArray[np.float64], *, held_out: NDArray[np.bool], ridge: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how new the held out faces look to a ridge regression on the others."""
    learnt = np.concatenate([real[~held_out], new[~held_out]])
    wanted = np.repeat([-1.0, 1.0], len(learnt) // 2)
    mean, spread = learnt.mean(axis=0), learnt.std(axis=0) + 1e-6
    rows = (learnt - mean) / spread
    normal = rows.T @ rows / len(rows) + ridge * np.eye(rows.shape[1])
    weights = np.linalg.solve(normal, rows.T @ wanted / len(rows)) / spread
    return (real[held_out] - mean) @ weights, (new[held_out] - mean) @ weights


def _area(real: NDArray[np.float64], new: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the new face looks newer (Mann and Whitney's U)."""
    return float((new[:, None] > real).mean() + 0.5 * (new[:, None] == real).mean())


def _coded(image: U8) -> U8:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
