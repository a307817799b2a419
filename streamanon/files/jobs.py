"""Pairs input files with output files, and checks them before anything is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamanon.errors import UsageError
from streamanon.media.file_types import IMAGE_SUFFIXES, VIDEO_OUTPUTS, VIDEO_SUFFIXES


@dataclass(frozen=True, slots=True)
class Job:
    """One file to anonymise.

    Attributes:
        input: existing file.
        output: file that is not an input of any job.
    """

    input: Path
    output: Path

    @property
    def is_image(self) -> bool:
        """True for a still picture, False for a video."""
        return self.input.suffix.lower() in IMAGE_SUFFIXES


def plan(inputs: Sequence[Path], output: Path, *, overwrite: bool = False) -> list[Job]:
    """Pair every input file with its output.

    One file goes to one file, or into a folder that exists. Several inputs, or a folder, go into
    a folder; the tree below an input folder is mirrored there.

    Raises:
        UsageError: an input is missing, an output exists, or inputs and output do not fit.
    """
    for path in inputs:
        if not path.exists():
            raise UsageError(f"input {path} does not exist: check the name")
    into_folder = len(inputs) > 1 or inputs[0].is_dir() or output.is_dir()
    if into_folder:
        jobs = _into_folder(inputs, output)
    else:
        jobs = [Job(inputs[0], output)]
        if not output.absolute().parent.is_dir():
            raise UsageError(f"folder {output.parent} of the output does not exist: create it")
    _check(jobs, overwrite=overwrite)
    return jobs


def _into_folder(inputs: Sequence[Path], output: Path) -> list[Job]:
    if output.is_file() or output.suffix.lower() in (*VIDEO_OUTPUTS, *IMAGE_SUFFIXES):
        raise UsageError(f"output {output} is a file: several inputs need a folder")
    jobs = []
    for path in inputs:
        if path.is_dir():
            if output.exists() and path.samefile(output):
                raise UsageError(f"output {output} is the input folder: choose another folder")
            found = _media_below(path, output)
            if not found:
                raise UsageError(f"folder {path} holds no video and no picture: nothing to do")
            jobs += [Job(one, _named(output / one.relative_to(path))) for one in found]
        else:
            jobs.append(Job(path, _named(output / path.name)))
    return jobs


def _media_below(folder: Path, output: Path) -> list[Path]:
    """Return the visible media files below a folder, sorted, except those below the output."""
    done = output.resolve()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (*VIDEO_SUFFIXES, *IMAGE_SUFFIXES)
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and done not in path.resolve().parents
    ]


def _named(output: Path) -> Path:
    """Return an output name with a suffix that can be written; other videos become mp4."""
    kept = output.suffix.lower() in (*VIDEO_OUTPUTS, *IMAGE_SUFFIXES)
    return output if kept else output.with_suffix(".mp4")


def _check(jobs: Iterable[Job], *, overwrite: bool) -> None:
    jobs = list(jobs)
    inputs = {job.input.resolve() for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        allowed = IMAGE_SUFFIXES if job.is_image else VIDEO_OUTPUTS
        if job.output.suffix.lower() not in allowed:
            raise UsageError(
                f"output {job.output} has the suffix {job.output.suffix!r}: "
                f"use one of {' '.join(allowed)} for {job.input.name}"
            )
        target = job.output.resolve()
        if target in inputs or (target.exists() and target.samefile(job.input)):
            raise UsageError(f"output {job.output} is an input: choose another name")
        if target in taken:
            raise UsageError(
                f"{taken[target]} and {job.input} would both become {job.output}: "
                "rename one, or run them apart"
            )
        if job.output.is_dir():
            raise UsageError(f"output {job.output} is a folder: name a file")
        if job.output.exists() and not overwrite:
            raise UsageError(f"output {job.output} exists: choose another name or --overwrite")
        taken[target] = job.input
