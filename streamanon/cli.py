"""The command line. Each command reads its arguments and ends in one call."""

from __future__ import annotations

import os
import sys
import threading
import traceback
import typing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from streamanon import __version__
from streamanon.config import Config
from streamanon.errors import StreamanonError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamanon.backends.tensorrt_graph import Precision

INTERRUPTED = 130
LEAKS = 3
_EXAMPLES = """\b
Examples:
  streamanon run in.mp4 -o out.mp4        anonymise a video
  streamanon run webcam:0 --serve 127.0.0.1:8080
                                          anonymise a camera and look at it in a browser
  streamanon audit in.mp4 out.mp4         check that nobody was left
  streamanon doctor                       what this machine can do
  streamanon identities sheet faces.png   look at the faces to choose from
"""
_RUN_EXAMPLES = """\b
Examples:
  streamanon run in.mp4 -o out.mp4                        a video
  streamanon run in.mp4 -o out.mp4 --method mosaic        fast and plain
  streamanon run in.mp4 -o out.mp4 --identities faces/    with your own portraits
  streamanon run holiday/ -o anonymous/                   a whole tree
  streamanon run a.mp4 b.jpg -o done/ --report done.json  several, with a report

\b
  streamanon run webcam:0 --serve 127.0.0.1:8080          look at it in a browser
  streamanon run webcam:0 -o virtual-camera:              for a video call
  streamanon run rtsp://cam/1 -o rtsp://media/1 -o record:tape/ --wait
"""
_LIVE_EXAMPLES = """\b
Example of a file:
  serve = "127.0.0.1:8080"

\b
  [[stream]]
  name = "door"
  input = "rtsp://user:password@camera/1"
  outputs = ["rtsp://media/door", "record:/srv/door"]

\b
  [[stream]]
  name = "desk"
  input = "webcam:0"
  method = "mosaic"
"""
_AUDIT_EXAMPLES = """\b
Examples:
  streamanon audit in.mp4 out.mp4
  streamanon audit in.mp4 out.mp4 --report audit.json --sheet worst.png
"""
_IDENTITIES_EXAMPLES = """\b
Examples:
  streamanon identities list
  streamanon identities sheet faces.png
  streamanon identities prepare ann.jpg bob.jpg -o faces/
"""
_COLOURS = {"ok": "green", "no": "yellow", "bad": "red"}


def _set_verbose(context: click.Context, _: click.Parameter, value: bool) -> None:  # noqa: FBT001  click's signature
    if value:
        context.find_root().obj["verbose"] = True


_verbose = click.option(
    "-v",
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_set_verbose,
    help="Show where an error came from.",
)


