"""Anonymising from Python: pictures and frames in memory, files, live streams.

An array goes in and an array comes out, because that is what OpenCV, PyAV and supervision pass
around: ``cv2.imshow("safe", anonymiser.image(image))`` needs nothing else. With ``faces=True`` the
result is a :class:`SafeImage` that also says what was hidden: an object with named fields, not a
tuple, so that fields can be added without breaking callers.

Frames in memory pass the same stages as those of a file: observer, anonymiser, policy, compose,
ledger. Work is done only when the caller asks for the next frame: a loop that ends early leaves
nothing behind, and several loops may run side by side, in one thread or in several.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import Any, Literal, overload
from weakref import finalize

from numpy.typing import NDArray

from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.factory import Factory
from streamanon.files.run import anonymise_with
from streamanon.imaging.picture import whole_bgr
from streamanon.live.jobs import plan_live
from streamanon.live.stream import Stream
from streamanon.media.credentials import masked
from streamanon.pipeline.in_memory import SafeImage, safe_images
from streamanon.pipeline.report import Report
from streamanon.sources.arrays import Arrays, Rate, array_frames, image_picture
from streamanon.types import U8, Frame


class LiveStream(Stream):
    """A live stream that is anonymised in the background.

    ``status()`` says how it is, ``stop()`` finishes its outputs and ends it, ``error`` is what
    ended it otherwise. A ``with`` block over it stops it at its end, and raises its error.
    """

    def image(self) -> U8 | None:
        """Return the newest frame that went out, (h, w, 3) uint8 BGR; None before the first."""
        latest = self.latest()
        return whole_bgr(latest.picture) if latest else None

    def __enter__(self) -> LiveStream:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.stop()
        if self.error and not error:
            raise self.error


class Anonymiser:
    """Hides faces, with the settings of one :class:`~streamanon.Config`.

    Networks are loaded when they are first needed, and shared with all other anonymisers of the
    process. Any thread may call any method at any time. Used with ``with``, or closed by hand, it
    frees what it holds at once; left to the garbage collector, later.
    """

    def __init__(self, config: Config | None = None) -> None:
        """Settle the settings; nothing is loaded yet.

        Raises:
            UsageError: it is not a Config.
        """
        if not isinstance(config, Config | None):
            raise UsageError(f"config is {config!r}: wanted a streamanon.Config")
        self.config = config or Config()
        self._lock = Lock()
        self._models: Factory | None = Factory.of_process(self.config)
        self._idle: list[Factory] = []
        self._streams: list[LiveStream] = []
        self._finalizer = finalize(self, _close, self._idle)

    @overload
    def image(self, image: NDArray[Any], *, faces: Literal[False] = False) -> U8: ...
    @overload
    def image(self, image: NDArray[Any], *, faces: Literal[True]) -> SafeImage: ...
    def image(self, image: NDArray[Any], *, faces: bool = False) -> U8 | SafeImage:
        """Hide every face of one picture.

        Each picture is treated by itself: pictures that follow each other belong to
        :meth:`frames`, where a person keeps the same new face.

        Args:
            image: (h, w, 3) uint8 in BGR, as cv2.imread has it. It is not changed. RGB is not
                recognised as such, and gives skin of the wrong colour.
            faces: also return what was hidden.

        Returns:
            A new (h, w, 3) uint8 BGR array, or with ``faces`` a :class:`SafeImage`.

        Raises:
            UsageError: the array is not such a picture, or the anonymiser is closed.
            StreamanonError: a face could not be hidden.
        """
        frame = Frame(0, image_picture(image), 0, Fraction(1))
        (safe,) = self._safe_images(iter([frame]), live=False)
        return safe if faces else safe.image

    @overload
    def frames(
        self, source: Arrays, *, fps: Rate = None, live: bool = False, faces: Literal[False] = False
    ) -> Generator[U8, None, None]: ...
    @overload
    def frames(
        self, source: Arrays, *, fps: Rate = None, live: bool = False, faces: Literal[True]
    ) -> Generator[SafeImage, None, None]: ...
    def frames(
        self, source: Arrays, *, fps: Rate = None, live: bool = False, faces: bool = False
    ) -> Generator[U8, None, None] | Generator[SafeImage, None, None]:
        """Hide every face of frames that follow each other; as many come out, in order.

        Frames are taken from the source one by one, when the next safe one is asked for. The first
        comes out after about half a second of frames went in, so that a face found late is hidden
        in the frames before, too. When the source fails, or a frame cannot be used or differs in
        size, the frames before it still come out, and then the error is raised.

        Args:
            source: (h, w, 3) uint8 BGR arrays of one size, or pairs of a time in seconds and such
                an array, or an open cv2.VideoCapture, which stays open. RGB is not
                recognised as such, and gives skin of the wrong colour.
            fps: frames a second, for frames without times; None for the rate of the capture, or 30.
            live: hold back only as many frames as the setting ``delay`` says, by default none: each
                frame comes out before the next one goes in.
            faces: also return what was hidden.

        Returns:
            A generator of new (h, w, 3) uint8 BGR arrays, or with ``faces`` of
            :class:`SafeImage`.

        Raises:
            UsageError: the source cannot be used, or the anonymiser is closed.
            MediaError: the source failed (its error is the cause), or had no frame.
            StreamanonError: a face could not be hidden; the frame is not given out.
        """
        self._open_models()
        images = self._safe_images(array_frames(source, fps), live=live)
        return images if faces else (safe.image for safe in images)

    def file(self, input: str | Path, output: str | Path) -> Report:  # noqa: A002
        """Anonymise one video or picture, as :func:`streamanon.anonymise` does.

        Args:
            input: file to anonymise.
            output: file to write, which appears when it is complete and everyone in it is hidden.

        Raises:
            UsageError: the request cannot be carried out as made, or the anonymiser is closed.
            StreamanonError: the run failed; there is no output.
        """
        with self._factory() as factory:
            return anonymise_with(factory, input, output)

    def stream(
        self,
        input: str,  # noqa: A002
        outputs: str | Sequence[str] = (),
        *,
        name: str = "stream",
    ) -> LiveStream:
        """Start to anonymise a live stream in the background.

        It runs until it is stopped, or the anonymiser is closed; input and outputs may go away and
        come back meanwhile.

        Args:
            input: address, "rtsp://camera/1" or "webcam:0" for example.
            outputs: addresses; may be empty, to use only ``LiveStream.image()``.
            name: identifies it in the log; its logger is "streamanon.stream.NAME".

        Raises:
            UsageError: an address is not that of a live stream, or a setting is for files.
        """
        models = self._open_models()
        self.config.check("live", switchable=True)
        if self.config.report:
            raise UsageError(
                "a live stream has its report in LiveStream.report(): leave report out"
            )
        job = plan_live([input], [outputs] if isinstance(outputs, str) else outputs)
        if job is None:
            raise UsageError(f"input {masked(input)} is a file: file() takes those")
        stream = LiveStream(name, job.input, job.outputs, models.for_stream())
        with self._lock:
            self._open_models()
            self._streams = [one for one in self._streams if one.running] + [stream]
            stream.start()
        return stream

    def close(self) -> None:
        """Stop the streams and free the networks no other anonymiser uses. Safe to call twice.

        An iteration over :meth:`frames` that is still in use raises a UsageError at its next frame.
        """
        with self._lock:
            self._models = None
            streams, self._streams = self._streams, []
            self._finalizer()
        for stream in streams:
            stream.stop()

    def __enter__(self) -> Anonymiser:
        self._open_models()
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _open_models(self) -> Factory:
        """Return the factory that holds the networks."""
        models = self._models
        if models is None:
            raise UsageError("the anonymiser is closed: make another one")
        return models

    @contextmanager
    def _factory(self) -> Iterator[Factory]:
        """Lend a factory that nothing else uses meanwhile; after an error it is not lent again."""
        with self._lock:
            models = self._open_models()
            factory = self._idle.pop() if self._idle else models.for_stream()
        try:
            yield factory
        except BaseException:
            factory.close()
            raise
        with self._lock:
            self._idle.append(factory)
            if self._models is None:
                _close(self._idle)

    def _safe_images(
        self, frames: Iterator[Frame], *, live: bool
    ) -> Generator[SafeImage, None, None]:
        """Yield frames with everyone hidden, as long as the anonymiser is open."""
        if self.config.seal or self.config.seal_passphrase:
            raise UsageError("seal is for files and live streams: leave it out for arrays")
        with self._factory() as factory:
            anonymiser = factory.anonymiser()
            observer = factory.observer(anonymiser, live=live)
            with closing(safe_images(frames, observer, anonymiser, overlap=not live)) as images:
                for safe in images:
                    yield safe
                    self._open_models()


def _close(factories: list[Factory]) -> None:
    while factories:
        factories.pop().close()
