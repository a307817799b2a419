"""Command line: a trained network becomes the files that ship."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from export.anonygan import export
from streamanon.errors import StreamanonError

_FOLDER = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Make the files that streamanon runs."""


@main.command()
@click.argument("checkpoint", type=_FOLDER)
@click.option("--out", required=True, type=_FOLDER, help="Folder: streamanon/weights, to ship.")
@click.option("--trained-on", type=_FOLDER, help="index.json of the data it was trained on.")
@click.option("--faces", type=_FOLDER, help="Folder of more pictures to measure on.")
def anonygan(checkpoint: Path, out: Path, trained_on: Path | None, faces: Path | None) -> None:
    """Write a trained CHECKPOINT as ONNX, once it has proved itself alive and exact."""
    card = export(checkpoint, out, trained_on=trained_on, pictures=faces)
    click.echo(json.dumps(card["measured"], indent=1))
    for path in sorted(out.glob("anonygan*.onnx")):
        click.echo(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    try:
        main()
    except StreamanonError as error:
        click.echo(f"export: error: {error}", err=True)
        sys.exit(error.exit_code)
