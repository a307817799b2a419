"""Standard input and output, and named pipes, in the place of files.

What comes from a pipe is read to its end first: pictures, sound and time need a file that can be
read twice. What goes into one is sent when it is complete and everyone in it is hidden.
"""

import errno
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from streamanon.errors import MediaError, UsageError
from streamanon.sources.picture_file import is_picture

_STANDARD = "-"
_DEVICES = ("/dev/stdin", "/dev/stdout")
_OPEN_FILES = Path("/proc/self/fd")
_PIECE_BYTES = 1 << 20


@contextmanager
def as_files(inputs: Sequence[str], output: str) -> Iterator[tuple[list[Path], Path]]:
    """Yield files for inputs and an output of which some may be pipes.

    The output is sent into its pipe if the block ends without an error.

    Args:
        inputs: files, folders, named pipes, or "-" for the standard input.
        output: file, folder, named pipe, or "-" for the standard output.

    Raises:
        UsageError: an input is named twice, or the standard output is a terminal.
        MediaError: a pipe cannot be read or written.
    """
    with ExitStack() as stack:
        if sum(text in (_STANDARD, _DEVICES[0]) for text in inputs) > 1:
            raise UsageError("the standard input is named twice: it can be read once")
        paths = [_readable(text, stack) for text in inputs]
        if not _is_pipe(output):
            yield paths, Path(output)
            return
        if output in (_STANDARD, _DEVICES[1]) and sys.stdout and sys.stdout.isatty():
            raise UsageError("the output is a terminal: name a file, or redirect it")
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="streamanon-")))
        suffix = Path(output).suffix or (".png" if is_picture(paths[0]) else ".mkv")
        target = folder / f"{'stdout' if output in (_STANDARD, _DEVICES[1]) else 'pipe'}{suffix}"
        yield paths, target
        if target.exists():
            _send(target, output)


def _is_pipe(text: str) -> bool:
    """Return whether a name stands for a pipe or a device, which cannot be read or written twice.

    A file that the standard input or output was redirected to is one, too: its place is not at its
    beginning.
    """
    if text in (_STANDARD, *_DEVICES):
        return True
    try:
        mode = Path(text).stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _readable(text: str, stack: ExitStack) -> Path:
    """Return a file with the content of an input, which no other process sees.

    Raises:
        MediaError: the pipe cannot be read.
    """
    if not _is_pipe(text):
        return Path(text)
    folder = Path(stack.enter_context(TemporaryDirectory(prefix="streamanon-")))
    path = folder / ("stdin" if text in (_STANDARD, _DEVICES[0]) else Path(text).name)
    copy = stack.enter_context(path.open("xb"))
    if _OPEN_FILES.is_dir():  # nothing of what is read is left, even if this process is killed
        path.unlink()
        path.symlink_to(_OPEN_FILES.resolve() / str(copy.fileno()))
    try:
        with _pipe(text, "rb") as pipe:
            shutil.copyfileobj(pipe, copy, _PIECE_BYTES)
        copy.flush()
    except OSError as error:
        raise MediaError(f"input {text} cannot be read ({error.strerror})") from error
    return path


def _send(file: Path, output: str) -> None:
    """Copy a complete file into a pipe.

    Raises:
        MediaError: the reader has gone, or the pipe cannot be written.
    """
    try:
        with file.open("rb") as complete, _pipe(output, "wb") as pipe:
            shutil.copyfileobj(complete, pipe, _PIECE_BYTES)
    except OSError as error:
        raise MediaError(f"output {output} could not be written ({error.strerror})") from error


@contextmanager
def _pipe(text: str, mode: str) -> Iterator[IO[bytes]]:
    if text in (_STANDARD, *_DEVICES):
        standard = sys.stdin if mode == "rb" else sys.stdout
        if standard is None:
            raise OSError(errno.EBADF, "it is closed")
        yield standard.buffer
        standard.flush()
    else:
        with Path(text).open(mode) as opened:
            yield opened
