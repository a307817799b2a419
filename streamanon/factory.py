"""From settings to objects: the only module that imports every implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import cached_property, partial
from logging import Logger
from pathlib import Path
from threading import Event, RLock
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from streamanon import weights
from streamanon.config import Config
from streamanon.extras import missing_package
from streamanon.protocols import (
    AgeEstimator,
    Anonymiser,
    Backend,
    Detector,
    Embedder,
    FileSink,
    KnownPeople,
    Mesher,
    Seal,
    SexClassifier,
    Sink,
    Source,
)
from streamanon.types import F32, U8, Identity, MediaInfo, Picture
from streamanon.weights.card import accepted, read_card

if TYPE_CHECKING:
    from streamanon.anonymisers.network import FaceNetwork
    from streamanon.anonymisers.reshaping import Person
    from streamanon.anonymisers.stepped import SteppedAnonymiser
    from streamanon.backends.shared import SharedBackend
    from streamanon.backends.trial import Choice
    from streamanon.detectors.dlib_resnet import DlibResNetEmbedder
    from streamanon.detectors.glasses import GlassesProbe
    from streamanon.face.shape import ShapeModel
    from streamanon.identities.portrait import PortraitReader
    from streamanon.media.address import Address
    from streamanon.safety.permits import Permissions
    from streamanon.sealed.keys import Recipients
    from streamanon.sealed.live import LiveSealing
    from streamanon.sealed.sealer import Sealer
    from streamanon.sinks.live.sink import LiveSink
    from streamanon.sinks.part_file import OutputPipe
    from streamanon.sources.live.source import LiveSource
    from streamanon.sources.pipe import InputPipe
    from streamanon.tracking.identity_assigner import AppearanceProbes, IdentityAssigner
    from streamanon.tracking.kept_faces import KeptFaces
    from streamanon.tracking.observer import Observer
    from streamanon.tracking.per_track import PerTrack
    from streamanon.tracking.second_opinion import SecondOpinion


MAX_LINES = 64
"""Most lines that may run one small network at the same time."""

_PICTURES = {"yunet.onnx": (1, 3, 288, 512), "face_mesh.onnx": (1, 3, 256, 256)}
"""Networks that see every frame, and the shape of their input for 720p."""


class _SharedModels:
    """Galleries and networks that all streams of one process share."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.galleries: dict[Path | None, Sequence[Identity]] = {}
        self.networks: dict[tuple[str, str], tuple[SharedBackend, str]] = {}


_of_process: WeakValueDictionary[str, _SharedModels] = WeakValueDictionary()
"""What factories made by :meth:`Factory.of_process` share, as long as one of them is in use."""
_of_process_lock = RLock()


