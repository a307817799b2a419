"""One visitor of the camera page: a line of their own anonymises their pictures.

It is the line of every live stream and knows nothing of the network. Nothing is kept after the
session.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from threading import Event, Thread
from typing import Any, TypeAlias

from av.video.frame import VideoFrame

from streamanon.factory import Factory
from streamanon.live.supervisor import LineSupervisor
from streamanon.media.timeline import LIVE_TICK
from streamanon.pipeline.channel import Channel, StoppedError
from streamanon.sources.live.frame_converter import FrameConverter
from streamanon.types import Frame, MediaInfo, Picture, SafeFrame

LOG = logging.getLogger("streamanon.camera")

ShowFrame: TypeAlias = "Callable[[SafeFrame, MediaInfo], None]"
"""Takes a safe frame and the properties of its stream."""

CameraPicture: TypeAlias = "tuple[VideoFrame, float]"
"""A picture of a camera and the time it arrived, in seconds of the monotonic clock."""

_RATE = Fraction(30)


class CameraSource:
    """Frames of one camera, all in the size of the first picture."""

    def __init__(
        self,
        info: MediaInfo,
        converter: FrameConverter,
        feed: Channel[CameraPicture],
        start_s: float,
    ) -> None:
        """Prepare to read a feed of pictures, scaled to one size; pts is 0 at ``start_s``."""
        self.info = info
        self._converter, self._feed, self._start_s = converter, feed, start_s

    def __iter__(self) -> Iterator[Frame]:
        """Yield pictures as they come; their pts is the time of arrival."""
        pts = -1
        with suppress(StoppedError):
            for index, (picture, at_s) in enumerate(self._feed):
                pts = max(pts + 1, int((at_s - self._start_s) / LIVE_TICK))
                planes = self._converter.planes(picture, None)
                yield Frame(index, Picture(planes, self.info.colour), pts, LIVE_TICK)

    def close(self) -> None:
        """Take no further picture."""
        self._feed.stop()


class VisitorSink:
    """Shows safe frames to the visitor."""

    def __init__(self, info: MediaInfo, show: ShowFrame) -> None:
        self._info, self._show = info, show

    def write(self, frame: SafeFrame) -> None:
        """Show one frame."""
        self._show(frame, self._info)

    def close(self, *, complete: bool) -> None:
        """Nothing is kept."""


class VisitorSession:
    """One visitor's line, from their first picture on."""

    def __init__(self, factory: Factory, show: ShowFrame) -> None:
        self._show = show
        self._left = Event()
        self._feed: Channel[CameraPicture] = Channel(1, newest=True)
        self.supervisor = LineSupervisor(factory, LOG, self._left)
        self._thread = Thread(target=self._stay, name="streamanon-visitor", daemon=True)

    def start(self) -> None:
        """Wait for pictures, in a thread of its own."""
        self._thread.start()

    def offer(self, picture: VideoFrame) -> None:
        """Add a raw picture, in place of an older one that still waits; never blocks."""
        with suppress(StoppedError):
            self._feed.put((picture, time.monotonic()))

    def end(self) -> None:
        """End the line; never blocks."""
        self._left.set()
        self._feed.stop()

    def leave(self) -> None:
        """End the line and wait for it."""
        self.end()
        self._thread.join()

    def to_json(self) -> dict[str, Any]:
        """Return the figures of the session, as plain JSON values."""
        supervisor = self.supervisor
        reading = supervisor.reading()
        return {
            "method": supervisor.method,
            "identity": supervisor.identity,
            "level": reading.level,
            "max_fps": reading.max_fps,
            "frames": reading.frames,
            "fps": round(reading.fps_out, 1),
            "latency_p50_ms": round(reading.latency_p50_ms, 1),
            "latency_p99_ms": round(reading.latency_p99_ms, 1),
            "faces": reading.faces,
            "treatments": dict(reading.treatments),
            "methods": dict(reading.methods),
            "error": supervisor.error,
        }

    def _stay(self) -> None:
        """Run lines from the first picture until the visitor leaves; body of the thread."""
        try:
            with suppress(StoppedError):
                self._run(*next(iter(self._feed)))
        finally:
            self.supervisor.close()

    def _run(self, first: VideoFrame, start_s: float) -> None:
        converter = FrameConverter(first, None)
        size = converter.width, converter.height
        info = MediaInfo(
            "camera", *size, converter.colour, LIVE_TICK, _RATE, live=True, container=converter.tags
        )
        source = CameraSource(info, converter, self._feed, start_s)
        self.supervisor.run(source, VisitorSink(info, self._show))
