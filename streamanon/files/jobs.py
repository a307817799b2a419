"""Pairs input files with output files, and checks them before anything is written."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamanon.errors import UsageError
from streamanon.media.file_types import PICTURE_FORMATS, VIDEO_OUTPUTS, VIDEO_SUFFIXES
from streamanon.sinks.part_file import OutputPipe
from streamanon.sources.picture_file import is_animation, is_picture, kind_of
from streamanon.sources.pipe import InputPipe

_SOUND_SUFFIXES = (".m4a", ".mka", ".oga", ".ogg", ".opus", ".weba", ".wma")
"""Suffixes of sound in containers that can hold video as well."""


@dataclass(frozen=True, slots=True)
class Job:
    """One file to anonymise.

    Attributes:
        input: existing file.
        output: file that is not an input of any job.
        pipe: where the bytes of the input come from, if they can be read only once: a video.
        sent: where the output goes at once, if to no file; its name only says the format then.
        name: name of the pipe that the output goes to, if not to a file.
    """

    input: Path
    output: Path
    pipe: InputPipe | None = None
    sent: OutputPipe | None = None
    name: str | None = None

    @property
    def is_image(self) -> bool:
        """True for still pictures, False for a video; an animation can be read as either."""
        if self.pipe:
            return False
        return is_picture(self.input) and not (
            self.output.suffix.lower() in VIDEO_OUTPUTS and is_animation(self.input)
        )


def plan(inputs: Sequence[Path], output: Path, *, overwrite: bool = False) -> list[Job]:
    """Pair every input file with its output.

    One file goes to one file, or into a folder that exists. Several inputs, or a folder, go into
    a folder; the tree below an input folder is mirrored there.

    Raises:
        UsageError: an input is missing, an output exists, or inputs and output do not fit.
    """
    for path in inputs:
        if not _exists("input", path):
            raise UsageError(f"input {path} does not exist: check the name")
    _exists("output", output)
    into_folder = len(inputs) > 1 or inputs[0].is_dir() or output.is_dir()
    if into_folder:
        jobs = _into_folder(inputs, output)
    else:
        jobs = [Job(inputs[0], output)]
        if not output.absolute().parent.is_dir():
            raise UsageError(f"folder {output.parent} of the output does not exist: create it")
    _check(jobs, overwrite=overwrite)
    return jobs


def _exists(role: str, path: Path) -> bool:
    """Return whether something has a name; refuse one that is too long, or links in a circle."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        name = (
            str(path)
            if len(str(path)) < 100
            else f"{str(path)[:40]}... ({len(str(path))} characters)"
        )
        raise UsageError(
            f"{role} {name} cannot be used ({error.strerror}): choose another name"
        ) from error
    return True


def _into_folder(inputs: Sequence[Path], output: Path) -> list[Job]:
    if output.is_file() or output.suffix.lower() in (*VIDEO_OUTPUTS, *PICTURE_FORMATS):
        raise UsageError(f"output {output} is a file: several inputs need a folder")
    jobs = []
    for path in inputs:
        if path.is_dir():
            if output.exists() and path.samefile(output):
                raise UsageError(f"output {output} is the input folder: choose another folder")
            found = _media_below(path, output)
            if not found:
                raise UsageError(f"folder {path} holds no video and no picture: nothing to do")
            jobs += [Job(one, _named(one, output / one.relative_to(path))) for one in found]
        else:
            jobs.append(Job(path, _named(path, output / path.name)))
    return jobs


def left_out(inputs: Iterable[Path], output: Path) -> dict[str, int]:
    """Count what is visible in the input folders and neither video nor picture nor folder.

    What is below the output is not counted.

    Returns:
        Numbers by suffix, the most frequent first.
    """
    below = [one for path in inputs if path.is_dir() for one in _visible_below(path, output)]
    kinds = Counter(
        (one.suffix.lower() or "without a suffix") + ("" if one.is_file() else " that is no file")
        for one in below
        if not one.is_dir() and not (one.is_file() and _is_media(one))
    )
    return dict(kinds.most_common())


def _media_below(folder: Path, output: Path) -> list[Path]:
    return [path for path in _visible_below(folder, output) if path.is_file() and _is_media(path)]


def _visible_below(folder: Path, output: Path) -> list[Path]:
    """Return what is visible below a folder, sorted, except what is below the output."""
    done = output.resolve()
    return [
        path
        for path in sorted(folder.rglob("*"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and done not in Path(os.path.realpath(path)).parents
    ]


def _is_media(path: Path) -> bool:
    """Tell by its content whether a file is to be anonymised, and by its name otherwise."""
    suffix, kind = path.suffix.lower(), kind_of(path)
    if kind is None or suffix in _SOUND_SUFFIXES:
        return suffix in (*VIDEO_SUFFIXES, *PICTURE_FORMATS)
    return True


def _named(source: Path, output: Path) -> Path:
    """Return an output name with a suffix that can be written: videos become mp4, pictures jpg."""
    picture = is_picture(source)
    if output.suffix.lower() in (PICTURE_FORMATS if picture else VIDEO_OUTPUTS):
        return output
    known = output.suffix.lower() in (*VIDEO_SUFFIXES, *PICTURE_FORMATS)
    ending = ".jpg" if picture else ".mp4"
    return output.with_suffix(ending) if known else output.with_name(output.name + ending)


def _check(jobs: Iterable[Job], *, overwrite: bool) -> None:
    jobs = list(jobs)
    inputs = {job.input.resolve() for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        allowed = tuple(PICTURE_FORMATS) if job.is_image else VIDEO_OUTPUTS
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
