"""One live stream and who looks after it: from the input, through the line, to the outputs.

The outputs are opened once and stay: while the input is away, or the line is built again, they are
fed with the card. The line may fail as often as it likes, it is started again, and people keep
their identities. What ends a stream is :meth:`Stream.stop`, or a request that could never be met.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

from streamanon.errors import LeakError, StallError, StreamanonError, named_error_line
from streamanon.live.joints import Lasting, Shown, Tributary
from streamanon.live.status import Status
from streamanon.media.backoff import Backoff
from streamanon.pipeline.live_controls import LiveControls
from streamanon.pipeline.meter import Meter
from streamanon.pipeline.runner import run
from streamanon.sinks.live.keep_alive import KeepAlive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamanon.anonymisers.stepped import SteppedAnonymiser
    from streamanon.factory import Factory
    from streamanon.live.status import State
    from streamanon.media.address import Address
    from streamanon.pipeline.report import Report
    from streamanon.pipeline.runner import Progress
    from streamanon.sinks.live.sink import LiveSink
    from streamanon.sources.live.source import LiveSource
    from streamanon.tracking.identity_assigner import IdentityBook
    from streamanon.types import SafeFrame

STREAM_LOG = "streamanon.stream"
"""The loggers of streams are below this one, by their names."""

STALL_S = 5.0
"""Longest a stage of a live line may work on one frame."""

_STEADY_S = 10.0
"""A line that lived this long failed for a new reason: it is built again without delay."""

_AFTER_STALL = 10
"""How much longer than after another failure."""

_LINES_REPORTED = 5


class Stream:
    """A supervised stream with a thread of its own.

    Attributes:
        name: what to call it.
        log: logger that tells what happens to it; nothing in it is secret.
        error: what ended it, or that something could not be hidden; None when all is well.
        reports: of the newest lines, those that failed included.
    """

    def __init__(
        self,
        name: str,
        input: Address,  # noqa: A002
        outputs: Sequence[Address],
        factory: Factory,
    ) -> None:
        """Prepare a stream; nothing is opened before :meth:`start`.

        Args:
            name: unique among the streams of a process.
            input: where frames come from.
            outputs: where anonymised frames go; may be empty, when somebody asks for the latest.
            factory: builds what the settings ask for, for this stream alone.
        """
        self.name = name
        self.error: StreamanonError | None = None
        self.log = logging.getLogger(f"{STREAM_LOG}.{name}")
        self._input, self._outputs, self._factory = input, tuple(outputs), factory
        self._method, self._identity = factory.config.method, factory.config.identity
        self._meter = Meter()
        self._controls = LiveControls(self._meter, log=self.log)
        self._stopping = Event()
        self._lock = Lock()
        self._source: LiveSource | None = None
        self._sink: LiveSink | None = None
        self._shown: Shown | None = None
        self._book: IdentityBook | None = None
        self._ladder: SteppedAnonymiser | None = None
        self._phase: tuple[State, float] = ("starting", time.monotonic())
        self._trouble = self._said = ""
        self._restarts = self._uncovered = 0
        self.reports: list[Report] = []
        self._thread = Thread(target=self._live, name=f"streamanon-{name}", daemon=True)

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
        """Return the newest frame that went out, cards included; None before the first."""
        return self._shown.latest if self._shown else None

    def set_method(self, method: str) -> None:
        """Hide faces in another way from the next frames on.

        Raises:
            UsageError: there is no such method.
        """
        replace(self._factory.config, method=method)  # refuses what there is not
        with self._lock:
            if self._ladder:
                self._ladder.set_method(method)
            self._method = method

    def set_identity(self, identity: str | None) -> None:
        """Give everybody one identity from the next frames on; None for one a person.

        Raises:
            UsageError: there is no such identity.
        """
        with self._lock:
            self._book = self._book or self._factory.book()
            self._book.give_everyone(identity)
            self._identity = identity

    def status(self) -> Status:
        """Return what the stream is doing."""
        source, sink, reading = self._source, self._sink, self._meter.read()
        connected = source.state if source else None
        state, since = self._phase
        since_s, lost = time.monotonic() - since, ""
        if state == "live" and connected and not connected.connected:
            state, since_s, lost = "lost", connected.since_s, connected.reason
        return Status(
            name=self.name,
            state=state,
            since_s=since_s,
            input=str(self._input),
            size=(source.info.width, source.info.height) if source else (0, 0),
            method=self._method,
            identity=self._identity,
            level=reading.level,
            fps_in=reading.fps_in,
            fps_out=reading.fps_out,
            latency_p50_ms=reading.latency_p50_ms,
            latency_p99_ms=reading.latency_p99_ms,
            frames=reading.frames,
            dropped=reading.dropped,
            faces=reading.faces,
            people=reading.people,
            treatments=reading.treatments,
            reconnects=connected.reconnects if connected else 0,
            restarts=self._restarts,
            outputs=sink.state if sink else (),
            error=str(self.error or "") or lost or self._trouble,
        )

    def report(self) -> dict[str, Any]:
        """Return what was done, as plain JSON values: the newest lines and the final status.

        ``uncovered`` is of all lines, those that failed and those that are forgotten included.
        """
        return {
            "stream": self.name,
            "status": self.status().to_json(),
            "uncovered": self._uncovered,
            "lines": [report.to_json() for report in self.reports],
        }

    def _live(self) -> None:
        """Live through everything; the body of the thread."""
        try:
            while not self._stopping.is_set():
                self._open_and_run()
        except StreamanonError as error:
            self.error = self.error or error
        except Exception as error:  # noqa: BLE001  one stream must not take others with it
            self.error = StreamanonError(self._input.masked(named_error_line(error)))
            self.error.__cause__ = error
        finally:
            self._enter("stopped")
            self._factory.close()

    def _open_and_run(self) -> None:
        """Open everything and run lines until the stream is stopped or the input gives up."""
        self._book = self._book or self._factory.book()
        # All is loaded, and what is wrong with the settings shows, before anything is opened.
        ladder = self._factory.ladder(self._method, self.log)
        self._factory.observer(ladder, live=True, book=self._book)
        try:
            source = self._factory.live_source(self._input, self.log, self._stopping)
        except StreamanonError:
            if self._stopping.is_set():
                return  # who is told to stop while waiting for the input did nothing wrong
            raise
        with ExitStack() as stack:
            self._source = stack.enter_context(closing(source))
            sink = self._sink = self._factory.live_sink(self._outputs, source, self.log)
            self._shown = Shown(sink, self.log)
            keep = KeepAlive(self._shown, source.info)
            stack.callback(lambda: keep.close(complete=True))
            self._run_lines(source, keep)

    def _run_lines(self, source: LiveSource, keep: KeepAlive) -> None:
        """Build the line, and again whenever it fails, as long as frames may come."""
        backoff = Backoff()
        tributary = Tributary(source)
        while not self._stopping.is_set() and not tributary.over:
            began = time.monotonic()
            try:
                self._run_line(tributary, keep)
            except StreamanonError as error:
                if time.monotonic() - began > _STEADY_S:
                    backoff.reset()
                    self._said = ""
                self._prepare_next(error, backoff.next_s())

    def _run_line(self, tributary: Tributary, keep: KeepAlive) -> None:
        assert self._book is not None
        self._book.forget_tracks()
        with self._lock:
            self._ladder = self._factory.ladder(self._method, self.log)
        observer = self._factory.observer(self._ladder, live=True, book=self._book)
        self._controls.steer(self._ladder)
        try:
            run(
                tributary,
                observer,
                self._ladder,
                Lasting(keep),
                progress=self._note_progress,
                stall_s=min(self._factory.config.stall_s, STALL_S),
                live=self._controls,
            )
        finally:
            if self._controls.report:
                self._note(self._controls.report)

    def _note_progress(self, position: Progress) -> None:
        """A line that wrote a frame lives."""
        if position.done:
            self._trouble = ""
            self._enter("live")

    def _enter(self, state: State) -> None:
        if self._phase[0] != state:
            self._phase = (state, time.monotonic())

    def _note(self, report: Report) -> None:
        """Keep what a line did. One that could not hide everything has ended before showing it."""
        self.reports = [*self.reports, report][-_LINES_REPORTED:]
        self._uncovered += report.uncovered
        if self._uncovered:
            self.error = LeakError(
                f"{self._uncovered} faces or frames were not hidden, and not shown: file a bug"
            )

    def _prepare_next(self, error: StreamanonError, wait_s: float) -> None:
        """Say what happened, once for each thing that does, and wait a little."""
        if self._stopping.is_set():
            return
        said, self._trouble = self._said, str(error)
        self._said = str(error)
        self._enter("restarting")
        self._restarts += 1
        if said != self._said:
            self.log.warning(
                f"the line failed and is built again, the card is shown meanwhile: {error}"
            )
        if isinstance(error, StallError):
            # Its thread may still be using this factory's networks and would block other users. If
            # that goes on, the threads left behind add up: take more time.
            self._factory = type(self._factory)(self._factory.config)
            wait_s *= _AFTER_STALL
        self._stopping.wait(wait_s)
