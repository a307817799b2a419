"""Command line of training: ``python -m training COMMAND``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
import cv2
import torch

from streamanon.anonygan import checkpoint
from streamanon.errors import StreamanonError, UsageError
from training import childhood, gallery, glasses, loop, options, parallel, shape
from training.data import prepare, shards
from training.evaluate import measure
from training.occlusion import prepare as occlusion_prepare
from training.occlusion import train as occlusion_train
from training.recovery import command as recovery
from training.run_folder import RunFolder
from training.sample import Samples
from training.trainer import condensed

EXISTING = click.Path(exists=True, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def main() -> None:
    """Train AnonyGAN: prepare faces, train, look at samples, measure."""


main.add_command(prepare.command, "prepare")
main.add_command(gallery.command, "gallery")
main.add_command(shape.command, "shape")
main.add_command(childhood.command, "childhood")
main.add_command(glasses.command, "glasses")
main.add_command(recovery.command, "recovery")
main.add_command(occlusion_prepare.command, "occlusion-prepare")
main.add_command(occlusion_train.command, "occlusion-train")
main.add_command(occlusion_train.export, "occlusion-export")


@main.command("train")
@click.argument("folder", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
@click.option("--data", required=True, type=EXISTING, help="Folder that `prepare` made.")
@click.option("--preset", type=click.Choice(list(options.PRESETS)), default="live")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Change an option.")
@click.option("--resume", is_flag=True, help="Continue the run in the folder.")
@click.option(
    "--start", type=FILE, help="Network that a new run starts from, like training/live.pt."
)
@click.option("--sources", type=EXISTING, help="Folder of pictures for the sample grids.")
@click.option("--minutes", type=float, default=float("inf"), help="Stop after so long.")
def train(folder: Path, data: Path, sources: Path | None, **how: Any) -> None:
    """Train in the folder RUN: options, stats, sample grids and checkpoints are written there.

    Options are those of training/options.py: --set batch=8 --set weights.pull=2. A run that is
    resumed keeps its own.
    """
    start: Path | None = how["start"]
    if start is not None and how["resume"]:
        raise UsageError("--start is for new runs: leave it out, or --resume")
    run = RunFolder(folder)
    if parallel.first():
        chosen = run.options() if how["resume"] else options.PRESETS[how["preset"]]
        run.prepare(options.changed(chosen, how["settings"]), resumed=how["resume"])
    loop.train(run, data, sources, how["minutes"], start)


@main.command("condense")
@click.argument("folder", metavar="RUN", type=click.Path(file_okay=False, path_type=Path))
@click.argument("out", type=FILE)
def condense(folder: Path, out: Path) -> None:
    """Write network and discriminators of RUN to OUT, in half precision, to start runs from."""
    torch.save(condensed(RunFolder(folder).state()), out)


@main.command("sample")
@click.argument("network", type=FILE)
@click.argument("out", type=FILE)
@click.option("--sources", type=EXISTING, help="Folder of pictures with faces to replace.")
@click.option("--conditions", type=EXISTING, help="Folder of pictures of the identities.")
def sample(network: Path, out: Path, sources: Path | None, conditions: Path | None) -> None:
    """Draw results of NETWORK: a row per source, with the warp and the result per condition."""
    grid = Samples.of(sources, conditions).grid(checkpoint.load(network).eval())
    if not cv2.imwrite(str(out), grid):
        raise StreamanonError(f"cannot write {out}")


@main.command("evaluate")
@click.argument("networks", nargs=-1, required=True, type=FILE)
@click.option("--data", required=True, type=EXISTING, help="Folder that `prepare` made.")
@click.option("--share", default=loop.VALIDATION, help="Share of its people to measure on.")
@click.option("--pairs", default=256, help="Pairs to measure on.")
def evaluate(networks: tuple[Path, ...], data: Path, share: float, pairs: int) -> None:
    """Print cheap figures of NETWORKS on people held out from training, one JSON line each."""
    loaded = [checkpoint.load(path).eval() for path in networks]
    warp, figures = measure(loaded, shards.load(data), share, pairs)
    for name, each in zip(("warp", *map(str, networks)), (warp, *figures), strict=True):
        rounded = {figure: round(value, 4) for figure, value in each.items()}
        click.echo(json.dumps({"network": name, **rounded}))


if __name__ == "__main__":
    try:
        main(prog_name="python -m training")
    except StreamanonError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
