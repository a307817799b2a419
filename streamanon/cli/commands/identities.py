"""The faces people are given."""

from pathlib import Path

import click

from streamanon.cli.commands.options import verbose
from streamanon.config import Config
from streamanon.errors import StreamanonError, one_line

_IDENTITIES_EXAMPLES = """\b
Examples:
  streamanon identities list
  streamanon identities sheet faces.png
  streamanon identities prepare ann.jpg bob.jpg -o faces/
"""


@click.group(
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
@verbose
def list_names(folder: Path | None) -> None:
    """Print the name of every identity, one a line."""
    from streamanon.factory import Factory

    for identity in Factory(Config(identities=folder)).gallery:
        click.echo(identity.name)


@identities.command()
@click.argument("picture", type=click.Path(path_type=Path))
@_own
@verbose
def sheet(picture: Path, folder: Path | None) -> None:
    """Write PICTURE with the portrait and the name of every identity."""
    from streamanon.factory import Factory
    from streamanon.identities.sheet import write_sheet

    write_sheet(Factory(Config(identities=folder)).gallery, picture)


@identities.command()
@click.argument("portraits", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder.")
@verbose
def prepare(portraits: tuple[Path, ...], output: Path) -> None:
    """Check PORTRAITS, crop them to the face and put them into a folder for --identities.

    PORTRAITS are pictures, or folders of them. A portrait shows one person from the front, with a
    neutral expression and the forehead free. Use only pictures of people who agreed to lend their
    face, or of people who do not exist. One that will not do is left out, and it is said why.
    """
    from streamanon.factory import Factory
    from streamanon.identities.prepare import prepare as prepare_portraits

    reader = Factory(Config()).portrait_reader
    count = prepare_portraits(portraits, output, reader, _say_why)
    click.echo(f"{output}: {count} identities, for `streamanon run --identities`")


def _say_why(refusal: StreamanonError) -> None:
    click.echo(f"left out: {one_line(str(refusal))}", err=True)
