"""Runs one line: the stages read, see, replace and write, in order, each in its own thread.

Frames of a file are queued and none is lost. The first failure of a stage stops the whole line and
is raised where the run was started; a stage that hangs is detected by its clock. The sink publishes
its output only after all frames went through and every subject was hidden.

Frames of a live source are not queued: a newer one replaces the one waiting, and a frame is taken
only when at most one is between see and the sink, so that overload costs frames, not delay.

What a live sink or a pipe gets is public at once: a frame that is not hidden completely ends the
line before that.

Measured, 720p on 2 cores: four overlapping stages reach about 1.5 times the frames per second of
one loop (cv2, PyAV and onnxruntime release the global interpreter lock).
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

from streamanon.errors import LeakError, StageError, StallError
from streamanon.pipeline.channel import Channel, InFlightLimit, StoppedError
from streamanon.pipeline.hiding import hide
from streamanon.pipeline.ledger import Ledger
from streamanon.pipeline.live_controls import LiveControls, Stoppable
from streamanon.pipeline.report import Report, Times
from streamanon.pipeline.stage_clock import StageClock, with_stage_name
from streamanon.pipeline.threads import opencv_single_threaded
from streamanon.protocols import Anonymiser, Seal, Sink, Source
from streamanon.tracking.observer import Observer
from streamanon.types import Frame, SafeFrame, Scene

_QUEUED_FRAMES = 4
_POLL_S = 0.1
_GRACE_S = 5.0

_LIVE_IN_FLIGHT = 2
"""Live frames between see and the sink from which on no further one is taken."""

_LIVE_IDLE_S, _LIVE_IDLE_FRAMES = 0.3, 3
"""Frames held back by the look-ahead are released when no live frame arrives for so many seconds
and so many frame intervals."""

_LIVE_KEEP, _LIVE_KEEP_TIMES = 1_000, 10_000
"""Tracks and steps down kept of a live stream or a pipe, and times (some minutes)."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run.

    Attributes:
        done: frames written.
        total: frames expected, or None when unknown.
        people: tracks so far.
        read: frames read; the first ones wait until the people in them have identities.
    """

    done: int
    total: int | None
    people: int
    read: int


class _Line:
    """One run: its stages, the channels between them, its ledger and its first failure."""

    def __init__(
        self,
        source: Source,
        observer: Observer,
        anonymiser: Anonymiser,
        sink: Sink,
        live: LiveControls | None,
        seal: Seal | None,
    ) -> None:
        self.record: Callable[[Scene, SafeFrame], None] | None = None
        self._live = (live or LiveControls()) if source.info.live else None
        self._endless = source.info.live or source.info.piped
        room = 1 if self._live else _QUEUED_FRAMES
        keep, keep_times = (_LIVE_KEEP, _LIVE_KEEP_TIMES) if self._endless else (None, None)
        self._source, self._observer = source, observer
        self._anonymiser, self._sink, self._seal = anonymiser, sink, seal
        self._frames: Channel[Frame] = Channel(room, newest=self._live is not None)
        self._scenes: Channel[Scene] = Channel(room)
        self._safe_frames: Channel[SafeFrame] = Channel(room)
        self._in_flight = InFlightLimit(_LIVE_IN_FLIGHT)
        self.stages = [
            StageClock(name, keep=keep_times) for name in ("read", "see", "replace", "write")
        ]
        self._done = Event()
        self._lock = Lock()
        self._failed: tuple[StageClock, BaseException] | None = None
        self._stalled: StageClock | None = None
        self.ledger = Ledger(keep)
        self.frames_read = self.frames_left_out = 0
        self.frames_written = 0
        self.latency_s = Times(keep_times)
        self._captured: deque[tuple[int, float]] = deque()
        bodies = (self._read, self._see, self._replace, self._write)
        self._threads = [
            Thread(target=self._work, args=pair, name=f"streamanon-{pair[0].name}", daemon=True)
            for pair in zip(self.stages, bodies, strict=True)
        ]

    def run(self, progress: Callable[[Progress], None] | None, stall_s: float) -> None:
        """Start the threads and wait until the line ends or fails."""
        try:
            if self._live:
                self._live.start()
            for thread in self._threads:
                thread.start()
            while not self._done.wait(_POLL_S):
                self._find_stall(stall_s)
                if progress:
                    progress(self._progress())
        finally:
            self._stop()
        if self._failed:
            raise with_stage_name(*self._failed)
        if progress:
            progress(self._progress())

    def report(self, elapsed_s: float) -> Report:
        """Return the report of a run that took so long."""
        return Report(
            ledger=self.ledger,
            observer=self._observer.stats,
            frames_read=self.frames_read,
            frames_dropped=self._frames.dropped + self.frames_left_out,
            elapsed_s=elapsed_s,
            stages={stage.name: stage.times for stage in self.stages},
            latency_s=self.latency_s,
        )

    def _progress(self) -> Progress:
        total, people = self._source.info.frame_count, self.ledger.people
        return Progress(self.frames_written, total, people, self.frames_read)

    def _find_stall(self, stall_s: float) -> None:
        # Live sources and pipes have their own timeout.
        for stage in self.stages[1:] if self._endless else self.stages:
            if stage.stuck_s() > stall_s:
                self._stalled = stage
                outcome = "" if self._endless else ", nothing was published"
                raise StallError(stage.name, f"no progress for {stall_s:g} s: stopped{outcome}")

    def _stop(self) -> None:
        """Wake the threads that wait, and give those at work some time to clean up."""
        if self._failed or not self._done.is_set():
            for channel in (self._frames, self._scenes, self._safe_frames, self._in_flight):
                channel.stop()
            if isinstance(self._source, Stoppable):
                self._source.stop()
        deadline = time.monotonic() + _GRACE_S
        for stage, thread in zip(self.stages, self._threads, strict=True):
            if thread.ident is not None and stage is not self._stalled:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._threads[0].ident is None:
            self._source.close()
        if self._threads[-1].ident is None:
            self._sink.close(complete=False)

    def _work(self, stage: StageClock, body: Callable[[StageClock], None]) -> None:
        try:
            body(stage)
        except StoppedError:
            return
        except BaseException as error:  # noqa: BLE001  raised again by run() in the caller's thread
            with self._lock:
                self._failed = self._failed or (stage, error)
            self._done.set()
        if stage is self.stages[-1]:
            self._done.set()

    def _read(self, stage: StageClock) -> None:
        try:
            frames = iter(self._source)
            while True:
                with stage.busy():
                    frame = next(frames, None)
                if frame is None:
                    break
                self.frames_read += 1
                if self._live:
                    self._live.meter.count_received()
                    if not self._live.takes(frame):
                        self.frames_left_out += 1
                        self._live.meter.count_dropped("rate")
                        continue
                self._captured.append((frame.index, time.monotonic()))
                if self._frames.put(frame) and self._live:
                    # by the stage that the others wait for
                    slowest = max(self.stages[1:], key=lambda one: (one.stuck_s(), one.recent_s))
                    self._live.meter.count_dropped(slowest.name)
        finally:
            with stage.busy():
                self._source.close()
        self._frames.finish()

    def _see(self, stage: StageClock) -> None:
        taken = released = 0
        usual_s = float(_LIVE_IDLE_FRAMES / self._source.info.rate)
        for frame in self._frames.or_idle(max(_LIVE_IDLE_S, usual_s) if self._live else None):
            if frame is not None and self._live:
                self._live.prepare(self._observer, self._anonymiser)
            with stage.busy():
                scenes = self._observer.flush() if frame is None else self._observer.push(frame)
            taken += frame is not None
            released += self._forward(scenes)
            if self._live:
                self._in_flight.wait()
                if frame is not None:
                    self._live.update(self.stages[1:], self._frames.dropped)
        with stage.busy():
            scenes = self._observer.flush()
        released += self._forward(scenes)
        if taken != released:
            raise StageError(stage.name, f"{released} frames came out of {taken}: file a bug")
        self._scenes.finish()

    def _forward(self, scenes: list[Scene]) -> int:
        for scene in scenes:
            self._in_flight.enter()
            self._scenes.put(scene)
        return len(scenes)

    def _replace(self, stage: StageClock) -> None:
        for scene in self._scenes:
            with stage.busy():
                safe = hide(scene, self._anonymiser, self._observer.stats, self.ledger, self._seal)
            if self._endless and self.ledger.uncovered:
                raise LeakError(f"frame {safe.index} was not hidden completely: it is not shown")
            if self.record:
                self.record(scene, safe)
            self._safe_frames.put(safe)
        self._safe_frames.finish()

    def _write(self, stage: StageClock) -> None:
        try:
            for safe in self._safe_frames:
                with stage.busy():
                    self._sink.write(safe)
                latency_s = self._age_s(safe.index)
                self.latency_s.append(latency_s)
                self.frames_written += 1
                self._in_flight.leave()
                if self._live:
                    self._live.meter.count_written(safe, latency_s)
        except BaseException:
            with suppress(Exception), stage.busy():
                self._sink.close(complete=False)
            raise
        with stage.busy():
            self._sink.close(complete=not self.ledger.uncovered)

    def _age_s(self, index: int) -> float:
        """Return the time since a frame was captured; those before it were dropped."""
        captured, at = self._captured.popleft()
        while captured < index:
            captured, at = self._captured.popleft()
        return time.monotonic() - at


def run(  # noqa: PLR0913  the four parts of a line, and its options
    source: Source,
    observer: Observer,
    anonymiser: Anonymiser,
    sink: Sink,
    *,
    progress: Callable[[Progress], None] | None = None,
    stall_s: float = 60.0,
    live: LiveControls | None = None,
    seal: Seal | None = None,
    record: Callable[[Scene, SafeFrame], None] | None = None,
) -> Report:
    """Process all frames of a source and write them to a sink; closes both.

    Args:
        source: yields raw frames.
        observer: turns frames into scenes.
        anonymiser: generates the new pixels.
        sink: takes safe frames; publishes only when nothing was left uncovered.
        progress: called about ten times a second, in the calling thread.
        stall_s: longest time a stage may work on one item; reading from a live source or a pipe is
            exempt.
        live: figures and quality of a live source's line; gets its report, also when it fails.
        seal: keeps what is replaced, encrypted.
        record: called with every scene and what became of it, in the thread of a stage.

    Raises:
        StageError: a stage raised an error; StreamanonErrors are passed on unchanged.
        StallError: a stage hangs; its thread is left behind as a daemon.
    """
    line = _Line(source, observer, anonymiser, sink, live, seal)
    line.record = record
    start = time.monotonic()
    try:
        with opencv_single_threaded():
            line.run(progress, stall_s)
    finally:
        report = line.report(time.monotonic() - start)
        if live:
            live.report = report
    return report
