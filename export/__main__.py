"""Command line: a trained network becomes the files that ship."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from export.anonygan import export
from streamanon.backends.engine_build import compiled
from streamanon.backends.tensorrt_runtime import about
from streamanon.cli.progress import step_bar
from streamanon.errors import StreamanonError

if TYPE_CHECKING:
    from streamanon.backends.tensorrt_graph import Precision

_FOLDER = click.Path(path_type=Path)


@click.group()
def main() -> None:
    """Make the files of networks that ship with streamanon."""


@main.command()
@click.argument("checkpoint", type=_FOLDER)
@click.option("--out", required=True, type=_FOLDER, help="Folder: streamanon/weights, to ship.")
@click.option("--trained-on", type=_FOLDER, help="index.json of the data it was trained on.")
@click.option("--faces", type=_FOLDER, help="Folder of more pictures to measure on.")
def anonygan(checkpoint: Path, out: Path, trained_on: Path | None, faces: Path | None) -> None:
    """Write a trained CHECKPOINT as ONNX, after checking that it is alive and exact."""
    card = export(checkpoint, out, trained_on=trained_on, pictures=faces)
    click.echo(json.dumps(card["measured"], indent=1))
    for path in sorted(out.glob("anonygan*.onnx")):
        click.echo(f"{path}: {path.stat().st_size} bytes")


@main.command()
@click.argument("network", type=_FOLDER)
@click.option("--precision", type=click.Choice(("fp32", "fp16")), default="fp16", show_default=True)
@click.option("--out", required=True, type=_FOLDER, help="File for the engine.")
def engine(network: Path, precision: Precision, out: Path) -> None:
    """Compile NETWORK.onnx with TensorRT, to see whether and how fast that works.

    TensorRT-RTX needs no GPU for that. The engines in use are built by `streamanon engine build`.
    """
    with step_bar(Console(stderr=True)) as advance:
        content, _ = compiled(network, precision, progress=advance)
    out.write_bytes(content)
    click.echo(f"{out}: {network.stem} {precision}, {about()}, {len(content)} bytes")


if __name__ == "__main__":
    try:
        main()
    except StreamanonError as error:
        click.echo(f"export: error: {error}", err=True)
        sys.exit(error.exit_code)
