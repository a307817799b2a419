"""All exceptions that streamanon raises deliberately.

::

    StreamanonError            exit code 1: the run failed
    +-- UsageError             exit code 2: the request is wrong and cannot be carried out
    +-- MediaError             an input that cannot be read, an output that cannot be written
    +-- ModelError             a model that is missing, damaged or returns invalid values
    +-- StageError             a pipeline stage raised; carries the stage's name
    |   +-- StallError         a pipeline stage made no progress in time
    +-- LeakError              the run finished, but something was left uncovered

A message is one line: what happened, what was found, what was wanted, what to do.
"""


class StreamanonError(Exception):
    """Base of every deliberate error; the command line exits with ``exit_code``."""

    exit_code = 1


class UsageError(StreamanonError):
    """The request itself is wrong: a missing file, an existing output, an unknown name."""

    exit_code = 2


class MediaError(StreamanonError):
    """An input could not be decoded or an output could not be written."""


class ModelError(StreamanonError):
    """A model file is missing, damaged, or answered with unusable values."""


class StageError(StreamanonError):
    """A pipeline stage failed.

    Attributes:
        stage: name of the stage ("read", "see", "replace" or "write").
    """

    def __init__(self, stage: str, message: str) -> None:
        super().__init__(f"{stage}: {message}")
        self.stage = stage


class StallError(StageError):
    """A pipeline stage made no progress for longer than the stall limit."""


class LeakError(StreamanonError):
    """The run finished, but at least one face was left uncovered."""


def counted(number: int, noun: str) -> str:
    """Return a number of things in words, for messages."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def one_line(text: str) -> str:
    """Return a text for a terminal on one line, what would control the terminal as an escape."""
    shown = " ".join(text.split())
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)


def error_line(error: BaseException, at: int = 0) -> str:
    """Return one line of an error's message, or its class when it has none.

    ``at`` is the index of the line: some libraries put the cause last (-1).
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[at] if lines else type(error).__name__


def named_error_line(error: BaseException) -> str:
    """Return an error's class and the first line of its message."""
    return ": ".join(dict.fromkeys((type(error).__name__, error_line(error))))


def system_reason(error: BaseException) -> str:
    """Return the system's or FFmpeg's words for an error, which hold no path and no address."""
    return getattr(error, "strerror", None) or error_line(error)
