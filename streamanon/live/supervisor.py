"""The line of one live stream: built, run, and built again whenever it fails.

Source and sink stay open meanwhile, and the placeholder is shown. People keep their identities, and
the quality stays at the level of the line that failed.
"""

import time
from dataclasses import replace
from logging import Logger
from threading import Event, Lock
from typing import Protocol

from streamanon.anonymisers.stepped import SteppedAnonymiser
from streamanon.errors import StallError, StreamanonError, error_line
from streamanon.factory import Factory
from streamanon.live.persistent import PersistentSink, PersistentSource
from streamanon.live.status import State
from streamanon.media.backoff import Backoff
from streamanon.pipeline.live_controls import LiveControls
from streamanon.pipeline.meter import Meter, Reading
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import run
from streamanon.protocols import Seal, Sink, Source
from streamanon.sinks.live.keep_alive import KeepAlive
from streamanon.tracking.identity_assigner import IdentityAssigner
from streamanon.tracking.observer import Observer

STALL_S = 5.0
"""Longest time for which a stage of a live line may work on one frame."""

_STABLE_S = 10.0
"""A line that ran this long failed for a new reason: it is built again without delay."""

_STALL_BACKOFF = 10
"""Factor on the wait after a stall: if stalls go on, the threads left behind add up."""

_REPORTS = 5


class LineSeal(Seal, Protocol):
    """Seals what the lines of one stream replace."""

    def begin_line(self) -> None:
        """Note that tracks are numbered from the start again."""
        ...


class LineSupervisor:
    """Runs the lines of one live stream, one after the other.

    Attributes:
        meter: figures of all lines.
        method: method of hiding faces.
        identity: name of the one identity given to all people, or None for one per person.
        error: why the newest line failed, in one line; "" once the next one has written a frame.
        restarts: times the line was built again.
        reports: reports of the newest lines, failed ones included.
        uncovered: number of faces and frames that lines could not hide, and did not show.
    """

    def __init__(self, factory: Factory, log: Logger, stopping: Event) -> None:
        """Prepare to run lines; nothing is loaded yet. This alone uses the factory, and closes it.

        ``stopping`` ends the wait for the next line when set; the source ends the line itself.
        """
        self.meter = Meter()
        self.method, self.identity = factory.config.method, factory.config.identity
        self.error = ""
        self.restarts = self.uncovered = 0
        self.reports: list[Report] = []
        self._factory, self._log, self._stopping = factory, log, stopping
        self._controls = LiveControls(self.meter, log=log, prefer=factory.config.prefer)
        self._lock = Lock()
        self._seal: LineSeal | None = None
        self._assigner: IdentityAssigner | None = None
        self._ladder: SteppedAnonymiser | None = None
        self._phase: tuple[State, float] = ("starting", time.monotonic())
        self._logged = ""
        self._keep: KeepAlive | None = None

    @property
    def state(self) -> tuple[State, float]:
        """State and the seconds since it began; a lost input does not change it."""
        state, since = self._phase
        return state, time.monotonic() - since

    def reading(self) -> Reading:
        """Return the figures of all lines; no faces while the placeholder is shown."""
        reading = self.meter.read()
        return replace(reading, faces=0) if self._keep and self._keep.silent else reading

    def set_method(self, method: str) -> None:
        """Hide faces by another method from the next frames on; it is loaded before the switch."""
        replace(self._factory.config, method=method)  # refuses unknown methods
        with self._lock:
            if self._ladder:
                self._ladder.set_method(method)
            self.method = method

    def set_identity(self, identity: str | None) -> None:
        """Give all people one identity from the next frames on; None for one per person."""
        with self._lock:
            self._assigner = self._assigner or self._factory.identity_assigner()
            self._assigner.give_everyone(identity)
            self.identity = identity

    def prepare(self) -> None:
        """Load everything a line needs, so that wrong settings show before anything is opened.

        Raises:
            StreamanonError: no line can be built with these settings.
        """
        self._build()

    def run(self, source: Source, sink: Sink, seal: LineSeal | None = None) -> None:
        """Run lines until the source ends or the supervisor is to stop; closes the sink."""
        self._seal = seal
        backoff, persistent = Backoff(), PersistentSource(source)
        keep = self._keep = KeepAlive(sink, source.info)
        try:
            while not self._stopping.is_set() and not persistent.over:
                began = time.monotonic()
                try:
                    self._run_line(persistent, PersistentSink(keep, self._note_frame))
                except Exception as error:  # noqa: BLE001  the placeholder is shown, whatever it is
                    if time.monotonic() - began > _STABLE_S:
                        backoff.reset()
                        self._logged = ""
                    self._recover(error, backoff.next_s())
        finally:
            keep.close(complete=True)

    def close(self) -> None:
        """Release the networks; no line is run afterwards."""
        self._enter("stopped")
        self._factory.close()

    def _build(self) -> tuple[Observer, SteppedAnonymiser]:
        with self._lock:
            self._assigner = self._assigner or self._factory.identity_assigner()
            self._assigner.forget_tracks()
            self._ladder = self._factory.ladder(self.method, self._log)
        return self._factory.observer(
            self._ladder, live=True, assigner=self._assigner
        ), self._ladder

    def _run_line(self, source: PersistentSource, sink: PersistentSink) -> None:
        observer, anonymiser = self._build()
        self._controls.use(anonymiser)
        stall_s = min(self._factory.config.stall_s, STALL_S)
        seal, controls = self._seal, self._controls
        if seal:
            seal.begin_line()
        try:
            run(source, observer, anonymiser, sink, stall_s=stall_s, live=controls, seal=seal)
        finally:
            if self._controls.report:
                self.reports = [*self.reports, self._controls.report][-_REPORTS:]
                self.uncovered += self._controls.report.uncovered

    def _note_frame(self) -> None:
        """End the state of failure: a line has written a frame."""
        self.error = ""
        self._enter("live")

    def _enter(self, state: State) -> None:
        if self._phase[0] != state:
            self._phase = (state, time.monotonic())

    def _recover(self, error: Exception, wait_s: float) -> None:
        """Log a failure, once while it stays the same, and wait until the next line is built."""
        if self._stopping.is_set():
            return
        # messages of libraries may quote data: only the class of their errors is shown
        ours = isinstance(error, StreamanonError)
        self.error = error_line(error) if ours else f"anonymising failed ({type(error).__name__})"
        self._enter("restarting")
        self.restarts += 1
        if self.error != self._logged:
            self._logged = self.error
            self._log.warning(
                "the line failed and is built again, a placeholder is shown meanwhile: "
                f"{self.error}"
            )
        if isinstance(error, StallError):
            # its thread may still use the networks, and would block lines that share them
            self._factory = type(self._factory)(self._factory.config)
            wait_s *= _STALL_BACKOFF
        self._stopping.wait(wait_s)
