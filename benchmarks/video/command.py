"""``python -m benchmarks video``: from options to a results file and a table."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from benchmarks import options as shared
from benchmarks import record
from benchmarks.progress import progress_bars, starter
from benchmarks.video import outputs
from benchmarks.video.clips import Clip, find
from benchmarks.video.panel import load_panel
from benchmarks.video.suite import Limits, Suite
from benchmarks.video.table import overview, summary

DEMO = Path(__file__).parents[2] / "examples" / "demo.mp4"
METHODS = (outputs.NONE, "mosaic", "warp", "anonygan")
QUICK = Limits(frames=20, still_frames=8)


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--method",
    "methods",
    multiple=True,
    help=f"One of {', '.join(outputs.METHODS)}; may be given several times (default: "
    f"{', '.join(METHODS)}).",
)
@click.option(
    "--frames",
    default=Limits.frames,
    show_default=True,
    help="Frames of each clip, from its start.",
)
@shared.seed
@click.option("--quick", is_flag=True, help=f"Only {QUICK.frames} frames.")
@shared.cache
@shared.out
def command(clips: tuple[Path, ...], methods: tuple[str, ...], **options: Any) -> None:
    """Measure methods on whole CLIPS, files or folders (default: the demo clip).

    Each method and clip is a row of the results; other rows are kept.
    """
    for method in methods:
        outputs.check(method)
    paths = find(clips or (DEMO,))
    seed: int = options["seed"]
    limits = QUICK if options["quick"] else Limits(options["frames"], seed=seed)
    cache: Path = options["cache"] / "video"
    out = record.destination(options["out"], cache, quick=options["quick"])
    settings = {
        "frames": limits.frames,
        "still_frames": limits.still_frames,
        "seed": limits.seed,
        "provider": "CPUExecutionProvider",
    }
    before = record.results_so_far("video", settings, out)
    described, rows = before.get("clips", {}), before.get("rows", {})
    with progress_bars() as progress:
        suite = Suite(load_panel(), limits, cache, starter(progress))
        for path in paths:
            clip = suite.clip(path)
            source = suite.source(clip)
            described[clip.name] = _described(clip, source.rate)
            for method in methods or METHODS:
                rows.setdefault(method, {})[clip.name] = suite.row(method, clip, source)
                results = {
                    "judges": suite.judges(),
                    "clips": described,
                    "rows": rows,
                    "summary": {name: summary(list(row.values())) for name, row in rows.items()},
                }
                record.save("video", results, settings=settings, folder=out)
    Console(width=200).print(overview(results["summary"]))
    for name, judge in suite.judges().items():
        if not judge["alive"]:
            click.echo(f"dead: {name} {judge['reason']}", err=True)
    click.echo(f"wrote {out / 'video.json'}", err=True)


def _described(clip: Clip, rate: float) -> dict[str, Any]:
    return {
        "frames": clip.frames,
        "of_frames": clip.of_frames,
        "rate": round(rate, 3),
        "sha256": clip.digest,
    }
