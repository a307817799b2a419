"""The newest frame that a live stream wrote, for previews."""

from logging import Logger

from streamanon.protocols import Sink
from streamanon.types import SafeFrame, Treatment

_SAME_EVENT_S = 1.0
"""Frames that are covered whole less than this apart are logged as one event."""


class LatestFrameTap:
    """Passes frames to a sink, keeps the newest, and logs when frames are covered whole."""

    def __init__(self, sink: Sink, log: Logger) -> None:
        self._sink, self._log = sink, log
        self._covered, self._covered_s = 0, 0.0
        self.latest: SafeFrame | None = None

    def write(self, frame: SafeFrame) -> None:
        """Pass one frame on."""
        self.latest = frame
        self._sink.write(frame)
        self._log_covered(frame)

    def close(self, *, complete: bool) -> None:
        """Close the sink."""
        self._sink.close(complete=complete)

    def _log_covered(self, frame: SafeFrame) -> None:
        time_s = float(frame.pts * frame.time_base)
        whole = [done for done in frame.treated if done.treatment is Treatment.WHOLE_FRAME]
        if whole:
            if not self._covered:
                self._log.warning(f"frames are covered whole: {whole[0].reason}")
            self._covered, self._covered_s = self._covered + 1, time_s
        elif self._covered and time_s - self._covered_s > _SAME_EVENT_S:
            self._log.info(f"frames are shown again, {self._covered} were covered whole")
            self._covered = 0
