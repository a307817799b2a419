"""From settings to objects: the only module that knows every part."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np

from streamanon import weights
from streamanon.weights.card import read_card

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamanon.anonymisers.network import FaceNetwork
    from streamanon.config import Config
    from streamanon.jobs import Job
    from streamanon.pipeline.observer import Observer
    from streamanon.protocols import Anonymiser, Detector, Embedder, Mesher, Sink, Source
    from streamanon.types import F32, U8, Identity


class _Common:
    """What streams of one process share."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.galleries: dict[Path | None, Sequence[Identity]] = {}


class Parts:
    """Builds what the settings ask for; loads each model once, and only when it is needed.

    Whoever runs lines at the same time gives each parts of its own (:meth:`for_stream`): most
    networks may be used by one line only.

    Attributes:
        config: the settings.
        runtimes: what really runs each network loaded so far, by file name.
    """

    def __init__(self, config: Config, common: _Common | None = None) -> None:
        self.config = config
        self.runtimes: dict[str, str] = {}
        self._common = common or _Common()

    def for_stream(self, **changes: Any) -> Parts:
        """Return parts for one more line that runs at the same time.

        They share the gallery and the network that paints faces, which streams use together.

        Args:
            changes: settings that are different there, by name.
        """
        return Parts(replace(self.config, **changes), self._common)

    def close(self) -> None:
        """Release what does not go away by itself; these parts are not used again."""
        close = getattr(vars(self).get("detector"), "close", None)
        if close:
            close()

    @cached_property
    def detector(self) -> Detector:
        """What finds faces."""
        if self.config.detector == "dlib":
            from streamanon.detectors.dlib_hog import DlibHogDetector

            return DlibHogDetector(min_face_px=self.config.min_face)
        if self.config.detector == "mediapipe":
            from streamanon.detectors.mediapipe_landmarker import MediapipeDetector

            return MediapipeDetector(weights.path("face_landmarker.task"))
        from streamanon.detectors.yunet import YuNetDetector

        return YuNetDetector(self._network("yunet.onnx"), min_face_px=self.config.min_face)

    @cached_property
    def mesher(self) -> Mesher:
        """What fits the mesh."""
        return self._mesher()

    @cached_property
    def _checker(self) -> Mesher:
        """What fits the mesh to results, in another thread than the mesher."""
        return self._mesher()

    def _mesher(self) -> Mesher:
        from streamanon.detectors.mesh import MeshFitter

        return MeshFitter(self._network("face_mesh.onnx"), self._network("face_blendshapes.onnx"))

    @cached_property
    def embedder(self) -> Embedder:
        """What tells people apart."""
        from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder

        return MobileFaceNetEmbedder(self._network("mobilefacenet.onnx"))

    @cached_property
    def gallery(self) -> Sequence[Identity]:
        """Whom people can be turned into."""
        from streamanon.identities.gallery import load_builtin, load_folder

        folder = self.config.identities
        with self._common.lock:
            known = self._common.galleries
            if folder not in known:
                known[folder] = (
                    load_folder(folder, self.mesher, self.detector, self.embedder)
                    if folder
                    else load_builtin()
                )
            return known[folder]

    @cached_property
    def appearance(self) -> F32:
        """What tells apparent sex and age from an embedding, for :class:`IdentityBook`."""
        with np.load(weights.path("appearance.npz")) as probes:
            return np.stack([probes["femininity"], probes["age"]])

    @cached_property
    def face_network(self) -> FaceNetwork:
        """What paints faces, on the fastest runtime there is."""
        from streamanon.anonymisers.network import FaceNetwork, check_cards
        from streamanon.backends.choice import candidates, fastest, noise

        exact, condition = weights.path("anonygan.onnx"), weights.path("anonygan_condition.onnx")
        int8 = "anonygan_int8.onnx"
        card = read_card(exact)
        check_cards(card, read_card(condition))
        ways = candidates(
            self.config.runtime,
            exact,
            weights.path(int8) if int8 in weights.SHA256 else None,
            bf16=card["measured"].get("bf16", {}).get("accepted", False),
        )
        choice = fastest(ways, noise(card["inputs"]))
        self.runtimes[exact.name] = choice.runtime
        return FaceNetwork(choice.backend, self._network(condition.name), self._lent_teeth)

    @cached_property
    def _lent_teeth(self) -> U8 | None:
        """Mouth texture for identities that show no teeth."""
        from streamanon.core.mouth import own_texture
        from streamanon.identities.gallery import lender_of_teeth

        lender = lender_of_teeth(self.gallery)
        return own_texture(lender) if lender else None

    def anonymiser(self) -> Anonymiser:
        """Return a new anonymiser; it remembers the faces of one stream."""
        method = self.config.method
        if method in ("warp", "anonygan"):
            from streamanon.anonymisers.warp import WarpAnonymiser

            warp = WarpAnonymiser(self._lent_teeth)
            if method == "warp":
                return warp
            from streamanon.anonymisers.anonygan import AnonyganAnonymiser

            return AnonyganAnonymiser(self.face_network, self._checker, warp)
        from streamanon.anonymisers.plain import PlainAnonymiser

        return PlainAnonymiser(method)

    def observer(self, anonymiser: Anonymiser, *, live: bool = False) -> Observer:
        """Return a new observer; it remembers the people of one stream.

        Args:
            anonymiser: what its scenes are for.
            live: hold no frame back to learn from the next ones.
        """
        from streamanon.core.identity import IdentityBook
        from streamanon.pipeline.observer import LOOK_AHEAD, Observer

        look_ahead = 0 if live else LOOK_AHEAD
        if not anonymiser.needs_mesh:
            return Observer(self.detector, look_ahead=look_ahead)
        book = IdentityBook(
            self.gallery,
            seed=self.config.seed,
            only=self.config.identity,
            appearance=self.appearance,
        )
        return Observer(self.detector, self.mesher, self.embedder, book, look_ahead=look_ahead)

    def source(self, job: Job) -> Source:
        """Open the input of a job."""
        if job.is_image:
            from streamanon.sources.image import ImageSource

            return ImageSource(job.input)
        from streamanon.sources.video import VideoSource

        return VideoSource(job.input)

    def sink(self, job: Job, source: Source) -> Sink:
        """Open the output of a job."""
        if job.is_image:
            from streamanon.sinks.image import ImageSink

            return ImageSink(job.output, job.input, overwrite=self.config.overwrite)
        from streamanon.sinks.video import VideoSink

        return VideoSink(job.output, source.info, self.config)

    def _network(self, name: str) -> Any:
        from streamanon.backends.onnx_runtime import OnnxRuntimeBackend

        backend = OnnxRuntimeBackend(weights.path(name))
        self.runtimes[name] = backend.runtime
        return backend