def _settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag for each field of Config."""
    types = typing.get_type_hints(Config)
    for setting in reversed(fields(Config)):
        kind = next(k for k in (*typing.get_args(types[setting.name]), types[setting.name]) if k)
        choices = setting.metadata.get("choices")
        command = click.option(
            f"--{setting.name.replace('_', '-')}",
            default=setting.default,
            is_flag=kind is bool,
            type=click.Choice(choices) if choices else _flag_type(kind),
            metavar=setting.metadata.get("metavar"),
            help=setting.metadata["help"],
            show_default=kind is not bool and setting.default is not None,
        )(command)
    return command


def _flag_type(kind: type) -> Any:
    return click.Path(path_type=Path) if kind is Path else kind


@click.group(
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="streamanon")
@_verbose
def cli() -> None:
    """Replace every face of a video or picture by the face of somebody else.

    What cannot be replaced well is covered, never shown. Nothing is sent anywhere.
    """


@cli.command(epilog=_RUN_EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    help="File to write; a folder when there are several inputs. The suffix decides the format: "
    "mp4, mkv, mov, webm, or jpg, png, webp, tiff for pictures. Of a live input: rtsp://, rtmp://, "
    "srt://, udp://, virtual-camera:, /dev/videoN, window:, hls:FOLDER, record:FOLDER; as many as "
    "you like.",
)
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Show a page with preview, figures and switches. For live streams only.",
)
@click.option(
    "--token",
    metavar="TEXT",
    envvar="STREAMANON_TOKEN",
    help="What visitors of the page must know; made up when others than this machine can reach it. "
    "Better given in the environment variable STREAMANON_TOKEN.",
)
@_settings
@_verbose
def run(
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    serve: str | None,
    token: str | None,
    **settings: Any,
) -> int:
    """Anonymise videos, pictures and folders, or a live stream.

    An output file appears under its name only when it is complete and every face in it is hidden. A
    live INPUT is rtsp://, rtmp://, http://, srt://, udp://, webcam:0, /dev/video0, screen: or
    lavfi:GRAPH. It runs until Ctrl-C or SIGTERM, whatever happens to it or to its outputs.

    The exit code is 0 then, 2 when the request cannot be carried out as made, 1 when it failed.
    """
    from streamanon.jobs import plan_live

    config, job = Config(**settings), plan_live(inputs, outputs)
    if job is None:
        if serve:
            raise UsageError("--serve is for live streams only: leave it out")
        return _run_files(inputs, outputs, config)
    if not outputs and not serve:
        raise UsageError("Missing option '-o': name an output, or look at it with --serve")
    from streamanon.live.streams import Streams, Wanted
    from streamanon.operate import operate

    token = token if serve else None
    operate(Streams((Wanted("live", job, config),), serve, token), Console(stderr=True))
    return 0


def _run_files(inputs: Sequence[str], outputs: Sequence[str], config: Config) -> int:
    from streamanon.app import anonymise_all
    from streamanon.display import Display
    from streamanon.jobs import plan

    if len(outputs) != 1:
        problem = f"{len(outputs)} outputs" if outputs else "Missing option '-o'"
        raise UsageError(f"{problem}: name one file, or one folder for several inputs")
    jobs = plan([Path(one) for one in inputs], Path(outputs[0]), overwrite=config.overwrite)
    with Display(Console(stderr=True), len(jobs)) as display:
        outcomes = anonymise_all(jobs, config, display)
    failures = [outcome.error for outcome in outcomes if outcome.error]
    if not failures:
        return 0
    if len(jobs) == 1:
        raise failures[0]
    raise StreamanonError(f"{len(failures)} of {len(jobs)} files failed, see above")


@cli.command(epilog=_LIVE_EXAMPLES, short_help="Anonymise several live streams.")
@click.argument("file", type=click.Path(path_type=Path))
@_verbose
def live(file: Path) -> int:
    """Anonymise the live streams that FILE, in TOML, asks for.

    Each [[stream]] has a name, an input, outputs, and any setting of `streamanon run` that means
    something to a live stream, with _ for -. Streams share networks and nothing else: what happens
    to one does not touch the others. Inputs that are not there yet are waited for. The file may
    begin with serve and token, as for `streamanon run`.

    Runs until Ctrl-C or SIGTERM; the exit code is that of `streamanon run`.
    """
    from streamanon.live.streams import read_streams
    from streamanon.operate import operate

    operate(read_streams(file), Console(stderr=True))
    return 0


@cli.command(epilog=_AUDIT_EXAMPLES, short_help="Check that no face of a file was left.")
@click.argument("original", type=click.Path(path_type=Path))
@click.argument("anonymised", type=click.Path(path_type=Path))
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the findings, with frame and place of every leak, to this JSON file.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the worst faces of ANONYMISED on this picture, for you to look at. Nothing of "
    "ORIGINAL is on it.",
)
@click.option("--overwrite", is_flag=True, help="Replace a report or sheet that exists.")
@_verbose
def audit(
    original: Path, anonymised: Path, report: Path | None, sheet: Path | None, *, overwrite: bool
) -> int:
    """Check that no face of ORIGINAL can be seen in ANONYMISED.

    A detector that has no part in anonymising looks for faces in every frame of ORIGINAL. At its
    place in ANONYMISED a face must neither be unchanged nor be recognised as the same person.
    Videos and pictures; both files must have the same frames.

    The exit code is 0 when every face is hidden, 3 when one is not, 2 when the request cannot be
    carried out as made, 1 when a file cannot be read or ORIGINAL shows no face: then nothing was
    audited.
    """
    from streamanon import signoff
    from streamanon.display import frame_bar

    signoff.check_outputs((original, anonymised), report, sheet, overwrite=overwrite)
    with frame_bar(Console(stderr=True), anonymised.name) as advance:
        tally = signoff.audit(original, anonymised, report=report, sheet=sheet, progress=advance)
    click.echo(f"{anonymised.name}: {tally.verdict()}")
    return 0 if tally.passed else LEAKS


@cli.command(short_help="Say what this machine can do, and test it.")
@_verbose
def doctor() -> int:
    """Say what this machine can do and why not more, and anonymise one picture as a test.

    The exit code is 0 when faces can be anonymised here.
    """
    from streamanon.doctor import examine

    findings = examine()
    for finding in findings:
        mark = click.style(f"{finding.level:4}", fg=_COLOURS[finding.level])
        click.echo(f"{mark}{finding.topic}: {finding.text}")
    return int(any(finding.level == "bad" for finding in findings))


@cli.group(
    epilog=_IDENTITIES_EXAMPLES, short_help="List, show and prepare the faces people are given."
)
def identities() -> None:
    """List, show and prepare the identities: the faces people are given instead of their own."""


_own = click.option(
    "--identities",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Your own folder, instead of the built-in gallery.",
)


@identities.command("list")
@_own
@_verbose
def list_names(folder: Path | None) -> None:
    """Print the name of every identity, one a line."""
    from streamanon.app import Parts

    for identity in Parts(Config(identities=folder)).gallery:
        click.echo(identity.name)


@identities.command()
@click.argument("picture", type=click.Path(path_type=Path))
@_own
@_verbose
def sheet(picture: Path, folder: Path | None) -> None:
    """Write PICTURE with the portrait and the name of every identity."""
    from streamanon.app import write_sheet

    write_sheet(picture, folder)


@identities.command()
@click.argument("portraits", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@_verbose
def prepare(portraits: tuple[Path, ...], output: Path) -> None:
    """Check PORTRAITS, crop them to the face and put them into a folder for --identities.

    A portrait shows one person from the front, with a neutral expression and the forehead free.
    Use only pictures of people who agreed to lend their face, or of nobody real.
    """
    from streamanon.app import prepare_portraits

    identities = prepare_portraits(portraits, output)
    click.echo(f"{output}: {len(identities)} identities, for `streamanon run --identities`")


_precision = click.option(
    "--precision",
    type=click.Choice(("auto", "fp32", "fp16")),
    default="auto",
    show_default=True,
    help="What it calculates in: auto is fp16 where the network loses little by that.",
)


@cli.group(short_help="Compile the network for this machine's NVIDIA card.")
def engine() -> None:
    """Compile the network of --method anonygan for this machine's NVIDIA card, with TensorRT.

    --runtime auto has it done behind a stream that is running already; this does it beforehand.
    """


@engine.command("build")
@_precision
@_verbose
def build_engine(precision: str) -> None:
    """Build the engine for --runtime tensorrt, if there is none yet."""
    from streamanon import engine
    from streamanon.display import step_bar

    wanted = None if precision == "auto" else typing.cast("Precision", precision)
    with step_bar(Console(stderr=True)) as advance:
        told = engine.build(wanted, advance)
    click.echo(told)


@engine.command("list")
@_verbose
def list_engines() -> None:
    """Print every engine there is, and what it was made for."""
    from streamanon import engine

    for line in engine.listed():
        click.echo(line)


@engine.command("clear")
@_verbose
def clear_engines() -> None:
    """Remove all engines; what is needed is built again."""
    from streamanon import engine

    click.echo(engine.clear())


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    click.echo(f"streamanon: error: {line}", err=True)
    return code


def execute(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; an error becomes one line on stderr."""
    state = {"verbose": False}
    try:
        result = cli.main(list(arguments), "streamanon", standalone_mode=False, obj=state)
    except click.Abort:
        return _fail("interrupted: no unfinished output was left", INTERRUPTED)
    except click.ClickException as error:
        return _fail(error.format_message(), error.exit_code)
    except StreamanonError as error:
        if state["verbose"]:
            traceback.print_exc()
        return _fail(str(error), error.exit_code)
    except Exception as error:  # noqa: BLE001  the last line of defence is one line, too
        if state["verbose"]:
            traceback.print_exc()
        return _fail(f"{type(error).__name__}: {error} (-v shows where)", 1)
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the ``streamanon`` command."""
    code = execute(sys.argv[1:])
    if threading.active_count() > 1:
        # A stage that hangs is still there: taking the interpreter down under it may crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
