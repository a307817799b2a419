"""The command line: its commands (:mod:`streamanon.cli.commands`), and how they end."""

import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence

import click

from streamanon import __version__
from streamanon.cli import memory
from streamanon.cli.commands.check import audit, doctor
from streamanon.cli.commands.engine import engine
from streamanon.cli.commands.identities import identities
from streamanon.cli.commands.options import verbose
from streamanon.cli.commands.run import live, run
from streamanon.cli.commands.seal import reveal, seal
from streamanon.errors import StreamanonError, named_error_line, one_line
from streamanon.media.credentials import masked

_ENDING = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
"""Signals that end a run: Ctrl-C, the system, a terminal that is closed."""
_EXAMPLES = """\b
Examples:
  streamanon run in.mp4 -o out.mp4        anonymise a video
  streamanon run webcam:0 --serve 127.0.0.1:8080
                                          anonymise a camera and look at it in a browser
  streamanon audit in.mp4 out.mp4         check that no face was left
  streamanon doctor                       what this machine can do
  streamanon identities sheet faces.png   look at the faces to choose from
"""


class _Commands(click.Group):
    """The commands; says which one a file or a stream without any needs."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that arguments begin with, its name, and the rest of them."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            name = args[0]
            if not ("." in name or ":" in name or os.sep in name):
                raise
            wanted = f"write `streamanon run {name} -o OUTPUT` to anonymise it"
            raise click.UsageError(f"{error.format_message().rstrip('.')}: {wanted}", ctx) from None


@click.group(
    cls=_Commands,
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="streamanon")
@verbose
def cli() -> None:
    """Replace every face of a video or picture by the face of another person.

    What cannot be replaced well is covered, never shown. Nothing is sent anywhere.
    """


for _command in (run, live, audit, reveal, seal, doctor, identities, engine):
    cli.add_command(_command)


def _fail(message: str, code: int) -> int:
    click.echo(f"streamanon: error: {masked(one_line(message))}", err=True)
    return code


def print_traceback(error: BaseException) -> None:
    """Print where an error came from, without credentials."""
    click.echo(masked("".join(traceback.format_exception(error))), err=True, nl=False)


def _explained(error: Exception) -> tuple[str, int]:
    """Return the message of an error, and the exit code."""
    if isinstance(error, click.Abort):
        number = getattr(error.__cause__, "number", signal.SIGINT)
        return "interrupted: no unfinished file was left", 128 + number
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code
    short = memory.exhausted(error)
    if short:
        return short, 1
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return f"the name {str(error.filename)[:40]}... is too long: choose another", 2
    if isinstance(error, StreamanonError):
        return str(error), error.exit_code
    return f"{named_error_line(error)} (-v shows where)", 1


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error becomes one line on stderr."""
    state = {"verbose": False}
    short = memory.shortage()
    if short:
        return _fail(short, 1)
    memory.limit_heaps()
    try:
        result = cli.main(list(arguments), "streamanon", standalone_mode=False, obj=state)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except Exception as error:  # noqa: BLE001  the last line of defence is one line, too
        if state["verbose"] and not isinstance(error, (click.Abort, click.ClickException)):
            print_traceback(error)
        return _fail(*_explained(error))
    return result if isinstance(result, int) else 0


class _Interrupt(KeyboardInterrupt):
    """A signal that ends the run."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def _interrupt(number: int, _: object) -> None:
    for one in _ENDING:  # what was begun is cleaned up first, in some seconds at most
        signal.signal(one, signal.SIG_IGN)
    raise _Interrupt(number)


def main() -> None:
    """Entry point of the ``streamanon`` command."""
    for one in _ENDING:
        if signal.getsignal(one) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(one, _interrupt)
    sys.excepthook = lambda _kind, error, _where: print_traceback(error)
    threading.excepthook = lambda failed: print_traceback(failed.exc_value or failed.exc_type())
    code = execute(sys.argv[1:])
    if threading.active_count() > 1:
        # A stage that hangs is still there: taking the interpreter down under it may crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
