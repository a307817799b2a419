"""Command line of training: ``python -m training COMMAND``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from streamanon.errors import StreamanonError
from training import loop, options, parallel
from training.data import prepare
from training.run_folder import RunFolder

EXISTING = click.Path(exists=True, path_type=Path)


@click.group()
def main() -> None:
    """Train AnonyGAN: prepare faces, train, look at samples, measure."""


main.add_command(prepare.command, "prepare")


@main.command("train")
@click.argument("folder", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", required=True, type=EXISTING, help="Folder that `prepare` made.")
@click.option("--preset", type=click.Choice(["live", "base", "paper"]), default="live")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change an option.")
@click.option("--resume", is_flag=True, help="Go on with the run in the folder.")
@click.option("--sources", type=EXISTING, help="Folder of pictures for the sample grids.")
@click.option("--minutes", type=float, default=float("inf"), help="Stop after so long.")
def train(folder: Path, data: Path, sources: Path | None, **how: Any) -> None:
    """Train in the folder RUN: options, stats, sample grids and checkpoints are written there."""
    run = RunFolder(folder)
    if parallel.first():
        chosen = run.options() if how["resume"] else options.PRESETS[how["preset"]]
        chosen = options.changed(chosen, how["settings"])
        run.prepare(chosen, resumed=how["resume"])
    loop.train(run, data, sources, how["minutes"])


if __name__ == "__main__":
    try:
        main(prog_name="python -m training")
    except StreamanonError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
