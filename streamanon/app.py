"""From settings to objects: the only module that knows every part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from streamanon import weights
from streamanon.config import Config
from streamanon.errors import LeakError, StreamanonError, UsageError
from streamanon.jobs import IMAGE_SUFFIXES, Job, plan
from streamanon.pipeline.document import sha256, write_document
from streamanon.pipeline.runner import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamanon.pipeline.observer import Observer
    from streamanon.pipeline.report import Report
    from streamanon.pipeline.runner import Progress
    from streamanon.protocols import Anonymiser, Detector, Embedder, Mesher, Sink, Source
    from streamanon.types import F32, Identity


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: with a report or with an error."""

    job: Job
    report: Report | None = None
    error: StreamanonError | None = None


class Watcher(Protocol):
    """Is told how the jobs go, in the thread that called :func:`anonymise_all`."""

    def begin(self, job: Job) -> None:
        """A job starts."""
        ...

    def advance(self, position: Progress) -> None:
        """The present job got further."""
        ...

    def end(self, outcome: Outcome) -> None:
        """The present job is over."""
        ...


class Parts:
    """Builds what the settings ask for; loads each model once, and only when it is needed.

    Attributes:
        runtimes: what really runs each network loaded so far, by file name.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.runtimes: dict[str, str] = {}

    @cached_property
    def detector(self) -> Detector:
        """What finds faces."""
        if self._config.detector == "dlib":
            from streamanon.detectors.dlib_hog import DlibHogDetector

            return DlibHogDetector(min_face_px=self._config.min_face)
        if self._config.detector == "mediapipe":
            from streamanon.detectors.mediapipe_landmarker import MediapipeDetector

            return MediapipeDetector(weights.path("face_landmarker.task"))
        from streamanon.detectors.yunet import YuNetDetector

        return YuNetDetector(self._network("yunet.onnx"), min_face_px=self._config.min_face)

    @cached_property
    def mesher(self) -> Mesher:
        """What fits the mesh."""
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

        folder = self._config.identities
        if folder is None:
            return load_builtin()
        return load_folder(folder, self.mesher, self.detector, self.embedder)

    @cached_property
    def appearance(self) -> F32:
        """What tells apparent sex and age from an embedding, for :class:`IdentityBook`."""
        with np.load(weights.path("appearance.npz")) as probes:
            return np.stack([probes["femininity"], probes["age"]])

    def anonymiser(self) -> Anonymiser:
        """Return a new anonymiser; it remembers the faces of one stream."""
        if self._config.method == "warp":
            from streamanon.anonymisers.warp import WarpAnonymiser
            from streamanon.identities.gallery import lender_of_teeth

            return WarpAnonymiser(lender_of_teeth(self.gallery))
        from streamanon.anonymisers.plain import PlainAnonymiser

        return PlainAnonymiser(self._config.method)

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
            seed=self._config.seed,
            only=self._config.identity,
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

            return ImageSink(job.output, job.input, overwrite=self._config.overwrite)
        from streamanon.sinks.video import VideoSink

        return VideoSink(job.output, source.info, self._config)

    def _network(self, name: str) -> Any:
        from streamanon.backends.onnx_runtime import OnnxRuntimeBackend

        backend = OnnxRuntimeBackend(weights.path(name))
        self.runtimes[name] = backend.runtime
        return backend


def anonymise(input: str | Path, output: str | Path, config: Config | None = None) -> Report:  # noqa: A002
    """Anonymise one video or picture; the same as ``streamanon run INPUT -o OUTPUT``.

    Args:
        input: a file.
        output: a file, which appears when it is complete and everybody in it is hidden.
        config: how; the defaults when left out.

    Returns:
        What was done.

    Raises:
        UsageError: the request cannot be carried out as made.
        StreamanonError: the run failed; there is no output.
    """
    config = config or Config()
    if Path(input).is_dir():
        raise UsageError(f"input {input} is a folder: use plan() and anonymise_all()")
    jobs = plan([Path(input)], Path(output), overwrite=config.overwrite)
    (outcome,) = anonymise_all(jobs, config)
    if outcome.error or not outcome.report:
        raise outcome.error or StreamanonError(f"{input}: the run ended without a report")
    return outcome.report


def anonymise_all(
    jobs: Sequence[Job], config: Config, watcher: Watcher | None = None
) -> list[Outcome]:
    """Carry out jobs one after the other; one that fails does not stop the rest.

    Args:
        jobs: from :func:`plan`.
        config: how.
        watcher: is told how it goes.

    Raises:
        UsageError: the report would replace something it must not.
    """
    _check_report(jobs, config)
    parts = Parts(config)
    parts.observer(parts.anonymiser())  # what is wrong with the settings shows before the first job
    outcomes = []
    for job in jobs:
        if watcher:
            watcher.begin(job)
        outcomes.append(_carry_out(job, config, parts, watcher.advance if watcher else None))
        if watcher:
            watcher.end(outcomes[-1])
    if config.report:
        write_document(config.report, config, [_entry(outcome) for outcome in outcomes])
    return outcomes


def _check_report(jobs: Sequence[Job], config: Config) -> None:
    path = config.report
    if path is None:
        return
    if any(path.resolve() in (job.input.resolve(), job.output.resolve()) for job in jobs):
        raise UsageError(f"report {path} is an input or an output: choose another name")
    if path.exists() and (path.is_dir() or not config.overwrite):
        raise UsageError(f"report {path} exists: choose another name or --overwrite")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"folder {path.parent} of the report does not exist: create it")


def _carry_out(
    job: Job, config: Config, parts: Parts, progress: Callable[[Progress], None] | None
) -> Outcome:
    """Run one job and keep its failure, so that the next can follow."""
    try:
        report = _run(job, config, parts, progress)
    except StreamanonError as error:
        return Outcome(job, error=error)
    except Exception as error:  # noqa: BLE001  one file must not stop the rest
        failure = StreamanonError(f"{job.input}: {type(error).__name__}: {error}")
        failure.__cause__ = error
        return Outcome(job, error=failure)
    if report.uncovered:
        leak = f"{job.input}: {report.uncovered} faces or frames were not hidden: not published"
        return Outcome(job, report, LeakError(leak))
    return Outcome(job, report)


def _run(
    job: Job, config: Config, parts: Parts, progress: Callable[[Progress], None] | None
) -> Report:
    """Open both ends of a job and send its frames through."""
    job.output.parent.mkdir(parents=True, exist_ok=True)
    anonymiser = parts.anonymiser()
    source = parts.source(job)
    try:
        observer = parts.observer(anonymiser, live=source.info.live)
        sink = parts.sink(job, source)
    except BaseException:
        source.close()
        raise
    return run(source, observer, anonymiser, sink, progress=progress, stall_s=config.stall_s)


def _entry(outcome: Outcome) -> dict[str, Any]:
    """Return what the report file says of one job."""
    entry: dict[str, Any] = {"input_sha256": sha256(outcome.job.input)}
    if outcome.error:
        entry["error"] = type(outcome.error).__name__
    else:
        entry["output_sha256"] = sha256(outcome.job.output)
    return entry | (outcome.report.to_json() if outcome.report else {})


def write_sheet(path: Path, identities: Path | None = None) -> None:
    """Write a picture of every identity and its name.

    Args:
        path: a picture that does not exist yet.
        identities: folder of portraits, instead of the built-in gallery.

    Raises:
        UsageError: the picture cannot be written as asked, or there is something wrong with the
            folder.
    """
    from streamanon.identities.sheet import contact_sheet

    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise UsageError(f"{path} is no picture: use one of {' '.join(IMAGE_SUFFIXES)}")
    if path.exists():
        raise UsageError(f"{path} exists: choose another name")
    sheet = contact_sheet(Parts(Config(identities=identities)).gallery)
    try:
        path.write_bytes(cv2.imencode(path.suffix, sheet)[1].tobytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def prepare_portraits(portraits: Sequence[Path], folder: Path) -> Sequence[Identity]:
    """Check portraits and write them as a gallery for ``Config.identities``.

    Raises:
        UsageError: a portrait will not do; then nothing is written.
    """
    from streamanon.identities.prepare import prepare

    parts = Parts(Config())
    return prepare(portraits, folder, parts.mesher, parts.detector, parts.embedder)
