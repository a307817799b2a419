"""Anonymising: files, one live stream, several."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from streamanon.cli.commands.options import settings, verbose
from streamanon.config import Config
from streamanon.errors import StreamanonError, UsageError
from streamanon.media.file_types import VIDEO_OUTPUTS

_TOKEN_VARIABLE = "STREAMANON_TOKEN"
_RUN_EXAMPLES = """\b
Examples:
  streamanon run in.mp4 -o out.mp4                        a video
  streamanon run in.mp4 -o out.mp4 --method mosaic        fast and plain
  streamanon run in.mp4 -o out.mp4 --identities faces/    with your own portraits
  streamanon run holiday/ -o anonymous/                   a whole tree
  streamanon run a.mp4 b.jpg -o done/ --report done.json  several, with a report
  ffmpeg -i in.avi -f nut - | streamanon run - -o - > out.mkv

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


@click.command(epilog=_RUN_EXAMPLES)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    help="File to write; a folder when there are several inputs. The suffix decides the format: "
    "mp4, mkv, mov, webm, nut, or jpg, png, webp, tiff, avif, jp2, bmp, heic for pictures. Of a "
    "live input: rtsp://, rtmp://, srt://, udp://, virtual-camera:, /dev/videoN, window:, "
    "hls:FOLDER, record:FOLDER; as many as you like.",
)
@click.option(
    "--format",
    "container",
    type=click.Choice([suffix[1:] for suffix in VIDEO_OUTPUTS]),
    help="Container of a video that goes to - or into a pipe (default: by its name, else mkv).",
)
@click.option(
    "--serve",
    metavar="HOST:PORT",
    help="Show a page with preview, figures and switches. For live streams only.",
)
@click.option(
    "--token",
    metavar="TEXT",
    envvar=_TOKEN_VARIABLE,
    help="What visitors of the page must know; made up when others than this machine can reach it. "
    "Better given in the environment variable STREAMANON_TOKEN.",
)
@click.option(
    "--behind-proxy",
    is_flag=True,
    help="A reverse proxy is in front of the page, so that everybody seems to come from this "
    "machine: require a token, and take visitors' addresses from X-Forwarded-For.",
)
@settings
@verbose
def run(
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    container: str | None,
    serve: str | None,
    token: str | None,
    behind_proxy: bool,  # noqa: FBT001
    **given: Any,
) -> int:
    """Anonymise videos, pictures and folders, or a live stream.

    An output file appears under its name only when it is complete and every face in it is hidden. A
    live INPUT is rtsp://, rtmp://, http://, srt://, udp://, webcam:0, /dev/video0, screen: or
    lavfi:GRAPH. It runs until Ctrl-C, SIGTERM or SIGHUP, whatever happens to it or to its outputs.

    Named pipes, and - for the standard input and output, take the place of files. A video in a pipe
    is anonymised while it comes, and goes into a pipe frame by frame as Matroska, WebM or NUT. What
    needs its end first (pictures, an mp4 with its index there) is read to it; mp4 and mov are sent
    when they are complete.

    The exit code is 0 then, 2 when the request cannot be carried out as made, 1 when it failed, 128
    and the number of the signal that ended a run of files.
    """
    from streamanon.live.jobs import plan_live

    config, job = Config.of(**given), plan_live(inputs, outputs)
    if job is None:
        if serve or behind_proxy:
            page = "--serve" if serve else "--behind-proxy"
            raise UsageError(f"{page} is for live streams only: leave it out")
        return _run_files(inputs, outputs, config, container)
    if container:
        raise UsageError("--format is for files and pipes: leave it out")
    if not outputs and not serve:
        raise UsageError("Missing option '-o': name an output, or look at it with --serve")
    from streamanon.cli.operate import operate
    from streamanon.live.stream_file import LiveConfig, StreamSpec

    streams = (StreamSpec("live", job, config),)
    token = _page_token(token) if serve else None
    operate(LiveConfig(streams, serve, token, behind_proxy), Console(stderr=True))
    return 0


def _page_token(given: str | None) -> str | None:
    """Return the token, also an empty one of the environment, which click takes for none."""
    return os.environ.get(_TOKEN_VARIABLE) if given is None else given


def _run_files(
    inputs: Sequence[str], outputs: Sequence[str], config: Config, container: str | None
) -> int:
    from streamanon.cli.progress import Display, log_lines, say
    from streamanon.files.jobs import left_out, plan
    from streamanon.files.pipes import as_files, is_pipe
    from streamanon.files.run import anonymise_all

    if len(outputs) != 1:
        problem = f"{len(outputs)} outputs" if outputs else "Missing option '-o'"
        raise UsageError(f"{problem}: name one file, or one folder for several inputs")
    if is_pipe(outputs[0]) and (config.seal or config.seal_passphrase):
        raise UsageError("--seal writes beside the output, which is a pipe: name a file")
    console = Console(stderr=True)
    with (
        log_lines(console),
        as_files(inputs, outputs[0], container=container, stall_s=config.stall_s) as places,
    ):
        jobs = [
            replace(job, pipe=places.pipe, sent=places.sent, name=places.name)
            for job in plan(places.inputs, places.output, overwrite=config.overwrite)
        ]
        others = left_out(places.inputs, places.output)
        if others:
            listed = ", ".join(f"{number} {suffix}" for suffix, number in others.items())
            say(console, f"left out, neither video nor picture: {listed}")
        with Display(console, len(jobs)) as display:
            outcomes = anonymise_all(jobs, config, display, others)
        failures = [outcome.error for outcome in outcomes if outcome.error]
        if failures and len(jobs) == 1:
            raise failures[0]
        if failures:
            raise StreamanonError(f"{len(failures)} of {len(jobs)} files failed, see above")
    return 0


@click.command(epilog=_LIVE_EXAMPLES, short_help="Anonymise several live streams.")
@click.argument("file", type=click.Path(path_type=Path))
@verbose
def live(file: Path) -> int:
    """Anonymise the live streams that FILE, in TOML, asks for.

    Each [[stream]] has a name, an input, outputs, and any setting of `streamanon run` that means
    something to a live stream, with _ for -. Streams share networks and nothing else: what happens
    to one does not touch the others. Inputs that are not there yet are waited for. The file may
    begin with serve, token and behind_proxy, as for `streamanon run`.

    Runs until Ctrl-C, SIGTERM or SIGHUP; the exit code is that of `streamanon run`.
    """
    from streamanon.cli.operate import operate
    from streamanon.live.stream_file import read_streams

    config = read_streams(file)
    token = _page_token(config.token) if config.serve else config.token
    operate(replace(config, token=token), Console(stderr=True))
    return 0
