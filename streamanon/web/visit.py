"""One visitor of the camera page: their pictures go down a line of their own and come back hidden.

The line is the one of every live stream and knows nothing of the network. Nothing outlives the
visit.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, TypeAlias

from streamanon.errors import StreamanonError, error_line
from streamanon.live.joints import Lasting
from streamanon.pipeline.channel import Channel, StoppedError
from streamanon.pipeline.live_controls import LiveControls
from streamanon.pipeline.meter import Meter
from streamanon.pipeline.runner import run
from streamanon.sinks.live.keep_alive import KeepAlive
from streamanon.sources.live.frame_converter import FrameConverter
from streamanon.types import Frame, MediaInfo, Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.video.frame import VideoFrame

    from streamanon.anonymisers.stepped import SteppedAnonymiser
    from streamanon.factory import Factory
    from streamanon.tracking.identity_assigner import IdentityBook
    from streamanon.types import SafeFrame

LOG = logging.getLogger("streamanon.camera")

TIME_BASE = Fraction(1, 90_000)

Show: TypeAlias = "Callable[[SafeFrame, MediaInfo], None]"
"""Takes a safe frame and what is known of its stream."""

_RATE = Fraction(30)
_STALL_S = 5.0
_AGAIN_AFTER_S = 1.0


@dataclass(frozen=True, slots=True)
class Wish:
    """How a visitor wants to be hidden."""

    method: str
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A picture of a camera and when it came, in seconds of the monotonic clock."""

    picture: VideoFrame
    at_s: float


class CameraSource:
    """The pictures of one camera, all in the size of the first."""

    def __init__(
        self, info: MediaInfo, converter: FrameConverter, feed: Channel[Received], start_s: float
    ) -> None:
        """Prepare to read.

        Args:
            info: of the camera.
            converter: brings every picture to that size.
            feed: where pictures come from.
            start_s: when their time is 0.
        """
        self.info = info
        self._converter, self._feed, self._start_s = converter, feed, start_s

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures as they come; their pts is the time of arrival."""
        pts = -1
        with suppress(StoppedError):
            for index, received in enumerate(self._feed):
                pts = max(pts + 1, int((received.at_s - self._start_s) / TIME_BASE))
                planes = self._converter.planes(received.picture, None)
                yield Frame(index, Picture(planes, self.info.colour), pts, TIME_BASE)

    def stop(self) -> None:
        """Take no further picture."""
        self._feed.stop()

    def close(self) -> None:
        """Take no further picture."""
        self._feed.stop()


class VisitorSink:
    """Shows safe frames to the visitor."""

    def __init__(self, info: MediaInfo, show: Show) -> None:
        self._info, self._show = info, show

    def write(self, frame: SafeFrame) -> None:
        """Show one frame."""
        self._show(frame, self._info)

    def close(self, *, complete: bool) -> None:
        """Nothing is kept."""


class Visit:
    """One visitor's line, from their first picture on; built again when it fails."""

    def __init__(self, factory: Factory, wish: Wish, show: Show) -> None:
        """Prepare a visit.

        Args:
            factory: builds the line.
            wish: how the visitor is hidden at first.
            show: takes every safe frame, in a thread of the line.
        """
        self._factory, self._wish, self._show = factory, wish, show
        self._meter = Meter()
        self._controls = LiveControls(self._meter, log=LOG)
        self._lock = Lock()
        self._left = Event()
        self._feed: Channel[Received] = Channel(1, newest=True)
        self._ladder: SteppedAnonymiser | None = None
        self._book: IdentityBook | None = None
        self._error = ""
        self._thread = Thread(target=self._stay, name="streamanon-visit", daemon=True)

    @property
    def wish(self) -> Wish:
        """How the visitor is hidden."""
        return self._wish

    def start(self) -> None:
        """Wait for pictures, in a thread of its own."""
        self._thread.start()

    def offer(self, picture: VideoFrame) -> None:
        """Hand over a raw picture; an older one that still waits is forgotten. Never blocks."""
        with suppress(StoppedError):
            self._feed.put(Received(picture, time.monotonic()))

    def change(self, wish: Wish) -> None:
        """Go on in another way from the next pictures on; what it needs is loaded meanwhile.

        Raises:
            UsageError: it cannot be done here.
        """
        with self._lock:
            if self._ladder and self._book:
                if wish.method != self._wish.method:
                    self._ladder.set_method(wish.method)
                self._book.give_everyone(wish.identity)
            self._wish = wish

    def leave(self) -> None:
        """End the line and wait for it."""
        with self._lock:
            self._left.set()
            self._feed.stop()
        self._thread.join()

    def to_json(self) -> dict[str, Any]:
        """Return how the visit goes, as plain JSON values."""
        reading, wish = self._meter.read(), self._wish
        return {
            "method": wish.method,
            "identity": wish.identity,
            "level": reading.level,
            "fps": round(reading.fps_out, 1),
            "latency_p50_ms": round(reading.latency_p50_ms, 1),
            "latency_p99_ms": round(reading.latency_p99_ms, 1),
            "faces": reading.faces,
            "treatments": dict(reading.treatments),
            "error": self._error,
        }

    def _stay(self) -> None:
        """See the visitor through, from the first picture to the last."""
        try:
            first = next(iter(self._feed))
        except StoppedError:
            return
        converter = FrameConverter(first.picture, None)
        size = converter.width, converter.height
        info = MediaInfo(
            "camera", *size, converter.colour, TIME_BASE, _RATE, live=True, container=converter.tags
        )
        # While there is nothing else to show, or the line is built again, it shows the card.
        keep = KeepAlive(VisitorSink(info, self._show), info)
        try:
            while not self._left.is_set():
                self._run(info, converter, keep, first.at_s)
        finally:
            keep.close(complete=True)

    def _run(
        self, info: MediaInfo, converter: FrameConverter, keep: KeepAlive, start_s: float
    ) -> None:
        """Send pictures down a line until the visitor leaves or it fails."""
        factory = self._factory.for_stream(method=self._wish.method, identity=self._wish.identity)
        try:
            ladder, book = factory.ladder(self._wish.method, LOG), factory.book()
            observer = factory.observer(ladder, live=True, book=book)
            with self._lock:
                if self._left.is_set():
                    return
                self._ladder, self._book = ladder, book
                feed = self._feed = Channel(1, newest=True)
            self._error = ""
            self._controls.steer(ladder)
            run(
                CameraSource(info, converter, feed, start_s),
                observer,
                ladder,
                Lasting(keep),
                stall_s=_STALL_S,
                live=self._controls,
            )
        except Exception as error:  # noqa: BLE001  whatever it is, the visitor sees the card
            # messages of libraries may quote data: only their class is shown
            ours = isinstance(error, StreamanonError)
            self._error = (
                error_line(error) if ours else f"anonymising failed ({type(error).__name__})"
            )
            LOG.warning(f"a line failed and is built again: {self._error}")
            self._left.wait(_AGAIN_AFTER_S)
        finally:
            factory.close()
