"""Progress of files: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from streamanon.errors import counted, one_line
from streamanon.media.credentials import masked

if TYPE_CHECKING:
    from streamanon.files.jobs import Job
    from streamanon.files.run import Outcome
    from streamanon.pipeline.report import Report
    from streamanon.pipeline.runner import Progress as Position

LOG = logging.getLogger("streamanon")

_DRAWN_EVERY_S, _LINE_EVERY_S = 0.1, 5.0


def summary(report: Report) -> str:
    """Return the totals of a run in one line."""
    tracks = report.ledger.tracks.values()
    replaced, covered = (sum(getattr(t, k) for t in tracks) for k in ("replaced", "covered"))
    hidden = counted(replaced + covered, "time")
    parts = [
        counted(report.ledger.frames, "frame"),
        f"{report.frames_per_s:.1f} fps",
        f"{counted(len(tracks), 'face')} followed, hidden {hidden} in all frames together",
    ]
    if covered:
        parts.append(f"{covered} of them by a plain cover, as no replacement could be trusted")
    if report.ledger.whole_frames:
        parts.append(f"{counted(report.ledger.whole_frames, 'frame')} covered whole")
    if report.ledger.shown:
        parts.append(f"{counted(report.ledger.shown, 'face')} shown, as permitted")
    if report.ledger.shown_frames:
        parts.append(f"{counted(report.ledger.shown_frames, 'frame')} left as they are")
    if report.frames_dropped:
        parts.append(f"{counted(report.frames_dropped, 'frame')} dropped")
    parts += report.changes
    return ", ".join(parts)


class FrameProgress:
    """Shows how many frames are done: a bar on a terminal, a line now and then elsewhere.

    Used as a context manager.
    """

    def __init__(self, console: Console, name: str) -> None:
        self._console, self._name = console, name
        self._start_s = self._said_s = time.monotonic()
        self._shown_s = -math.inf
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(name, total=None, state="")

    def __enter__(self) -> FrameProgress:
        self._bar.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()

    def advance(self, done: int, total: int | None, *others: str) -> None:
        """Show frames done, the total if it is known, and other facts."""
        now = time.monotonic()
        fps = done / max(now - self._start_s, 1e-3)
        state = ", ".join((f"{done}/{total or '?'} frames", f"{fps:.1f} fps", *others))
        if total and done and not self._console.is_terminal:
            state += f", {max(0, total - done) / fps:.0f} s left"
        self.show(state, done, total)

    def show(self, state: str, done: int = 0, total: int | None = None) -> None:
        """Show in words how far it is, unless something was shown just now."""
        now = time.monotonic()
        if self._console.is_terminal:
            if now - self._shown_s >= _DRAWN_EVERY_S:
                self._shown_s = now
                self._bar.update(self._task, completed=done, total=total, state=state, refresh=True)
        elif now - self._said_s >= _LINE_EVERY_S:
            self._said_s = now
            say(self._console, f"{self._name}: {state}")


def say(console: Console, line: str) -> None:
    """Print one line, without credentials and whatever could control the terminal."""
    console.print(one_line(masked(line)), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def log_lines(console: Console) -> Iterator[None]:
    """Print what is logged meanwhile, a line for each record."""
    handler, level = _ConsoleHandler(console), LOG.level
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(level)


class _ConsoleHandler(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        say(self._console, record.getMessage())


@contextmanager
def step_bar(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on a terminal; yields a function of phase, steps done and total steps."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None)

        def advance(name: str, done: int, whole: int) -> None:
            bar.update(task, description=name, completed=done, total=whole)

        yield advance


class Display:
    """Shows the progress of several jobs on a console; used as a context manager."""

    def __init__(self, console: Console, jobs: int) -> None:
        self._console = console
        self._jobs = jobs
        self._begun = 0
        self._name = ""
        self._shown = ExitStack()

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *failure: object) -> None:
        self._shown.close()

    def begin(self, job: Job) -> None:
        """A job starts."""
        self._begun += 1
        number = f"[{self._begun}/{self._jobs}] " if self._jobs > 1 else ""
        self._name = one_line(f"{number}{job.input.name}")
        self._progress = self._shown.enter_context(FrameProgress(self._console, self._name))

    def opened(self, changes: Sequence[str]) -> None:
        """The files of the present job are open."""
        for change in changes:
            say(self._console, f"{self._name}: {change}")

    def advance(self, position: Position) -> None:
        """The present job got further."""
        if position.done:
            people = counted(position.people, "face")
            self._progress.advance(position.done, position.total, people)
        else:
            read = f"{position.read}/{position.total or '?'} frames read"
            self._progress.show(f"looking at the people in it first, {read}")

    def end(self, outcome: Outcome) -> None:
        """The present job is over."""
        self._shown.close()
        if outcome.report is not None:
            target = outcome.job.name or outcome.job.output
            say(self._console, f"{self._name} -> {target}: {summary(outcome.report)}")
        elif self._jobs > 1:
            say(self._console, f"streamanon: error: {self._name}: {outcome.error}")
