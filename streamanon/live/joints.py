"""What joins a line, which may fail and be built again, to its input and outputs, which stay."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from streamanon.types import Treatment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from logging import Logger

    from streamanon.protocols import Sink, Source
    from streamanon.types import Frame, MediaInfo, SafeFrame

CALM_S = 1.0
"""Frames that are covered whole less than this apart are told as one event."""


class Tributary:
    """A source that outlives lines: each goes on where the one before left off.

    The reader of a line that failed may still be waiting for its next frame. That frame is lost
    with it, and only then the next line's reader gets one. When reading itself failed, the next
    line reads anew.

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
            try:
                frame = next(self._frames, None)
            except BaseException:
                self._frames = iter(self._source)
                raise
            self.over = frame is None
            return frame

    def close(self) -> None:
        """Leave the source open for the next line."""


class Lasting:
    """A sink that outlives lines: closing it leaves what is behind it open."""

    def __init__(self, sink: Sink, written: Callable[[], None]) -> None:
        """Stand before a sink.

        Args:
            sink: where frames go.
            written: called after each frame that was written.
        """
        self._sink, self._written = sink, written

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on.

        Raises:
            MediaError: the sink could not write it.
        """
        self._sink.write(frame)
        self._written()

    def close(self, *, complete: bool) -> None:
        """Leave the sink open for the next line."""


class Shown:
    """Passes frames on, keeps the newest for whoever wants to look, and says what is not shown.

    Attributes:
        latest: the newest frame, or None before the first.
    """

    def __init__(self, sink: Sink, log: Logger) -> None:
        """Stand before a sink.

        Args:
            sink: where frames go.
            log: logger for when frames begin to be covered whole, and when that is over.
        """
        self._sink, self._log = sink, log
        self._covered, self._covered_s = 0, 0.0
        self.latest: SafeFrame | None = None

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on.

        Raises:
            MediaError: the sink could not write it.
        """
        self.latest = frame
        self._sink.write(frame)
        self._tell(frame)

    def close(self, *, complete: bool) -> None:
        """Close the sink."""
        self._sink.close(complete=complete)

    def _tell(self, frame: SafeFrame) -> None:
        time_s = float(frame.pts * frame.time_base)
        whole = [done for done in frame.treated if done.treatment is Treatment.WHOLE_FRAME]
        if whole:
            if not self._covered:
                self._log.warning(f"frames are covered whole: {whole[0].reason}")
            self._covered, self._covered_s = self._covered + 1, time_s
        elif self._covered and time_s - self._covered_s > CALM_S:
            self._log.info(f"frames are shown again, {self._covered} were covered whole")
            self._covered = 0
