"""All judges of a still, and their judgements."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.judges import self_check
from benchmarks.judges.detectors import DETECTORS, DetectorJudge, DlibHog, detector
from benchmarks.judges.expression import Observation, observe, observe_at
from benchmarks.judges.realism import Features, InceptionFile, Lite0
from benchmarks.judges.recognisers import RECOGNISERS, Recogniser, recogniser
from benchmarks.judges.self_check import SelfCheck
from benchmarks.stills.cache import Cache, digest, version_of_judges
from benchmarks.stills.predictor import Predictor, check
from streamanon.errors import UsageError
from streamanon.types import F32, MESH_POINTS, U8

_COORDINATES = 3 * MESH_POINTS
_BLENDSHAPES = 52

LANDMARKS = "mediapipe-mesh"
"""What tables call the mesh that sees landmarks, expression and pose."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The judgement of one still.

    Attributes:
        boxes: (n, 5) float32 x0, y0, x1, y1, score of the faces found, by detector.
        embeddings: (d,) float32 unit vector of the face, by recogniser.
        features: (d,) float64 features, by name of the distance.
        seen: landmarks, expression and pose; None where no mesh is believed.
        points68: (68, 2) float32 px by dlib's predictor, (0, 2) where its detector sees no face;
            None where it was not used.
    """

    boxes: dict[str, F32]
    embeddings: dict[str, F32]
    features: dict[str, NDArray[np.float64]]
    seen: Observation | None
    points68: F32 | None = None


class Panel:
    """The judges; their judgements are cached."""

    def __init__(
        self,
        cache: Cache,
        *,
        judges: Collection[str] | None = None,
        networks: Sequence[Path] = (),
        inception: Path | None = None,
    ) -> None:
        """Load the judges.

        Args:
            cache: cache of judgements.
            judges: names of detectors and recognisers to use; None for all.
            networks: further recognisers, ONNX files.
            inception: an Inception network for FID.

        Raises:
            UsageError: there is no judge of a name, or one of the files will not do.
        """
        unknown = sorted(set(judges or ()) - {*DETECTORS, *RECOGNISERS})
        if unknown:
            known = ", ".join((*DETECTORS, *RECOGNISERS))
            raise UsageError(f"no judge called {', '.join(unknown)}: choose of {known}")
        self._cache = cache
        self.detectors: dict[str, DetectorJudge] = {
            name: detector(name) for name in DETECTORS if judges is None or name in judges
        }
        self.predictor = Predictor() if DlibHog.name in self.detectors else None
        self.recognisers: dict[str, Recogniser] = {}
        self.features: dict[str, Features] = {}
        self._networks: dict[str, str] = {}
        asked = [name for name in RECOGNISERS if judges is None or name in judges]
        for name in (*asked, *(f"onnx:{path}" for path in networks)):
            found = recogniser(name)
            self.recognisers[found.name] = found
        for path in networks:
            self._networks[f"onnx:{path.stem}"] = digest(path.read_bytes())
        self.features[Lite0.metric] = Lite0()
        if inception is not None:
            self.features[InceptionFile.metric] = InceptionFile(inception)
            self._networks[InceptionFile.metric] = digest(inception.read_bytes())

    def self_checks(self) -> dict[str, SelfCheck]:
        """Return, by judge, whether it works on faces it must know."""
        return {
            **{name: self_check.check_detector(one) for name, one in self.detectors.items()},
            **{name: self_check.check_recogniser(one) for name, one in self.recognisers.items()},
            **{name: self_check.check_features(one) for name, one in self.features.items()},
            LANDMARKS: self_check.check_observer(observe),
            **({self.predictor.name: check(self.predictor)} if self.predictor else {}),
        }

    def reference(self, image: U8) -> Observation | None:
        """Return what is seen of the subject of an original, or None without a face."""
        kept = self._recall("reference", lambda: _packed(observe(image)), image)
        return _unpacked(kept)

    def judge(self, image: U8, reference: Observation) -> Judgement:
        """Have every judge look at a still.

        Args:
            image: (h, w, 3) uint8 BGR, the original or its anonymised version.
            reference: observation of the original.
        """
        points = reference.points
        boxes = {
            name: self._recall(name, partial(one, image), image)
            for name, one in self.detectors.items()
        }
        embeddings = {
            name: self._recall(name, partial(one.embed, image, points), image, points)
            for name, one in self.recognisers.items()
        }
        features = {
            name: self._recall(name, partial(_described, one, image), image)
            for name, one in self.features.items()
        }
        seen = self._recall("seen", lambda: _packed(observe_at(image, points)), image, points)
        return Judgement(
            boxes, embeddings, features, _unpacked(seen), self._points68(image, boxes, points)
        )

    def _points68(self, image: U8, boxes: dict[str, F32], points: F32) -> F32 | None:
        """Return the landmarks of dlib's predictor, or None where it is not used."""
        if self.predictor is None:
            return None
        found = boxes[DlibHog.name]
        predict = partial(self.predictor, image, found, points)
        return self._recall(self.predictor.name, predict, image, found, points)

    def _recall(
        self, judge: str, compute: Callable[[], NDArray[Any]], *parts: NDArray[Any]
    ) -> NDArray[Any]:
        network = self._networks.get(judge, "")
        return self._cache.recall(
            f"{judge}:{digest(version_of_judges(), network, *parts)}", compute
        )


def _described(features: Features, image: U8) -> NDArray[np.float64]:
    return np.asarray(features([image])[0], np.float64)


def _packed(seen: Observation | None) -> F32:
    """Return an observation as one array, empty for none."""
    if seen is None:
        return np.empty(0, np.float32)
    rest = [seen.presence, seen.yaw, seen.pitch, seen.roll]
    return np.concatenate([seen.points.ravel(), seen.blendshapes, rest]).astype(np.float32)


def _unpacked(array: F32) -> Observation | None:
    if array.size == 0:
        return None
    points, blendshapes, rest = np.split(array, [_COORDINATES, _COORDINATES + _BLENDSHAPES])
    presence, yaw, pitch, roll = rest.tolist()
    return Observation(points.reshape(MESH_POINTS, 3), presence, blendshapes, yaw, pitch, roll)
