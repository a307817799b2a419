"""``python -m benchmarks motion``: who is still known by how the face moves."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import options as shared
from benchmarks import record
from benchmarks.motion.features import WINDOW_S
from benchmarks.motion.suite import Suite
from benchmarks.progress import progress_bars, starter
from benchmarks.video import outputs
from benchmarks.video.clips import find

METHODS = (outputs.NONE, "warp", "anonygan")
FRAMES, QUICK_FRAMES = 360, 160
"""Frames of each clip, from its start."""


@click.command(short_help="Who is still known by how the face moves.")
@click.argument("methods", nargs=-1)
@click.option(
    "--clips",
    type=click.Path(path_type=Path),
    multiple=True,
    help="Clips or folders of clips, each of one person, whom no other clip shows "
    "(default: ../shared/videos beside the project).",
)
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK_FRAMES} frames of each clip.")
@shared.cache
@shared.out
def command(methods: tuple[str, ...], **options: Any) -> None:
    """Look for the people of clips, before and after METHODS, by blendshape curves alone.

    METHODS are none or any of the product's. Clips in which somebody is seen for fewer than two
    windows are left out and named. Rows of methods not named stay as they are.
    """
    for name in methods:
        outputs.check(name)
    quick, seed = options["quick"], options["seed"]
    out = record.destination(options["out"], options["cache"], quick=quick)
    paths = find(options["clips"] or (shared.SHARED / "videos",))
    with progress_bars() as progress:
        frames = QUICK_FRAMES if quick else FRAMES
        suite = Suite(paths, frames, options["cache"] / "motion", starter(progress))
        settings = {"frames": frames, "window_s": WINDOW_S, "windows": suite.windows}
        settings |= {"left_out": suite.left_out, "provider": "CPUExecutionProvider"}
        rows = record.rows_so_far("motion", settings, out)
        for name in methods or METHODS:
            rows[name] = suite.row(name, seed)
            record.save("motion", {"rows": rows}, settings=settings, folder=out)
    _show(rows)
    click.echo(f"wrote {out / 'motion.json'}", err=True)


def _show(rows: dict[str, Any]) -> None:
    """Print how often the right person is found."""
    table = Table("method", "features", "another moment", "the same moment", "windows seen")
    for name, row in rows.items():
        for features, known in row["known"].items():
            shares = (f"{known[moment]['mean']:.1%}" for moment in ("other", "same"))
            table.add_row(name, features, *shares, str(row["seen"]))
    Console().print(table)
