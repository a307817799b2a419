"""``python -m benchmarks sealed``: what sidecars tell, and a network's way back beside them."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.identity.people import read_people
from benchmarks.judges.perceptual import ShiftTolerantLpips
from benchmarks.judges.recognisers import recogniser
from benchmarks.progress import progress_bars, starter
from benchmarks.sealed import bits, stills, strangers
from streamanon.anonygan.checkpoint import read
from training.recovery.model import Codec

CLIPS = ("WolfgangLanger_Pexels.mp4", "egoblur_portrait.mp4", "liveportrait_d14.mp4")
METHOD = "anonygan"
QUANTISER = 22
"""Of H.264, about 45 dB: the same for all, so that they differ by their size."""

SECONDS, QUICK_SECONDS, QUICK_PEOPLE = 8, 1, 4
APART = 12
"""Number of people whose sidecars are compared."""


@click.command(short_help="What sidecars tell, and a network's way back beside them.")
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    required=True,
    help="network.pt of a run of recovery.",
)
@shared.london
@shared.clips
@shared.faceres
@click.option("--quick", is_flag=True, help=f"{QUICK_PEOPLE} people, {QUICK_SECONDS} s a clip.")
@shared.out
def command(network: Path, data: Path, clips: Path, faceres: Path, **how: Any) -> None:
    """Measure what strangers learn from sidecars, and what `python -m training recovery` learnt.

    Nothing was learnt from the London set or the clips.
    """
    quick, out = how["quick"], record.destination(how["out"], shared.CACHE, quick=how["quick"])
    codec = Codec.unpack(read(network))
    people = read_people(data, QUICK_PEOPLE if quick else None)
    judges = [recogniser("dlib-resnet")]
    judges += [recogniser(f"faceres:{faceres}")] if faceres.is_file() else []
    seconds = QUICK_SECONDS if quick else SECONDS
    results: dict[str, Any] = {"clips": {}}
    with progress_bars() as progress:
        begin = starter(progress)
        apart = people[:APART]
        results["strangers"] = strangers.row(apart, begin("sidecars", len(apart)))
        results["stills"] = stills.row(codec, people, METHOD, judges, begin("people", len(people)))
        for name in CLIPS:
            step = begin(name, seconds * 30)
            results["clips"][name] = bits.row(codec, clips / name, seconds, METHOD, QUANTISER, step)
    settings = {"people": len(people), "seconds": seconds, "method": METHOD, "qp": QUANTISER}
    settings["lpips"] = ShiftTolerantLpips.name
    path = record.save("sealed", results, settings=settings, folder=out)
    _show(results)
    click.echo(f"wrote {path}", err=True)


def _show(results: dict[str, Any]) -> None:
    strangers = results["strangers"]
    rates = ", ".join(f"{name} {strangers[name]:.0%}" for name in ("bytes", "pairs", "sizes"))
    chance, people = strangers["chance"], strangers["people"]
    click.echo(f"person found among {people} by {rates}; chance {chance:.0%}")
    table = Table(
        "compared with the original", "PSNR, dB", "SSIM", "LPIPS", "Fréchet", "found", "cosine"
    )
    for name in ("anonymised", "recovered", "wrong_key"):
        one = results["stills"][name]
        cosines = ", ".join(f"{judge} {value:.2f}" for judge, value in one["cosine"].items())
        likeness = (f"{one['psnr']:.1f}", f"{one['ssim']:.2f}", f"{one['lpips']:.3f}")
        looks = (f"{one['frechet']:.1f}", f"{one['found']:.0%}")
        table.add_row(name, *likeness, *looks, cosines)
    Console(width=120).print(table)
    table = Table("clip", *(f"{name}: Mbit/s, dB" for name in ("none", "output", "network")))
    for name, row in results["clips"].items():
        sizes = (row[kind] for kind in ("none", "output", "network"))
        table.add_row(name, *(f"{one['mbit_s']:.3f}, {one['psnr']:.1f}" for one in sizes))
    Console(width=120).print(table)
