"""Display of live streams: a status line each on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from streamanon.errors import counted
from streamanon.live.status import Status
from streamanon.live.stream import STREAM_LOG
from streamanon.media.credentials import WITH_SECRET, masked
from streamanon.types import FULL_QUALITY
from streamanon.web.visitor_session import LOG as CAMERA_LOG

LOG = logging.getLogger("streamanon")

_LINE_EVERY_S = 10.0
_COLOURS = {
    "starting": "yellow",
    "live": "green",
    "lost": "red",
    "restarting": "red",
    "stopped": "dim",
}
_DROPPED = {
    "see": "finding faces took too long",
    "replace": "hiding faces took too long",
    "write": "encoding took too long",
    "rate": "fewer frames a second were taken",
}
"""In words what :class:`streamanon.pipeline.meter.Reading` counts dropped frames by."""


def status_line(status: Status) -> str:
    """Return the state and figures of a stream in one line."""
    if status.state == "starting":
        return f"starting, waiting for {status.input}"
    lost = f" for {duration(status.since_s)} ({status.error})" if status.error else ""
    parts = [
        f"{status.state}{lost}",
        f"{status.fps_in:.1f} fps in, {status.fps_out:.1f} out",
        f"latency {status.latency_p50_ms:.0f} ms (p99 {status.latency_p99_ms:.0f})",
        counted(status.faces, "face"),
        status.method
        + ("" if status.level == FULL_QUALITY else f" at level {status.level}")
        + (f" at {status.max_fps:g} fps" if status.max_fps else ""),
    ]
    lost_frames = sum(status.dropped.values())
    if lost_frames:
        parts.append(f"{lost_frames} dropped")
    down = [output for output in status.outputs if not output.connected]
    parts += [f"{output.name} is down" for output in down]
    return ", ".join(parts)


def summary(status: Status) -> str:
    """Return the totals of a stream in one line."""
    hidden = ", ".join(f"{how} {number}" for how, number in status.methods.items())
    parts = [
        counted(status.frames, "frame"),
        f"{counted(status.people, 'face')} followed"
        + (f", hidden in all frames together: {hidden}" if hidden else ""),
        f"{counted(status.reconnects, 'reconnect')}, {counted(status.restarts, 'restart')}",
    ]
    parts += [
        f"{counted(n, 'frame')} dropped because {_DROPPED[cause]}"
        for cause, n in status.dropped.items()
    ]
    return f"{status.name}: " + "; ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration in hours, minutes and seconds."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min"
        if hours
        else f"{minutes} min {left} s"
        if minutes
        else f"{left} s"
    )


class LiveDisplay:
    """Shows live streams and the log on a console; a context manager."""

    def __init__(self, console: Console, *, alone: bool = False) -> None:
        """Prepare to show streams; the log of one that is alone is shown without its name."""
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._handler = _ConsoleHandler(console, alone=alone)
        self._said_s = time.monotonic()

    def __enter__(self) -> LiveDisplay:
        self._level = LOG.level
        LOG.addHandler(self._handler)
        LOG.setLevel(logging.INFO)
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._live.stop()
        LOG.removeHandler(self._handler)
        LOG.setLevel(self._level)

    def show(self, streams: Sequence[Status]) -> None:
        """Show how the streams are now: on a terminal always, in a log now and then."""
        if self._console.is_terminal:
            self._live.update(Group(*(_coloured(one) for one in streams)), refresh=True)
        elif time.monotonic() - self._said_s >= _LINE_EVERY_S:
            self._said_s = time.monotonic()
            for one in streams:
                LOG.info(f"{one.name}: {status_line(one)}")


def _coloured(status: Status) -> Text:
    mark = Text("● ", style=_COLOURS[status.state])
    mark.append(f"{status.name}: {status_line(status)}", style="default")
    mark.no_wrap, mark.overflow = True, "ellipsis"
    return mark


class _ConsoleHandler(logging.Handler):
    """Prints the log above the status lines, with the time of day."""

    def __init__(self, console: Console, *, alone: bool) -> None:
        super().__init__()
        self._console, self._alone = console, alone

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        line = " ".join((self._label(record.name) + record.getMessage()).split())
        line = line if hasattr(record, *WITH_SECRET) else masked(line)
        self._console.print(f"{at} {line}", markup=False, highlight=False, soft_wrap=True)

    def _label(self, logger: str) -> str:
        """Return the prefix for lines of a logger."""
        if logger == CAMERA_LOG.name:
            return "camera page: "
        _, found, name = logger.partition(f"{STREAM_LOG}.")
        return f"{name}: " if found and not self._alone else ""