class Factory:
    """Builds what the settings ask for; loads each model once, when it is first needed.

    Lines that run at the same time need a factory each (:meth:`for_stream`): most networks may be
    used by one line only.
    """

    def __init__(self, config: Config, shared: _SharedModels | None = None) -> None:
        self.config = config
        self.runtimes: dict[str, str] = {}
        self._models = shared or _SharedModels()

    @classmethod
    def of_process(cls, config: Config) -> Factory:
        """Return a factory that shares its models with every other one made by this method.

        Galleries and networks are freed with the last of these factories.
        """
        with _of_process_lock:
            return cls(config, _of_process.setdefault("models", _SharedModels()))

    def for_stream(self, **changes: Any) -> Factory:
        """Return a factory for one more line that runs at the same time, with settings changed.

        Both share the gallery and the networks that several streams can use together.
        """
        return type(self)(Config(**(asdict(self.config) | changes)), self._models)

    def close(self) -> None:
        """Release what does not go away by itself; the factory is not used again."""
        close = getattr(vars(self).get("detector"), "close", None)
        if close:
            close()

    @cached_property
    def detector(self) -> Detector:
        """Finds faces."""
        if self.config.detector == "dlib":
            from streamanon.detectors.dlib_hog import DlibHogDetector

            return DlibHogDetector(min_face_px=self.config.min_face)
        if self.config.detector == "mediapipe":
            from streamanon.detectors.mediapipe_landmarker import MediapipeDetector

            return MediapipeDetector(weights.path("face_landmarker.task"))
        from streamanon.tracking.tracker import DETECTED_SCORE

        return self._yunet(DETECTED_SCORE)

    @cached_property
    def sensitive_detector(self) -> Detector:
        """Finds what may be a face, too, where there is a second opinion on it."""
        if self.config.detector != "yunet":
            return self.detector
        from streamanon.tracking.second_opinion import FAINT_SCORE

        return self._yunet(FAINT_SCORE)

    def _yunet(self, threshold: float) -> Detector:
        from streamanon.detectors.yunet import YuNetDetector

        network = self._network("yunet.onnx", self.config.runtime)
        return YuNetDetector(network, min_face_px=self.config.min_face, threshold=threshold)

    @cached_property
    def mesher(self) -> Mesher:
        """Fits the mesh to faces."""
        return self._mesher()

    @cached_property
    def _checker(self) -> Mesher:
        """Fits the mesh to results, in another thread than the mesher."""
        return self._mesher()

    def _mesher(self) -> Mesher:
        from streamanon.detectors.mesh import MeshFitter

        mesh = self._network("face_mesh.onnx", self.config.runtime)
        return MeshFitter(mesh, self._network("face_blendshapes.onnx"))

    @cached_property
    def embedder(self) -> Embedder:
        """Tells people apart."""
        return self._new_embedder()

    def _new_embedder(self) -> Embedder:
        """Return another one on the same network."""
        from streamanon.detectors.mobilefacenet import MobileFaceNetEmbedder

        return MobileFaceNetEmbedder(self._network("mobilefacenet.onnx"))

    @cached_property
    def _sex_classifier(self) -> SexClassifier:
        """Estimator of apparent sex."""
        from streamanon.detectors.gender import GenderNet

        return GenderNet(self._network("gender.onnx"))

    @cached_property
    def _age_estimator(self) -> AgeEstimator:
        """Estimator of apparent age."""
        from streamanon.detectors.age import AgeNet

        return AgeNet(self._network("age.onnx"))

    @cached_property
    def portrait_reader(self) -> PortraitReader:
        """Reader of the user's own portraits."""
        from streamanon.identities.portrait import PortraitReader

        return PortraitReader(
            self.detector,
            self.mesher,
            self.embedder,
            self._sex_classifier,
            self._age_estimator,
            self.appearance_probes,
        )

    @cached_property
    def gallery(self) -> Sequence[Identity]:
        """Identities people can be given."""
        from streamanon.identities.gallery import load_builtin, load_folder

        folder = self.config.identities
        with self._models.lock:
            known = self._models.galleries
            if folder not in known:
                known[folder] = (
                    load_folder(folder, self.portrait_reader) if folder else load_builtin()
                )
            return known[folder]

    @cached_property
    def appearance_probes(self) -> AppearanceProbes:
        """Linear estimators of appearance, for :class:`IdentityAssigner`."""
        from streamanon.tracking.identity_assigner import AppearanceProbes

        with (
            np.load(weights.path("appearance.npz")) as skin,
            np.load(weights.path("childhood.npz")) as children,
        ):
            return AppearanceProbes(skin["skin"], children["probe"], skin["descent"])

    @cached_property
    def shape_model(self) -> ShapeModel:
        """Tells shape from expression, at any age."""
        from streamanon.face.shape import ShapeModel

        with (
            np.load(weights.path("face_shape.npz")) as stored,
            np.load(weights.path("childhood.npz")) as children,
        ):
            return ShapeModel.of(stored, children["shape"])

    @cached_property
    def _glasses_probe(self) -> GlassesProbe:
        """Says who wears glasses."""
        from streamanon.detectors.glasses import GlassesProbe

        with np.load(weights.path("glasses.npz")) as stored:
            return GlassesProbe(stored["weights"])

    @cached_property
    def face_network(self) -> FaceNetwork:
        """Generates faces, on the fastest runtime available."""
        from streamanon.anonymisers.network import FaceNetwork

        live = self._shared("anonygan.onnx", self.config.runtime, self._fastest, batches=True)
        return FaceNetwork(live, self._network("anonygan_condition.onnx"), self._default_teeth)

    def _fastest(self) -> Choice:
        """Return the generator on the fastest runtime."""
        from streamanon.anonymisers.network import check_cards
        from streamanon.backends.choice import candidates, fastest, has_gpu, remembered
        from streamanon.backends.trial import noise

        exact, condition = weights.path("anonygan.onnx"), weights.path("anonygan_condition.onnx")
        name = "anonygan_int8.onnx"
        int8 = weights.path(name) if name in weights.SHA256 else None
        card = read_card(exact)
        check_cards(card, read_card(condition))
        fp16, inputs = accepted(card, "fp16"), noise(card["inputs"])
        ways = candidates(
            self.config.runtime,
            exact,
            int8,
            bf16=accepted(card, "bf16"),
            fp16=fp16,
        )
        memory = remembered(ways, [exact, int8] if int8 else [exact])
        choice = fastest(ways, inputs, exact, memory)
        if self.config.runtime != "auto" or not has_gpu():
            return choice
        from streamanon.backends.engine_build import upgraded

        better = upgraded(choice, exact, "fp16" if fp16 else "fp32", inputs)
        return replace(choice, backend=better)

    @cached_property
    def _default_teeth(self) -> U8 | None:
        """Mouth texture for identities that show no teeth."""
        from streamanon.face.mouth import texture_of
        from streamanon.identities.gallery import showing_most_teeth

        donor = showing_most_teeth(self.gallery)
        return texture_of(donor) if donor else None

    def anonymiser(
        self, method: str | None = None, people: PerTrack[Person] | None = None
    ) -> Anonymiser:
        """Return a new anonymiser for the faces of one stream, of the configured method by default.

        Several of one stream can share what is known of people's shapes.
        """
        method = method or self.config.method
        if method in ("warp", "anonygan"):
            from streamanon.anonymisers.warp import WarpAnonymiser

            warp = WarpAnonymiser(self._default_teeth)
            if method == "warp":
                return self._reshaping(warp, people)
            from streamanon.anonymisers.anonygan import AnonyganAnonymiser

            drawn = AnonyganAnonymiser(self.face_network, self._checker, warp)
            return self._reshaping(drawn, people)
        from streamanon.anonymisers.plain import PlainAnonymiser

        return PlainAnonymiser(method)

    def _reshaping(self, inside: Anonymiser, people: PerTrack[Person] | None) -> Anonymiser:
        """Have faces drawn in the portraits' shape, with glasses, behind what is before them."""
        from streamanon.anonymisers.glasses import GlassesAnonymiser
        from streamanon.anonymisers.occluded import OccludedAnonymiser
        from streamanon.anonymisers.reshaping import ReshapingAnonymiser
        from streamanon.detectors.mesh import Blendshapes
        from streamanon.detectors.occlusion import OcclusionNetwork

        blendshapes = Blendshapes(self._network("face_blendshapes.onnx"))
        glasses = GlassesAnonymiser(inside)
        reshaping = ReshapingAnonymiser(glasses, self.shape_model, blendshapes, people)
        network = OcclusionNetwork(self._network("occlusion.onnx"))
        return OccludedAnonymiser(reshaping, network, self._new_embedder())

    def ladder(self, method: str, log: Logger) -> SteppedAnonymiser:
        """Return a new anonymiser that can change its method while it runs."""
        from streamanon.anonymisers.stepped import SteppedAnonymiser
        from streamanon.tracking.per_track import PerTrack

        people: PerTrack[Person] = PerTrack()
        return SteppedAnonymiser(partial(self.anonymiser, people=people), method, log)

    def identity_assigner(self) -> IdentityAssigner:
        """Return a new identity assigner; it remembers the people of one stream."""
        from streamanon.tracking.identity_assigner import IdentityAssigner

        config, known = self.config, self._known_people
        return IdentityAssigner(
            self.gallery,
            seed=config.seed,
            only=config.identity,
            probes=self.appearance_probes,
            known=known,
        )

    @cached_property
    def _known_people(self) -> KnownPeople | None:
        """People whom a key remembers."""
        key_file = self.config.identity_key
        if key_file is None:
            return None
        try:
            from streamanon.sealed.people import KeyedPeople
        except ImportError as error:
            raise missing_package("--identity-key", "sealed", error) from error
        return KeyedPeople(key_file)

    def observer(
        self,
        anonymiser: Anonymiser,
        *,
        live: bool = False,
        assigner: IdentityAssigner | None = None,
    ) -> Observer:
        """Return a new observer; it remembers where faces are in one stream.

        Its scenes are for the anonymiser. A live one holds back no more frames than the setting
        ``delay`` asks for. The assigner may outlive it.
        """
        from streamanon.tracking.embedding_sampler import EmbeddingSampler
        from streamanon.tracking.observer import Observer

        kept = self._kept_faces()
        sampler = None
        if anonymiser.needs_mesh or assigner is not None:
            assigner = assigner or self.identity_assigner()
            sex, age, glasses = self._sex_classifier, self._age_estimator, self._glasses_probe
            sampler = EmbeddingSampler(self.embedder, sex, age, assigner, glasses)
        return Observer(
            self.sensitive_detector,
            self.mesher if sampler or kept else None,
            sampler,
            look_ahead=self.config.delay if live else None,
            permissions=self.permissions,
            kept=kept,
            second=self._second_opinion(),
        )

    def _second_opinion(self) -> SecondOpinion | None:
        """Return what finds false detections, for one line; None for other detectors' scores."""
        if self.config.detector != "yunet":
            return None
        from streamanon.detectors.centerface import CenterFaceDetector
        from streamanon.tracking.second_opinion import FAINTEST_SCORE, SecondOpinion

        network = self._network("centerface.onnx")
        return SecondOpinion(CenterFaceDetector(network, threshold=FAINTEST_SCORE))

    @cached_property
    def permissions(self) -> Permissions:
        """What the user says may be seen."""
        from streamanon.safety.permits import Permissions, parse_region

        config = self.config
        regions = tuple(parse_region(text) for text in config.region)
        return Permissions(config.from_, config.to, regions, len(config.keep_face))

    def _kept_faces(self) -> KeptFaces | None:
        """Return what recognises people who may be seen, for one line; None without any."""
        if not self.config.keep_face:
            return None
        from streamanon.face.landmarks import five_points
        from streamanon.tracking.kept_faces import KeptFaces

        def mobilefacenet(picture: Picture, points: F32) -> F32:
            return self.embedder.embed(picture, five_points(points))

        recognisers = (mobilefacenet, self._second_embedder.embed)
        photos = [[one(*photo) for one in recognisers] for photo in self._photos]
        return KeptFaces(recognisers, photos)

    @cached_property
    def _second_embedder(self) -> DlibResNetEmbedder:
        """Has to agree with the embedder before a face is shown."""
        from streamanon.detectors.dlib_resnet import DlibResNetEmbedder

        return DlibResNetEmbedder("--keep-face")

    @cached_property
    def _photos(self) -> list[tuple[Picture, F32]]:
        """Photographs of people who may be seen, and the mesh points of their faces."""
        from streamanon.identities.portrait import read_image
        from streamanon.imaging.picture import as_picture

        images = [(path, read_image(path)) for path in self.config.keep_face]
        reader = self.portrait_reader
        return [(as_picture(image), reader.fit(image, path).points) for path, image in images]

    def source(
        self, path: Path, *, as_video: bool = False, pipe: InputPipe | None = None
    ) -> Source:
        """Open a file to read frames from; whether it is a video or a picture shows in its content.

        Args:
            path: the file.
            as_video: read an animated picture as a video.
            pipe: where the bytes of a video come from, if they can be read only once.
        """
        from streamanon.sources.image import ImageSource
        from streamanon.sources.picture_file import is_picture

        limit = self.config.max_pixels
        if not as_video and is_picture(path):
            return ImageSource(path, limit)
        from streamanon.sources.spans import SpannedSource
        from streamanon.sources.video import VideoSource

        opened = partial(VideoSource, path, limit, pipe)
        source = pipe.interruptible(opened) if pipe else opened()
        whole = self.config.from_ is None and self.config.to is None
        return source if whole else SpannedSource(source, self.permissions)

    def sink(
        self,
        path: Path,
        original: Path,
        info: MediaInfo,
        pipes: tuple[InputPipe | None, OutputPipe | None] = (None, None),
    ) -> FileSink:
        """Open a file to write frames to.

        ``pipes`` are where the original comes from and where the output goes at once, if not files.
        """
        if info.container is None:
            from streamanon.sinks.image import ImageSink

            return ImageSink(path, original, info, overwrite=self.config.overwrite)
        from streamanon.sinks.encoding import EncoderSettings
        from streamanon.sinks.video import VideoSink

        config = self.config
        source, target = pipes
        at_once = target is not None
        settings = EncoderSettings(config.codec, config.crf, config.file_preset, at_once=at_once)
        opened = partial(
            VideoSink,
            path,
            info,
            settings,
            sound=config.sound,
            keep_subtitles=config.keep_subtitles,
            overwrite=config.overwrite,
            shared=source.packets if source else None,
            pipe=target,
        )
        if target:
            target.open()
        return source.interruptible(opened) if source and target else opened()

    def sealed(self, sink: Sink, output: Path, info: MediaInfo) -> tuple[Sink, Seal | None]:
        """Have what is replaced sealed beside an output, if the settings ask for it.

        Returns:
            The sink to use, and what gets the frames before and after; None when nothing is sealed.

        Raises:
            UsageError: the sidecar cannot be made.
        """
        if not self.check_recipients():
            return sink, None
        from streamanon.sealed.sealer import SealingSink
        from streamanon.sealed.sidecar import sidecar_of

        sealer = self._sealer(sidecar_of(output), info)
        return SealingSink(sink, sealer, output), sealer

    def _sealer(self, path: Path, info: MediaInfo) -> Sealer:
        """Begin a sidecar."""
        from streamanon.sealed.sealer import Sealer
        from streamanon.sealed.sidecar import SidecarWriter

        recipients, overwrite = self._recipients, self.config.overwrite
        writer = partial(SidecarWriter, path, access=recipients.access, overwrite=overwrite)
        return Sealer(writer, info, recipients, lossless=self.config.lossless)

    def sealed_live(
        self, sink: LiveSink, folder: Path, info: MediaInfo, log: Logger
    ) -> LiveSealing:
        """Have what is replaced in a live stream sealed beside its recordings, in a folder.

        Failures of sealing are logged, and do not stop the stream.
        """
        from streamanon.sealed.live import LiveSealing

        return LiveSealing(sink, folder, lambda path: self._sealer(path, info), log)

    def check_recipients(self) -> bool:
        """Read the recipients of sealed originals; return whether there are any.

        Raises:
            UsageError: one is none, or a package is missing.
        """
        asked = bool(self.config.seal or self.config.seal_passphrase)
        return asked and bool(self._recipients)

    @cached_property
    def _recipients(self) -> Recipients:
        """Who can open what is sealed."""
        try:
            from streamanon.sealed.keys import Recipients
        except ImportError as error:
            raise missing_package("--seal", "sealed", error) from error
        config = self.config
        return Recipients.of(config.seal, secret=config.seal_passphrase, threshold=config.threshold)

    def live_source(self, address: Address, log: Logger, stopping: Event) -> LiveSource:
        """Open a live input."""
        from streamanon.sources.live.source import LiveSource

        transport, wait = self.config.transport, self.config.wait
        return LiveSource(
            address,
            transport=transport,
            max_pixels=self.config.max_pixels,
            wait=wait,
            log=log,
            stopping=stopping,
        )

    def live_sink(self, addresses: Sequence[Address], source: LiveSource, log: Logger) -> LiveSink:
        """Open the outputs of a live stream."""
        from streamanon.sinks.live.sink import open_outputs

        return open_outputs(
            addresses,
            source.info,
            crf=self.config.crf,
            preset=self.config.live_preset,
            record_mode=int(self.config.record_mode, 8),
            keep_times=self.check_recipients(),
            sound=source.sound,
            log=log,
        )

    def _network(self, name: str, runtime: str = "onnxruntime") -> Backend:
        """Return a small network; a CPU serves many lines at once, a GPU one by one."""
        from streamanon.backends.choice import detection_candidates, fastest
        from streamanon.backends.trial import noise

        def choose() -> Choice:
            exact, shape = weights.path(name), _PICTURES.get(name)
            usual = noise({"input": {"shape": shape, "dtype": "float32"}}) if shape else {}
            return fastest(detection_candidates(runtime, exact), usual, exact)

        return self._shared(name, runtime, choose, batches=False)

    def _shared(
        self, name: str, runtime: str, choose: Callable[[], Choice], *, batches: bool
    ) -> SharedBackend:
        """Return a network that all streams share; the first call loads it.

        Streams with another runtime load their own copy. ``batches`` answers simultaneous calls as
        one batch; else each by itself.
        """
        from streamanon.backends.shared import SharedBackend

        key = (name, runtime)
        with self._models.lock:
            if key not in self._models.networks:
                choice = choose()
                lanes = 1 if batches or choice.on_gpu else MAX_LINES
                shared = SharedBackend(choice.backend, batches=batches, lanes=lanes)
                self._models.networks[key] = (shared, choice.runtime)
            shared, self.runtimes[name] = self._models.networks[key]
        return shared
