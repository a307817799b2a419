"""``python -m benchmarks stills``: from options to a results file and a table."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.lfw import TEST_FOLDS, Lfw
from benchmarks.methods import label, method
from benchmarks.progress import progress_bars, starter
from benchmarks.stills.cache import Cache
from benchmarks.stills.figures import ABSENT
from benchmarks.stills.panel import Panel
from benchmarks.stills.suite import Protocol, Suite
from streamanon.errors import UsageError

METHODS = ("none", "blur101", "pixelation10", "solid", "mosaic", "warp", "anonygan")
QUICK = 5
"""Pairs of a kind in a fold of a quick run."""


@click.command()
@click.argument("methods", nargs=-1)
@shared.lfw
@click.option(
    "--folds", default=",".join(map(str, TEST_FOLDS)), show_default=True, help="LFW folds."
)
@click.option(
    "--judges",
    default=None,
    help="Detectors and recognisers to use, separated by commas (default: all).",
)
@shared.recognisers
@click.option(
    "--inception",
    type=click.Path(path_type=Path),
    help="An Inception network (TorchScript or ONNX), for FID.",
)
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK} + {QUICK} pairs a fold.")
@shared.cache
@shared.out
def command(methods: tuple[str, ...], **options: Any) -> None:
    """Measure METHODS on the LFW folds kept for testing.

    METHODS are none, blur101, pixelation10, any of the product's, or folder:PATH with pictures that
    another system anonymised, named as in the data. Each is a row of the results; rows of other
    methods are kept.
    """
    quick, cache_folder = options["quick"], options["cache"]
    seed: int = options["seed"]
    prepared = {label(name): method(name, seed=seed) for name in methods or METHODS}
    protocol = Protocol(_numbers(options["folds"]), *((QUICK,) if quick else ()))
    out = record.destination(options["out"], cache_folder, quick=quick)
    lfw = Lfw(options["data"])
    settings = {
        "data": "LFW",
        "pairs": lfw.source,
        "folds": list(protocol.folds),
        "pairs_of_a_kind": protocol.of_a_kind,
        "provider": "CPUExecutionProvider",
    }
    rows = record.results_so_far("stills", settings, out).get("rows", {})
    with (
        closing(Cache(cache_folder)) as cache,
        progress_bars() as progress,
    ):
        panel = Panel(
            cache,
            judges=options["judges"].split(",") if options["judges"] else None,
            networks=options["recognisers"],
            inception=options["inception"],
        )
        suite = Suite(lfw, panel, protocol, starter(progress))
        results = {"originals": suite.originals(), "judges": suite.judges()}
        for name, anonymise in prepared.items():
            rows[name] = suite.row(name, anonymise) | {"seed": seed}
            record.save("stills", {**results, "rows": rows}, settings=settings, folder=out)
    _show(results["judges"], {name: rows[name] for name in prepared})
    click.echo(f"wrote {out / 'stills.json'}", err=True)


def _numbers(folds: str) -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in folds.split(","))
    except ValueError as error:
        raise UsageError(f"folds {folds!r} are no numbers: write them like 7,8") from error


def _show(judges: dict[str, Any], rows: dict[str, Any]) -> None:
    """Print the columns that say most, and which judges are dead."""
    detectors = [name for name, judge in judges.items() if judge["kind"] == "detector"]
    recognisers = [name for name, judge in judges.items() if judge["kind"] == "recogniser"]
    realism = [name for name, judge in judges.items() if judge["kind"] == "realism"]
    headings = [
        "method",
        *(f"{name} finds" for name in detectors),
        *(f"{name} knows {which}" for name in recognisers for which in ("other", "same")),
        "pose (mesh)",
        "pose (dlib)",
        *realism,
    ]
    table = Table(*headings)
    for name, row in rows.items():
        found = [row["detection"][judge]["anywhere"] for judge in detectors]
        known = [
            row["reidentification"][judge][which]
            for judge in recognisers
            for which in ("other_picture", "same_picture")
        ]
        table.add_row(
            name,
            *_percent(found + known),
            _number(row["landmarks"]["pose_paper"]),
            _number((row["landmarks_dlib"] or {}).get("pose_paper", ABSENT)),
            *(_number(row["realism"][metric]["to_originals"]) for metric in realism),
        )
    Console(width=200).print(table)
    for name, judge in judges.items():
        if not judge["alive"]:
            click.echo(f"dead: {name} {judge['reason']}", err=True)


def _percent(figures: Sequence[dict[str, Any]]) -> list[str]:
    return ["-" if one["mean"] is None else f"{one['mean']:.1%}" for one in figures]


def _number(figure: dict[str, Any]) -> str:
    return "-" if figure["mean"] is None else f"{figure['mean']:.3g}"
