"""Looking into it: was a file anonymised, can this machine anonymise?"""

from pathlib import Path

import click
from rich.console import Console

from streamanon.cli.commands.options import verbose

LEAKS = 3
_AUDIT_EXAMPLES = """\b
Examples:
  streamanon audit in.mp4 out.mp4
  streamanon audit in.mp4 out.mp4 --report audit.json --sheet worst.png
"""
_MARKS = {
    "ok": click.style("ok  ", fg="green"),
    "optional": click.style("--  ", dim=True),
    "bad": click.style("bad ", fg="red"),
}
"""What stands before findings of the doctor."""


@click.command(epilog=_AUDIT_EXAMPLES, short_help="Check that no face of a file was left.")
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
@click.option(
    "--boxes",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What `streamanon run --boxes` wrote: faces it left as they are because of --from, --to, "
    "--region or --keep-face are counted apart, and are no leaks.",
)
@click.option("--overwrite", is_flag=True, help="Replace a report or sheet that exists.")
@verbose
def audit(
    original: Path, anonymised: Path, *, overwrite: bool, boxes: Path | None, **written: Path | None
) -> int:
    """Check that no face of ORIGINAL can be seen in ANONYMISED.

    A detector that does not choose what is hidden looks for faces in every frame of ORIGINAL. At
    its place in ANONYMISED a face must neither be unchanged nor be recognised as the same person. A
    warning says where the shape of faces, which tells people apart without any pixel, is kept.
    Videos and pictures; both files must have the same frames.

    The exit code is 0 when every face is hidden, 3 when one is not, 2 when the request cannot be
    carried out as made, 1 when a file cannot be read or ORIGINAL shows no face: then nothing was
    audited.
    """
    from streamanon.audit import run as signoff
    from streamanon.cli.progress import FrameProgress

    signoff.check_outputs((original, anonymised), **written, overwrite=overwrite)
    with FrameProgress(Console(stderr=True), anonymised.name) as shown:
        result = signoff.audit(original, anonymised, **written, boxes=boxes, progress=shown.advance)
    click.echo(f"{anonymised.name}: {result.summary()}")
    if result.warning:
        click.echo(f"{anonymised.name}: warning: {result.warning}", err=True)
    return 0 if result.passed else LEAKS


@click.command(short_help="Say what this machine can do, and test it.")
@verbose
def doctor() -> int:
    """Say what this machine can do and why not more, and anonymise one picture as a test.

    The exit code is 0 when faces can be anonymised here.
    """
    from streamanon.cli.doctor import examine

    findings = examine()
    for finding in findings:
        click.echo(f"{_MARKS[finding.level]}{finding.topic}: {finding.text}")
    return int(any(finding.level == "bad" for finding in findings))
