"""Sealed originals: restoring them, and who can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from streamanon.cli.commands.options import verbose
from streamanon.config import setting_value
from streamanon.extras import missing_package

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from streamanon.sealed.records import Access
    from streamanon.sealed.sidecar import SegmentEntry

_REVEAL_EXAMPLES = """\b
Examples:
  streamanon reveal out.mp4 -i court.key -o restored.mp4
  streamanon reveal out.mp4 -i court.key -o restored.mp4 --person 2 --from 0:30 --to 1:10
"""
_SEAL_EXAMPLES = """\b
Examples:
  streamanon seal new-key court.key
  streamanon run in.mp4 -o out.mp4 --seal age1...
  streamanon seal list out.mp4
  streamanon seal reseal out.mp4 -i court.key --add age1... --drop age1...
  streamanon seal forget out.mp4 2
"""

_path = click.Path(path_type=Path)


def _keys(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name private keys."""
    command = click.option(
        "--seal-passphrase",
        "secret",
        type=_path,
        metavar="FILE",
        help="File whose first line is the passphrase it was sealed with.",
    )(command)
    return click.option(
        "-i",
        "--identity",
        "keys",
        multiple=True,
        type=_path,
        metavar="KEY",
        help="File of a private key, of age or OpenSSH; once for each where several are needed.",
    )(command)


@click.command(epilog=_REVEAL_EXAMPLES, short_help="Restore what --seal kept of an output.")
@click.argument("output", type=_path, metavar="OUT")
@_keys
@click.option("-o", "--output", "target", type=_path, required=True, help="Restored file to write.")
@click.option("--person", "persons", multiple=True, type=int, metavar="N", help="Only this person.")
@click.option("--from", "begin", metavar="TIME", help="Only from here on: 90, 1:30 or 0:01:30.")
@click.option("--to", "end", metavar="TIME", help="Only up to here.")
@click.option(
    "--force",
    is_flag=True,
    help="Take a file that was re-encoded, or cut with its times kept: originals go where frames "
    "have the same times. Also opens what an interrupted run left.",
)
@click.option("--overwrite", is_flag=True, help="Replace a restored file that exists.")
@verbose
def reveal(  # noqa: PLR0913, PLR0917  one argument an option
    output: Path,
    keys: tuple[Path, ...],
    secret: Path | None,
    target: Path,
    persons: tuple[int, ...],
    begin: str | None,
    end: str | None,
    force: bool,  # noqa: FBT001  click passes names
    overwrite: bool,  # noqa: FBT001
) -> int:
    """Write OUT, which was made with --seal, with the original faces put back.

    OUT.sealed must lie beside it. All people are restored, or those of --person, all the time or in
    a span. What was revealed is noted in a signed log, OUT.sealed.log.
    """
    _check_installed()
    from streamanon.cli.progress import FrameProgress
    from streamanon.errors import counted
    from streamanon.files.reveal import Secrets, Selection
    from streamanon.files.reveal import reveal as reveal_file

    selection = Selection(persons, _microseconds(begin, "from_"), _microseconds(end, "to"))
    with FrameProgress(Console(stderr=True), output.name) as shown:
        tally = reveal_file(
            output,
            target,
            Secrets(keys, secret),
            selection,
            force=force,
            overwrite=overwrite,
            progress=shown.advance,
        )
    click.echo(f"{output.name} -> {target}: {counted(tally.restored, 'crop')} restored", err=True)
    if tally.missed:
        click.echo(f"{counted(tally.missed, 'crop')} left out: there is no frame then", err=True)
    return 0


@click.group(epilog=_SEAL_EXAMPLES, short_help="See and change who can restore sealed originals.")
def seal() -> None:
    """See and change who can restore what `streamanon run --seal` kept (docs/sealed.md)."""


@seal.command("new-key")
@click.argument("file", type=_path)
@verbose
def new_key(file: Path) -> int:
    """Write a new private key to FILE, and print its public key, for --seal."""
    _check_installed()
    from streamanon.sealed.keys import write_new_key

    click.echo(write_new_key(file))
    return 0


