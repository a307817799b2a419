"""One live stream, from its input to its outputs.

The outputs are opened once and stay open. The line may fail any number of times
(:mod:`streamanon.live.supervisor`). What ends a stream is :meth:`Stream.stop`, or a request that
could never be met.
"""

import logging
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import Any

from streamanon.errors import LeakError, StreamanonError, UsageError, named_error_line
from streamanon.factory import Factory
from streamanon.live.latest_frame import LatestFrameTap
from streamanon.live.status import Status
from streamanon.live.supervisor import LineSupervisor
from streamanon.media.address import Address
from streamanon.pipeline.report import Report
from streamanon.sinks.live.sink import LiveSink
from streamanon.sources.live.source import LiveSource
from streamanon.types import SafeFrame

STREAM_LOG = "streamanon.stream"
"""Parent of the loggers of streams, each called by the name of its stream."""


class Stream:
    """A live stream that runs in a thread of its own; its log shows no credentials."""

    def __init__(
        self,
        name: str,
        input: Address,  # noqa: A002
        outputs: Sequence[Address],
        factory: Factory,
    ) -> None:
        """Prepare a stream; nothing is opened before :meth:`start`.

        Its name is unique in the process. The factory builds the parts of no other stream. Without
        outputs only :meth:`latest` is used.

        Raises:
            UsageError: it is to be sealed, and is not recorded.
        """
        self.name = name
        self.log = logging.getLogger(f"{STREAM_LOG}.{name}")
        self._input, self._outputs, self._factory = input, tuple(outputs), factory
        self._stopping = Event()
        self._recorded = _recorded(outputs) if factory.check_recipients() else None
        self._supervisor = LineSupervisor(factory, self.log, self._stopping)
        self._error: StreamanonError | None = None
        self._source: LiveSource | None = None
        self._sink: LiveSink | None = None
        self._tap: LatestFrameTap | None = None
        self._thread = Thread(target=self._live, name=f"streamanon-{name}", daemon=True)

    @property
    def error(self) -> StreamanonError | None:
        """What ended the stream, or a leak that was stopped; None when there is no error."""
        if self._supervisor.uncovered:
            what = f"{self._supervisor.uncovered} faces or frames were not hidden"
            return LeakError(f"{what}, and not shown: file a bug")
        return self._error

    @property
    def reports(self) -> Sequence[Report]:
        """Reports of the newest lines, failed ones included."""
        return self._supervisor.reports

    @property
    def running(self) -> bool:
        """Whether the stream was started and has not ended."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Open input and outputs and start anonymising, in the stream's own thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the stream and finish its outputs; returns when that is done. Safe to call twice."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def latest(self) -> SafeFrame | None:
        """Return the newest frame that went out, placeholders included; None before the first."""
        return self._tap.latest if self._tap else None

    def set_method(self, method: str) -> None:
        """Hide faces by another method from the next frames on.

        Raises:
            UsageError: there is no such method.
        """
        self._supervisor.set_method(method)

    def set_identity(self, identity: str | None) -> None:
        """Give everybody one identity from the next frames on; None for one a person.

        Raises:
            UsageError: there is no such identity.
        """
        self._supervisor.set_identity(identity)

    def status(self) -> Status:
        """Return what the stream is doing."""
        source, sink, reading = self._source, self._sink, self._supervisor.reading()
        connected = source.state if source else None
        (state, since_s), lost = self._supervisor.state, ""
        if state == "live" and connected and not connected.connected:
            state, since_s, lost = "lost", connected.since_s, connected.reason
        return Status(
            name=self.name,
            state=state,
            since_s=since_s,
            input=str(self._input),
            size=(source.info.width, source.info.height) if source else (0, 0),
            method=self._supervisor.method,
            identity=self._supervisor.identity,
            reconnects=connected.reconnects if connected else 0,
            restarts=self._supervisor.restarts,
            outputs=sink.state if sink else (),
            error=str(self.error or "") or lost or self._supervisor.error,
            **asdict(reading),
        )

    def report(self) -> dict[str, Any]:
        """Return what was done, as plain JSON values: the newest lines and the final status.

        ``uncovered`` counts over all lines, also those whose reports are no longer kept.
        """
        return {
            "stream": self.name,
            "status": self.status().to_json(),
            "uncovered": self._supervisor.uncovered,
            "lines": [report.to_json() for report in self.reports],
        }

    def _live(self) -> None:
        """Run until the stream is stopped or cannot go on; body of the thread."""
        try:
            while not self._stopping.is_set():
                self._open_and_run()
        except StreamanonError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  one stream must not take others with it
            self._error = StreamanonError(self._input.masked(named_error_line(error)))
            self._error.__cause__ = error
        finally:
            self._supervisor.close()

    def _open_and_run(self) -> None:
        """Open everything and run lines until the stream is stopped or the input gives up."""
        self._supervisor.prepare()
        try:
            source = self._factory.live_source(self._input, self.log, self._stopping)
        except StreamanonError:
            if self._stopping.is_set():
                return  # to be stopped while waiting for the input is no error
            raise
        with ExitStack() as stack:
            self._source = stack.enter_context(closing(source))
            sink = self._sink = self._factory.live_sink(self._outputs, source, self.log)
            if self._recorded is None:
                self._tap = LatestFrameTap(sink, self.log)
                self._supervisor.run(source, self._tap)
                return
            sealing = self._factory.sealed_live(sink, self._recorded, source.info, self.log)
            self._tap = LatestFrameTap(sealing, self.log)
            self._supervisor.run(source, self._tap, sealing)


def _recorded(outputs: Sequence[Address]) -> Path:
    """Return the folder of the recording that what is sealed belongs to."""
    folders = [one.target for one in outputs if one.scheme == "record"]
    if len(folders) != 1:
        raise UsageError(
            f"--seal keeps a live stream's originals beside its recording: name one output "
            f"record:FOLDER, {len(folders)} were named"
        )
    return Path(folders[0]).expanduser().absolute()
