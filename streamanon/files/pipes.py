"""Standard input and output, and named pipes, in the place of files.

A video in a pipe is anonymised while it comes, and goes into a pipe at once, frame by frame, where
the containers allow it. What needs the whole input (pictures, an index at the end, several inputs)
is read to its end first; an mp4 or mov is sent when it is complete.
"""

import logging
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from streamanon.errors import MediaError, UsageError
from streamanon.media.file_types import HEAD_BYTES, VIDEO_OUTPUTS, box_header, picture_format
from streamanon.sinks.part_file import OutputPipe
from streamanon.sources.picture_file import is_animation, is_picture
from streamanon.sources.pipe import InputPipe

LOG = logging.getLogger("streamanon")

_STANDARD = "-"
_IN, _OUT = "/dev/stdin", "/dev/stdout"
_OPEN_FILES = Path("/proc/self/fd")
_PIECE_BYTES = 1 << 20

_AT_ONCE = (".mkv", ".webm", ".nut")
"""Outputs that are complete up to where they were written."""

_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"pnot")
"""How files of the mp4 family begin."""

_MXF = b"\x06\x0e\x2b\x34"
"""How MXF begins (SMPTE ST 377-1), whose times are wrong without its index."""

_IN_A_ROW = ("JPEG", "PNG")
_ANIMATED, _HEADERS_BYTES = b"acTL", 4096
"""Pictures that cameras and programs send one after the other as a film, and what tells that PNG is
an animation of its own."""

_SEARCHED_BYTES = 1 << 20
"""How far the index of a file is searched for, before it counts as being at the end."""


@dataclass(frozen=True, slots=True)
class Places:
    """Files for inputs and an output of which some may be pipes.

    Attributes:
        inputs: files and folders.
        output: file or folder.
        pipe: where the bytes of the only input come from, if it is read while it is written.
        sent: where the output goes at once; its name only says the format then.
        name: name of the pipe that the output goes to, if not to a file.
    """

    inputs: list[Path]
    output: Path
    pipe: InputPipe | None = None
    sent: OutputPipe | None = None
    name: str | None = None


@contextmanager
def as_files(
    inputs: Sequence[str],
    output: str,
    *,
    container: str | None = None,
    stall_s: float = 60.0,
) -> Iterator[Places]:
    """Yield files for inputs and an output of which some may be pipes.

    An output that cannot go out at once is sent into its pipe if the block ends without an error.
    Why an input is read to its end first is logged.

    Args:
        inputs: files, folders, named pipes, or "-" for the standard input.
        output: file, folder, named pipe, or "-" for the standard output.
        container: suffix of a video that goes into a pipe; by the pipe's name if left out.
        stall_s: longest time to wait for a pipe.

    Raises:
        UsageError: an input is named twice, or the standard output is a terminal.
        MediaError: a pipe cannot be read or written.
    """
    with ExitStack() as stack:
        if sum(text in (_STANDARD, _IN) for text in inputs) > 1:
            raise UsageError("the standard input is named twice: it can be read once")
        if not is_pipe(output) and container:
            raise UsageError(f"--format is for pipes: the suffix of {output} says what it becomes")
        if output in (_STANDARD, _OUT) and sys.stdout and sys.stdout.isatty():
            raise UsageError("the output is a terminal: name a file, or redirect it")
        film = bool(container) or Path(output).suffix.lower() in VIDEO_OUTPUTS
        paths, pipe = _readable(inputs, stall_s, stack, film=film)
        if not is_pipe(output):
            yield Places(paths, Path(output), pipe)
            return
        if len(paths) > 1 or paths[0].is_dir():
            raise UsageError(f"output {output} is a pipe: several inputs need a folder")
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="streamanon-")))
        picture = not pipe and is_picture(paths[0])
        if picture and container and not is_animation(paths[0]):
            raise UsageError(f"--format is for videos: {inputs[0]} is a picture")
        usual = ".png" if picture else f".{container or 'mkv'}"
        suffix = usual if container else Path(output).suffix or usual
        target = folder / f"{'stdout' if output in (_STANDARD, _OUT) else 'pipe'}{suffix}"
        if suffix in _AT_ONCE:
            yield Places(paths, target, pipe, OutputPipe(output), output)
            return
        yield Places(paths, target, pipe, name=output)
        if target.exists():
            _send(target, output)