@seal.command("list")
@click.argument("output", type=_path, metavar="OUT")
@verbose
def list_sealed(output: Path) -> int:
    """Print who can open the sidecar of OUT, which persons it holds, when, and what was revealed.

    It needs no key. Persons have numbers, in the order in which they appear.
    """
    _check_installed()
    from streamanon.files.reveal import find_sidecar
    from streamanon.sealed.keys import short
    from streamanon.sealed.log import log_of, read_log
    from streamanon.sealed.records import WHOLE_FRAMES

    sidecar = find_sidecar(output)
    click.echo(f"{sidecar.path}: {_who_opens(sidecar.access)}")
    for number, name in enumerate(sidecar.access.names, 1):
        click.echo(f"  recipient {number}: {name}")
    if not sidecar.complete:
        click.echo("  it has no end: its run was interrupted, or is still going on")
    for person, entries in sidecar.people.items():
        who = "frames covered whole" if person == WHOLE_FRAMES else f"person {person}"
        gone = " (forgotten)" if all(one.forgotten for one in entries) else ""
        click.echo(f"  {who}{gone}: {', '.join(_spans(entries))}")
    for entry, good in read_log(log_of(sidecar.path), sidecar.header):
        if not good:
            click.echo(
                "  log: an entry that was changed, follows one that was taken away, or is of a "
                "sidecar that was overwritten"
            )
            continue
        until = "the end" if entry["to_s"] is None else f"{entry['to_s']:g} s"
        persons = ("person " if len(entry["persons"]) == 1 else "persons ") + ", ".join(
            map(str, entry["persons"])
        )
        click.echo(
            f"  revealed {entry['time']}: {persons}, {entry['from_s']:g} s to {until}, "
            f"with {', '.join(map(short, entry['opened_with']))}"
        )
    return 0


@seal.command()
@click.argument("output", type=_path, metavar="OUT")
@_keys
@click.option("--add", multiple=True, metavar="RECIPIENT", help="Public key to add.")
@click.option("--drop", multiple=True, metavar="RECIPIENT", help="Public key to leave out.")
@verbose
def reseal(
    output: Path,
    keys: tuple[Path, ...],
    secret: Path | None,
    add: tuple[str, ...],
    drop: tuple[str, ...],
) -> int:
    """Change who can open the sidecar of OUT; what is sealed stays as it is.

    It takes as many keys as opening does. Who had access may have kept a copy.
    """
    _check_installed()
    from streamanon.files.reveal import Secrets, find_sidecar
    from streamanon.files.reveal import reseal as reseal_file

    access = reseal_file(find_sidecar(output), Secrets(keys, secret), add=add, drop=drop)
    click.echo(f"{_who_opens(access)} now")
    return 0


@seal.command()
@click.argument("output", type=_path, metavar="OUT")
@click.argument("person", type=int)
@verbose
def forget(output: Path, person: int) -> int:
    """Destroy the keys of PERSON in the sidecar of OUT, so that they can never be revealed.

    Frames that were covered whole may show anybody: their keys are destroyed, too. It needs no key,
    and cannot be undone.
    """
    _check_installed()
    from streamanon.errors import counted
    from streamanon.files.reveal import find_sidecar
    from streamanon.files.reveal import forget as forget_person

    if count := forget_person(find_sidecar(output), person):
        click.echo(f"person {person} is forgotten: {counted(count, 'key')} destroyed")
    else:
        click.echo(f"person {person} was forgotten before: there is no key left")
    return 0


def _who_opens(access: Access) -> str:
    """Return how many recipients it takes to open a sidecar."""
    count = len(access.recipients)
    if access.threshold == 1:
        return (
            "its recipient can open it" if count == 1 else f"each of {count} recipients can open it"
        )
    return f"{access.threshold} of {count} recipients can open it together"


def _check_installed() -> None:
    """Say what to install when it is missing."""
    try:
        import streamanon.sealed.keys  # noqa: F401
    except ImportError as error:
        raise missing_package("what is sealed", "sealed", error) from error


def _microseconds(text: str | None, name: str) -> int | None:
    """Return a time of the setting of that name in microseconds."""
    return None if text is None else round(setting_value(name, text.strip()) * 1_000_000)


def _spans(entries: Sequence[SegmentEntry]) -> list[str]:
    """Return the spans of segments as text; those that follow each other closely as one."""
    spans: list[list[int]] = []
    for one in sorted(entries, key=lambda entry: entry.segment.start_us):
        start = one.segment.start_us
        if spans and start - spans[-1][1] < 1_000_000:
            spans[-1][1] = max(spans[-1][1], one.until_us)
        else:
            spans.append([start, one.until_us])
    return [f"{start / 1e6:.2f} to {end / 1e6:.2f} s" for start, end in spans]
