"""Progress of files: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from streamanon.errors import one_line
from streamanon.media.credentials import masked

if TYPE_CHECKING:
    from streamanon.files.jobs import Job
    from streamanon.files.run import Outcome
    from streamanon.pipeline.report import Report
    from streamanon.pipeline.runner import Progress as Position

_LINE_EVERY_S = 5.0


def summary(report: Report) -> str:
    """Return the totals of a run in one line."""
    tracks = report.ledger.tracks.values()
    replaced, covered = (sum(getattr(t, k) for t in tracks) for k in ("replaced", "covered"))
    parts = [
        counted(report.ledger.frames, "frame"),
        f"{report.frames_per_s:.1f} fps",
        f"{counted(len(tracks), 'face')} followed, hidden {replaced + covered} times",
    ]
    if covered:
        parts.append(f"{covered} of them by the emergency cover")
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


def counted(number: int, noun: str) -> str:
    """Return a number of things in words."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def frame_bar(console: Console, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on a terminal; yields a function of frames done and the total, if known."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.fields[frames]} frames"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(name, total=None, frames="?")

        def advance(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total, frames=total or "?")

        yield advance


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
        self._start_s = self._said_s = 0.0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.fields[frames]} frames"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[people]}"),
            console=console,
            transient=True,
            auto_refresh=False,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()

    def begin(self, job: Job) -> None:
        """A job starts."""
        self._begun += 1
        self._start_s = self._said_s = time.monotonic()
        number = f"[{self._begun}/{self._jobs}] " if self._jobs > 1 else ""
        self._name = one_line(f"{number}{job.input.name}")
        self._task = self._bar.add_task(self._name, total=None, frames="?", speed="", people="")

    def opened(self, changes: Sequence[str]) -> None:
        """The files of the present job are open."""
        for change in changes:
            self._say(f"{self._name}: {change}")

    def advance(self, position: Position) -> None:
        """The present job got further."""
        now = time.monotonic()
        fps = position.done / max(now - self._start_s, 1e-3)
        speed, people = f"{fps:.1f} fps", counted(position.people, "face")
        if self._task is not None:
            self._bar.update(
                self._task,
                completed=position.done,
                total=position.total,
                frames=position.total or "?",
                speed=speed,
                people=people,
                refresh=True,
            )
        if not self._console.is_terminal and now - self._said_s >= _LINE_EVERY_S:
            self._said_s = now
            left = ""
            if position.total and fps:
                left = f", {max(0, position.total - position.done) / fps:.0f} s left"
            frames = f"{position.done}/{position.total or '?'} frames"
            self._say(f"{self._name}: {frames}, {speed}{left}, {people}")

    def end(self, outcome: Outcome) -> None:
        """The present job is over."""
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if outcome.report is not None:
            target = outcome.job.name or outcome.job.output
            self._say(f"{self._name} -> {target}: {summary(outcome.report)}")
        elif self._jobs > 1:
            self._say(f"streamanon: error: {self._name}: {outcome.error}")

    def _say(self, line: str) -> None:
        line = one_line(masked(line))
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