def is_pipe(text: str) -> bool:
    """Return whether a name stands for a pipe or a device, which cannot be read or written twice.

    A file that the standard input or output was redirected to is one, too: its place is not at its
    beginning.
    """
    if text in (_STANDARD, _IN, _OUT):
        return True
    try:
        mode = Path(text).stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _readable(
    inputs: Sequence[str], stall_s: float, stack: ExitStack, *, film: bool
) -> tuple[list[Path], InputPipe | None]:
    """Return files for inputs, and the pipe that is read while it is written, if there is one.

    With ``film``, pictures in a row become a video.
    """
    paths: list[Path] = []
    for text in inputs:
        if not is_pipe(text):
            paths.append(Path(text))
            continue
        pipe = _opened(text, stall_s, stack)
        hindrance = (
            "it is one of several inputs" if len(inputs) > 1 else _hindrance(pipe, film=film)
        )
        if hindrance is None:
            return [Path(_IN if text == _STANDARD else text)], pipe
        if hindrance:
            LOG.info(f"input {text} is read to its end first: {hindrance}")
        paths.append(_copied(text, pipe, stack))
    return paths, None


def _opened(text: str, stall_s: float, stack: ExitStack) -> InputPipe:
    """Open a pipe; waits for the writer of a named one."""
    standard = text in (_STANDARD, _IN)
    try:
        file = os.dup(0) if standard else os.open(text, os.O_RDONLY)
    except OSError as error:
        raise MediaError(f"input {text} cannot be read ({error.strerror})") from error
    stack.callback(os.close, file)
    pipe = InputPipe(file, text, stall_s)
    stack.callback(pipe.close)
    return pipe


def _hindrance(pipe: InputPipe, *, film: bool) -> str | None:
    """Return why an input must be read to its end first; "" for what a user expects, else None."""
    head = pipe.peek(HEAD_BYTES)
    if not head:
        raise MediaError(f"input {pipe.name} is empty: wanted a video or a picture")
    picture = picture_format(head, "")
    if film and picture in _IN_A_ROW and _ANIMATED not in pipe.peek(_HEADERS_BYTES):
        picture = None
    if pipe.is_file or picture:
        return ""
    boxes = head[4:8] in _BOXES
    if head.startswith(_MXF) or (boxes and not _begins_with_index(pipe)):
        return "its index is at its end"
    return None


def _begins_with_index(pipe: InputPipe) -> bool:
    """Return whether the index of an mp4 comes before its pictures."""
    at = 0
    while at < _SEARCHED_BYTES:
        box = pipe.peek(at + 16)[at:]
        kind, size = box_header(box)
        if kind in (b"moov", b"moof") or len(box) < 8:
            return kind in (b"moov", b"moof")
        if kind == b"mdat" or size < 8:
            return False
        at += size
    return False


def _copied(text: str, pipe: InputPipe, stack: ExitStack) -> Path:
    """Return a file with the content of a pipe, which no other process sees."""
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="streamanon-")))
    path = folder / ("stdin" if text in (_STANDARD, _IN) else Path(text).name)
    copy = stack.enter_context(path.open("xb"))
    if _OPEN_FILES.is_dir():  # nothing of what is read is left, even if this process is killed
        path.unlink()
        path.symlink_to(_OPEN_FILES.resolve() / str(copy.fileno()))
    try:
        for piece in iter(partial(pipe.read, _PIECE_BYTES), b""):
            copy.write(piece)
        copy.flush()
    except OSError as error:
        raise MediaError(f"input {text} cannot be kept ({error.strerror})") from error
    pipe.check()
    return path


def _send(file: Path, output: str) -> None:
    """Copy a complete file into a pipe."""
    try:
        standard = output in (_STANDARD, _OUT)
        with (
            file.open("rb") as complete,
            os.fdopen(os.dup(1), "wb") if standard else Path(output).open("wb") as pipe,
        ):
            shutil.copyfileobj(complete, pipe, _PIECE_BYTES)
    except OSError as error:
        raise MediaError(f"output {output} could not be written ({error.strerror})") from error
