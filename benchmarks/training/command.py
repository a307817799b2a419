"""``python -m benchmarks training``: a run's curve, and short runs with one thing left out each.

Results: ``rows`` by name. ``curve`` rows are the networks a run kept, in the order of the samples
they had seen; ``ablation`` rows are short runs of equal length. Each holds the figures of
:func:`training.evaluate.measure` on people no run was trained on; ``warp`` those of the portrait
alone. A run that was interrupted goes on where it stood.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import torch

from benchmarks import options as shared
from benchmarks import record
from benchmarks.training.variants import SHORT, VARIANTS
from streamanon.anonygan import checkpoint
from streamanon.anonygan.network import AnonyGan
from streamanon.errors import UsageError
from training import loop
from training.data import shards
from training.evaluate import measure
from training.options import PRESETS, changed
from training.run_folder import RunFolder

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(short_help="A run's curve, and the effect of each part of network and training.")
@click.option("--data", required=True, type=FOLDER, help="Folder that `training prepare` made.")
@click.option("--run", type=FOLDER, help="Folder of a run, for its curve.")
@click.option(
    "--steps", default=1000, show_default=True, help="Steps of each short run; 0 for none."
)
@click.option("--pairs", default=256, show_default=True, help="Pairs to measure on.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=record.RESULTS, help="Folder of the results."
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=shared.CACHE,
    help="Folder of the short runs.",
)
def command(
    data: Path, run: Path | None, steps: int, pairs: int, *, out: Path, cache: Path
) -> None:
    """Measure the progress of training and the effect of its parts.

    Takes hours on a CPU: a step takes about a second.
    """
    if run is None and not steps:
        raise UsageError("nothing to measure: give --run, --steps, or both")
    kept = _kept(run) if run else []
    short = [(name, *_short_run(name, data, steps, cache)) for name in VARIANTS] if steps else []
    networks = [network for _, network in kept] + [network for _, _, network in short]
    warp, found = measure(networks, shards.load(data), loop.VALIDATION, pairs)
    rows: dict[str, dict[str, Any]] = {"warp": {"kind": "warp", **warp}}
    for (samples, _), figures in zip(kept, found, strict=False):
        rows[f"{samples:,} samples"] = {"kind": "curve", "samples": samples, **figures}
    for (name, samples, _), figures in zip(short, found[len(kept) :], strict=True):
        about = VARIANTS[name].about
        rows[name] = {"kind": "ablation", "about": about, "samples": samples, **figures}
    settings = {
        "pairs": pairs,
        "steps": steps,
        "batch": changed(PRESETS["live"], SHORT).batch,
        "settings": list(SHORT),
        "provider": f"PyTorch {torch.__version__} on the processor",
    }
    click.echo(record.save("training", {"rows": rows}, settings=settings, folder=out))


def _kept(run: Path) -> list[tuple[int, AnonyGan]]:
    """Return the networks a run has kept, by the samples they had seen."""
    found = []
    for path in sorted((run / "networks").glob("*.pt")):
        content = checkpoint.read(path)
        network = checkpoint.unpack(content, str(path)).eval()
        found.append((int(content["samples"]), network))
    if not found:
        raise UsageError(f"{run} has kept no network: train for longer")
    return sorted(found, key=lambda one: one[0])


def _short_run(name: str, data: Path, steps: int, cache: Path) -> tuple[int, AnonyGan]:
    """Return the samples a variant saw in some steps, and what it came to."""
    folder = RunFolder(cache / "training" / f"{steps}" / name.replace(" ", "-"))
    settings: Sequence[str] = (*SHORT, f"steps={steps}", *VARIANTS[name].settings)
    folder.prepare(changed(PRESETS["live"], settings), resumed=folder.started)
    click.echo(f"{name}: {VARIANTS[name].about}")
    loop.train(folder, data, None, float("inf"))
    file = folder.path / "network.pt"
    return int(checkpoint.read(file)["samples"]), checkpoint.load(file).eval()
