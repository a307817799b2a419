"""``python -m benchmarks ablation``: the parts of the default method, each left out once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.ablation.variants import Variant, variants
from benchmarks.identity.people import read_people
from benchmarks.identity.suite import Suite
from benchmarks.judges.recognisers import recogniser
from benchmarks.judges.telltale import Describer
from benchmarks.methods import product
from benchmarks.progress import progress_bars, starter
from benchmarks.telltale.command import FacePairs, frame_pairs, judged
from streamanon import Config, UsageError

QUICK = 6
"""People of a quick run."""


@click.command(short_help="The parts of the default method, each left out once.")
@click.argument("names", nargs=-1)
@shared.london
@shared.clips
@shared.faceres
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK} people and no clips.")
@shared.out
def command(names: tuple[str, ...], **options: Any) -> None:
    """Measure variants of the default method, by NAMES (default: all).

    On the London set, by geometry and by faceres, the recogniser that knows most of our faces, and
    on frames of clips, by the classifier of the suite telltale. Rows of variants not named stay as
    they are.
    """
    quick, seed, known = options["quick"], options["seed"], variants()
    for name in names:
        if name not in known:
            raise UsageError(f"no variant {name!r}: choose of {', '.join(known)}")
    out = record.destination(options["out"], shared.CACHE, quick=quick)
    people = read_people(options["data"], QUICK if quick else None)
    clips = [] if quick else sorted(options["clips"].glob("*.mp4"))
    faceres = options["faceres"]
    judges = [recogniser(f"faceres:{faceres}")] if faceres.is_file() else []
    settings = {"data": "London", "people": len(people), "clips": [clip.stem for clip in clips]}
    settings |= {"seed": seed, "provider": "CPUExecutionProvider"}
    rows = record.rows_so_far("ablation", settings, out)
    with progress_bars() as progress:
        begin = starter(progress)
        suite = Suite(people, judges, begin("originals", len(people)))

        def save(name: str, figures: dict[str, Any]) -> None:
            rows[name] = rows.get(name, {}) | figures
            results = {"judges": suite.judges(), "rows": rows}
            record.save("ablation", results, settings=settings, folder=out)

        for name in names or known:
            with _prepared(known[name], seed) as config:
                row = suite.row(product(config), begin(name, len(people)))
            save(name, row | {"about": known[name].about, "seed": seed})
        for name in (names or known) if clips else ():
            advance = begin(f"{name}: clips", len(clips))
            with _prepared(known[name], seed) as config:
                pairs = list(_counted(frame_pairs(config, clips), advance))
            save(name, {"frames": judged(pairs, Describer())})
    _show(rows)
    click.echo(f"wrote {out / 'ablation.json'}", err=True)


@contextmanager
def _prepared(variant: Variant, seed: int) -> Iterator[Config]:
    """Replace the parts of a variant, and give the settings it runs with."""
    with variant.replaced():
        yield Config(seed=seed, **variant.settings)


def _counted(pairs: Iterator[FacePairs], advance: Callable[[], None]) -> Iterator[FacePairs]:
    for one in pairs:
        yield one
        advance()


def _show(rows: dict[str, Any]) -> None:
    """Print rank 1 and the rate at FAR 1e-3 by every judge, and the area under the curve."""
    judges = list(next(iter(rows.values()))["known"])
    table = Table("variant", *judges, "telltale", title="rank 1 other, same; FAR 1e-3 other, same")
    kinds = ("other_rank_1", "same_rank_1", "other_far", "same_far")
    for name, row in rows.items():
        cells = [
            " ".join(f"{100 * row['known'][judge][kind]['mean']:.1f}" for kind in kinds)
            for judge in judges
        ]
        area = f"{row['frames']['area']['mean']:.3f}" if "frames" in row else "-"
        table.add_row(name, *cells, area)
    Console(width=140).print(table)
