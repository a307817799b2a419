"""Source and sink of a live stream that stay open while its lines fail and are built again."""

from collections.abc import Callable, Iterator
from threading import Lock

from streamanon.protocols import Sink, Source
from streamanon.types import Frame, MediaInfo, SafeFrame


class PersistentSource:
    """A source that several lines read one after the other, each from where the last stopped.

    The reader of a line that failed may still wait for a frame. It takes that frame, which is lost,
    before the next line's reader gets one. After a failure in reading, the next line starts a new
    iteration.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._frames, self._lock = source, iter(source), Lock()
        self.over = False

    @property
    def info(self) -> MediaInfo:
        """Properties of the source."""
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from now on."""
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        with self._lock:
            try:
                frame = next(self._frames, None)
            except BaseException:
                self._frames = iter(self._source)
                raise
            self.over = frame is None
            return frame

    def close(self) -> None:
        """Leave the source open for the next line."""


class PersistentSink:
    """A sink for several lines one after the other: close() leaves the sink behind it open."""

    def __init__(self, sink: Sink, written: Callable[[], None]) -> None:
        self._sink, self._written = sink, written

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on."""
        self._sink.write(frame)
        self._written()

    def close(self, *, complete: bool) -> None:
        """Leave the sink open for the next line."""
