"""Shows a placeholder while no frames arrive, so that players and recorders stay connected."""

import time
from threading import Event, Lock, Thread

from streamanon.errors import MediaError
from streamanon.protocols import Sink
from streamanon.safety.compose import placeholder_frame
from streamanon.types import MediaInfo, SafeFrame

SILENCE_S = 0.5
_SILENT_FRAMES = 3
"""Usual frame intervals without a frame after which a stream slower than 6 frames/s is silent: a
slow camera, or a machine with too much to do."""

_LONGEST_S, _LEARNING = 1.0, 0.1
"""An interval counts for so much at most, and for this share of the usual one."""

_CARD_EVERY_S = 0.2


class KeepAlive:
    """Passes frames on; after half a second without one, writes placeholders with the time of day.

    Frames and placeholders come from different threads and are passed on one at a time. Timestamps
    of placeholders continue those of the frames, at the pace of the clock. It is silent while the
    newest picture is a placeholder.
    """

    def __init__(self, sink: Sink, info: MediaInfo) -> None:
        self._sink, self._info = sink, info
        self._usual_s = float(1 / info.rate)
        self._lock = Lock()
        self._over = Event()
        self._index, self._pts = 0, 0
        self.silent = False
        self._written = self._frame_at = time.monotonic()
        self._thread = Thread(target=self._watch, name="streamanon-keep-alive", daemon=True)
        self._thread.start()

    def write(self, frame: SafeFrame) -> None:
        """Write one frame."""
        with self._lock:
            self._sink.write(frame)
            self.silent = False
            self._note(frame.index, round(frame.pts * frame.time_base / self._info.time_base))
            interval_s = min(self._written - self._frame_at, max(_LONGEST_S, self._usual_s))
            self._usual_s += _LEARNING * (interval_s - self._usual_s)
            self._frame_at = self._written

    def close(self, *, complete: bool) -> None:
        """Stop the placeholders and close the sink; safe to call twice."""
        self._over.set()
        self._thread.join()
        self._sink.close(complete=complete)

    def _note(self, index: int, pts: int) -> None:
        self._index, self._pts = index, pts
        self._written = time.monotonic()

    def _watch(self) -> None:
        self._placeholder()  # the first takes 90 ms and 11 MB, because OpenCV unpacks its font
        while not self._over.wait(_CARD_EVERY_S):
            with self._lock:
                silent_s = time.monotonic() - self._frame_at
                if silent_s >= max(SILENCE_S, _SILENT_FRAMES * self._usual_s):
                    self._write_placeholder()

    def _write_placeholder(self) -> None:
        elapsed_s = time.monotonic() - self._written
        pts = self._pts + max(1, round(elapsed_s / self._info.time_base))
        try:
            self._sink.write(self._placeholder(pts))
        except MediaError:
            return  # the next frame meets the same failure, where it is handled
        self.silent = True
        self._note(self._index, pts)

    def _placeholder(self, pts: int = 0) -> SafeFrame:
        lines = ("NO SIGNAL", time.strftime("%H:%M:%S"))
        return placeholder_frame(self._info, lines, self._index, pts)
