"""Every exception streamanon raises on purpose.

::

    StreamanonError            exit code 1: the run failed
    +-- UsageError             exit code 2: the request cannot be carried out as it was made
    +-- MediaError             an input that cannot be read, an output that cannot be written
    +-- ModelError             a model that is missing, damaged or answers nonsense
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


def told_by(error: Exception) -> str:
    """Return the first line of what an error of somebody else says, or its class."""
    return next(iter(str(error).splitlines()), type(error).__name__)
