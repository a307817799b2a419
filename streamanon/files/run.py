"""Carries out jobs, from their settings to their reports."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from streamanon.config import Config
from streamanon.errors import LeakError, StreamanonError, UsageError, named_error_line
from streamanon.factory import Factory
from streamanon.files.jobs import Job, plan
from streamanon.files.pipes import is_pipe
from streamanon.pipeline.boxes import BoxFile
from streamanon.pipeline.document import sha256, write_document
from streamanon.pipeline.report import Report
from streamanon.pipeline.runner import Progress, run


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a job: a report, an error, or both."""

    job: Job
    report: Report | None = None
    error: StreamanonError | None = None


class Watcher(Protocol):
    """Observes the progress of jobs, in the thread that called :func:`anonymise_all`."""

    def begin(self, job: Job) -> None:
        """Called when a job starts."""
        ...

    def opened(self, changes: Sequence[str]) -> None:
        """Called before the first frame with what is converted and what stays behind."""
        ...

    def advance(self, position: Progress) -> None:
        """Called when the present job has advanced."""
        ...

    def end(self, outcome: Outcome) -> None:
        """Called when the present job has ended."""
        ...


def anonymise(input: str | Path, output: str | Path, config: Config | None = None) -> Report:  # noqa: A002
    """Anonymise one video or picture; the same as ``streamanon run INPUT -o OUTPUT``.

    Args:
        input: video or picture.
        output: file that appears when it is complete and everyone in it is hidden.
        config: settings; the defaults if left out.

    Raises:
        UsageError: the request is not possible.
        StreamanonError: the run failed and wrote no output.
    """
    with closing(Factory(config or Config())) as factory:
        return anonymise_with(factory, input, output)


def anonymise_with(factory: Factory, input: str | Path, output: str | Path) -> Report:  # noqa: A002
    """Anonymise one file with the models of a factory, which stays open; see :func:`anonymise`.

    No other run may use them at the same time.
    """
    if Path(input).is_dir():
        raise UsageError(f"input {input} is a folder: use plan() and anonymise_all()")
    jobs = plan([Path(input)], Path(output), overwrite=factory.config.overwrite)
    (outcome,) = _anonymise_all(factory, jobs)
    if outcome.error or not outcome.report:
        raise outcome.error or StreamanonError(f"{input}: the run ended without a report")
    return outcome.report


def anonymise_all(
    jobs: Sequence[Job],
    config: Config,
    watcher: Watcher | None = None,
    left_out: Mapping[str, int] | None = None,
) -> list[Outcome]:
    """Carry out jobs of :func:`plan` one after the other; one that fails does not stop the rest.

    Args:
        jobs: what to do.
        config: settings.
        watcher: observer of the progress, or None.
        left_out: numbers, for the report, of files that are neither video nor picture, by suffix.

    Raises:
        UsageError: the report would replace something it must not, or a setting is for live
            streams.
    """
    with closing(Factory(config)) as factory:
        return _anonymise_all(factory, jobs, watcher, left_out)


def _anonymise_all(
    factory: Factory,
    jobs: Sequence[Job],
    watcher: Watcher | None = None,
    left_out: Mapping[str, int] | None = None,
) -> list[Outcome]:
    config = factory.config
    taken = [path for job in jobs for path in (job.input, job.output)]
    check_report(config.report, taken, overwrite=config.overwrite)
    check_report(config.boxes, [*taken, config.report], overwrite=config.overwrite)
    config.check("files")
    outcomes = []
    factory.observer(factory.anonymiser())  # wrong settings show before the first job
    factory.check_recipients()
    boxes = BoxFile(config.boxes) if config.boxes else None
    try:
        for job in jobs:
            if watcher:
                watcher.begin(job)
            outcomes.append(_carry_out(job, factory, watcher, boxes))
            if watcher:
                watcher.end(outcomes[-1])
    finally:
        if boxes:
            boxes.close(complete=len(outcomes) == len(jobs))
    if config.report:
        entries = [_entry(outcome) for outcome in outcomes]
        write_document(config.report, config, entries, factory.runtimes, left_out)
    return outcomes


def check_report(
    path: Path | None, taken: Sequence[Path | None] = (), *, overwrite: bool = False
) -> None:
    """Check that a report, or a file of boxes, can be written.

    Raises:
        UsageError: it would replace an input, an output or an existing file, it is none, or its
            folder is missing.
    """
    if path is None:
        return
    if is_pipe(str(path)):
        raise UsageError(f"report {path} is a pipe or a device: name a file")
    if any(path.resolve() == one.resolve() for one in taken if one):
        raise UsageError(f"report {path} is an input or an output: choose another name")
    if path.exists() and (path.is_dir() or not overwrite):
        raise UsageError(f"report {path} exists: choose another name or --overwrite")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"folder {path.parent} of the report does not exist: create it")


def _carry_out(
    job: Job, factory: Factory, watcher: Watcher | None, boxes: BoxFile | None
) -> Outcome:
    """Run one job and keep its failure, so that the next can follow."""
    try:
        report = _run(job, factory, watcher, boxes)
    except StreamanonError as error:
        return Outcome(job, error=error)
    except Exception as error:  # noqa: BLE001  one file must not stop the rest
        failure = StreamanonError(f"{job.input}: {named_error_line(error)}")
        failure.__cause__ = error
        return Outcome(job, error=failure)
    if report.uncovered:
        leak = f"{job.input}: {report.uncovered} faces or frames were not hidden: not published"
        return Outcome(job, report, LeakError(leak))
    return Outcome(job, report)


def _run(job: Job, factory: Factory, watcher: Watcher | None, boxes: BoxFile | None) -> Report:
    """Open the source and the sink of a job and run its frames through the pipeline."""
    job.output.parent.mkdir(parents=True, exist_ok=True)
    anonymiser = factory.anonymiser()
    with ExitStack() as undo:
        source = factory.source(job.input, as_video=not job.is_image, pipe=job.pipe)
        undo.callback(source.close)
        observer = factory.observer(anonymiser, live=source.info.live)
        sink = factory.sink(job.output, job.input, source.info, (job.pipe, job.sent))
        undo.callback(partial(sink.close, complete=False))
        sealing, seal = factory.sealed(sink, job.output, source.info)
        undo.pop_all()
    progress, stall_s = watcher.advance if watcher else None, factory.config.stall_s
    changes = (*sink.changes, *factory.permissions.stated)
    if watcher:
        watcher.opened(changes)
    if boxes:
        boxes.begin(None if job.pipe else sha256(job.input), source.info)
    complete = False
    try:
        report = run(
            source,
            observer,
            anonymiser,
            sealing,
            progress=progress,
            stall_s=stall_s,
            seal=seal,
            record=boxes.add if boxes else None,
        )
        complete = not report.uncovered
    finally:
        if boxes:
            boxes.end(complete=complete)
    return replace(report, changes=changes)


def _entry(outcome: Outcome) -> dict[str, Any]:
    """Return the entry of one job in the report file."""
    job = outcome.job
    entry: dict[str, Any] = {"input_sha256": job.pipe.sha256 if job.pipe else sha256(job.input)}
    if outcome.error:
        entry["error"] = type(outcome.error).__name__
    elif not job.sent:
        entry["output_sha256"] = sha256(outcome.job.output)
    return entry | (outcome.report.to_json() if outcome.report else {})
