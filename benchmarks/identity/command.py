"""``python -m benchmarks identity``: who is still known, by geometry and by recognisers."""

from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.identity.people import read_people
from benchmarks.identity.suite import Suite
from benchmarks.judges.recognisers import RECOGNISERS, recogniser
from benchmarks.methods import label, method
from benchmarks.progress import progress_bars, starter

METHODS = ("none", "solid", "mosaic", "warp", "anonygan")
QUICK = 6
"""People of a quick run."""


@click.command(short_help="Who is still known, by geometry alone and by recognisers.")
@click.argument("methods", nargs=-1)
@shared.london
@shared.faceres
@shared.recognisers
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK} people.")
@shared.out
def command(methods: tuple[str, ...], **options: Any) -> None:
    """Measure METHODS on the neutral photographs of the London set, matched to both photographs.

    METHODS are none, blur101, pixelation10, any of the product's, or folder:PATH with pictures that
    another system anonymised, named by the people's numbers. Each is a row of the results; rows of
    methods that are not named stay as they are.
    """
    quick, seed = options["quick"], options["seed"]
    out = record.destination(options["out"], shared.CACHE, quick=quick)
    faceres = options["faceres"]
    asked = [*RECOGNISERS, *(f"onnx:{path}" for path in options["recognisers"])]
    asked += [f"faceres:{faceres}"] if faceres.is_file() else []
    people = read_people(options["data"], QUICK if quick else None)
    settings = {"data": "London", "people": len(people), "provider": "CPUExecutionProvider"}
    with progress_bars() as progress:
        begin = starter(progress)
        suite = Suite(people, [recogniser(name) for name in asked], begin("originals", len(people)))
        rows = record.rows_so_far("identity", settings, out)
        measured = []
        for name in methods or METHODS:
            row = suite.row(method(name, seed=seed), begin(label(name), len(people)))
            rows[label(name)] = row | {"seed": seed}
            measured.append(label(name))
            results = {"judges": suite.judges(), "rows": rows}
            record.save("identity", results, settings=settings, folder=out)
    _show({name: rows[name] for name in measured})
    click.echo(f"wrote {out / 'identity.json'}", err=True)


def _show(rows: dict[str, Any]) -> None:
    """Print rank 1 and the rate at FAR 1e-3 by every judge."""
    judges = list(next(iter(rows.values()))["known"])
    kinds = ("other_rank_1", "other_far", "same_rank_1", "same_far")
    table = Table("method", "judge", "rank 1, other", "FAR 1e-3, other", "rank 1", "FAR 1e-3")
    for name, row in rows.items():
        for judge in judges:
            figures = [row["known"][judge][kind]["mean"] for kind in kinds]
            table.add_row(name, judge, *(f"{value:.1%}" for value in figures))
    Console(width=120).print(table)
