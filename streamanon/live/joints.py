"""What joins a line, which may fail and be built again, to its input and outputs, which stay."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from streamanon.protocols import Sink, Source
    from streamanon.types import Frame, MediaInfo, SafeFrame


class Tributary:
    """A source that outlives lines: each goes on where the one before left off.

    The reader of a line that failed may still be waiting for its next frame. That frame is lost
    with it, and only then the next line's reader gets one.

    Attributes:
        over: True when no frame will come any more.
    """

    def __init__(self, source: Source) -> None:
        self._source, self._frames, self._lock = source, iter(source), Lock()
        self.over = False

    @property
    def info(self) -> MediaInfo:
        """What is known of the source."""
        return self._source.info

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames from now on."""
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        with self._lock:
            frame = None
            try:
                frame = next(self._frames, None)
            finally:
                self.over = frame is None
            return frame

    def close(self) -> None:
        """Leave the source open for the next line."""


class Lasting:
    """A sink that outlives lines: closing it leaves what is behind it open."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on.

        Raises:
            MediaError: the sink could not write it.
        """
        self._sink.write(frame)

    def close(self, *, complete: bool) -> None:
        """Leave the sink open for the next line."""


class Shown:
    """Passes frames on and keeps the newest for whoever wants to look.

    Attributes:
        latest: the newest frame, or None before the first.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.latest: SafeFrame | None = None

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on.

        Raises:
            MediaError: the sink could not write it.
        """
        self.latest = frame
        self._sink.write(frame)

    def close(self, *, complete: bool) -> None:
        """Close the sink."""
        self._sink.close(complete=complete)
