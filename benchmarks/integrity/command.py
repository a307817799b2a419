"""`python -m benchmarks integrity`: anonymises files of every kind, and compares each."""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from benchmarks.integrity.comparison import (
    colour_difference,
    complaints,
    decode,
    differences,
    tag_differences,
)
from benchmarks.integrity.recipes import RECIPES, Recipe, make
from benchmarks.record import save
from streamanon.config import Config
from streamanon.errors import StreamanonError, UsageError
from streamanon.factory import Factory
from streamanon.files.run import anonymise_with

VIDEOS = (".avi", ".gif", ".mkv", ".mov", ".mp4", ".ts", ".vob", ".webm", ".wmv")


KNOWN = {
    "paff_field_packets.ts": Recipe("paff_field_packets.ts", "", frames=100, faces=True),
    "ts_back.ts": Recipe("ts_back.ts", "", frames=100, covered=4),
    "ts_forward.ts": Recipe("ts_forward.ts", "", frames=100, covered=4),
}
"""Files of which more is known than what the ffmpeg command decodes."""


@click.command()
@click.argument("names", nargs=-1)
@click.option("--cases", type=click.Path(path_type=Path), help="Folder of further files.")
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("/tmp/streamanon-integrity"),
    show_default=True,
    help="Folder that inputs and results are kept in.",
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the figures.")
def command(names: tuple[str, ...], cases: Path | None, cache: Path, out: Path | None) -> None:
    """Compare files of every kind, or those of NAMES, with what the ffmpeg command decodes."""
    if not shutil.which("ffmpeg"):
        raise UsageError("the ffmpeg command is missing: install ffmpeg")
    cache.mkdir(parents=True, exist_ok=True)
    found = [path for path in sorted(cases.iterdir()) if path.suffix in VIDEOS] if cases else []
    jobs: list[tuple[Recipe, Path | None]] = [(recipe, None) for recipe in RECIPES]
    jobs += [(KNOWN.get(path.name, Recipe(path.name, "")), path) for path in found]
    results = {}
    with closing(Factory(Config(method="mosaic", overwrite=True))) as factory:
        for recipe, path in jobs:
            if names and recipe.file not in names:
                continue
            wrong = _judge(factory, recipe, path, cache)
            results[recipe.file] = wrong
            click.echo(f"{recipe.file}: {complaints(wrong)}")
    good = sum(not wrong for wrong in results.values())
    click.echo(f"{good} of {len(results)} files came out as they went in")
    if not names:
        settings: dict[str, Any] = {"method": "mosaic", "files": len(results)}
        figures = {"good": good, "wrong": {name: one for name, one in results.items() if one}}
        click.echo(
            save("integrity", figures, settings=settings, **({"folder": out} if out else {}))
        )


def _judge(factory: Factory, recipe: Recipe, path: Path | None, cache: Path) -> list[str]:
    """Return what is wrong with what becomes of a file."""
    try:
        path = path or make(recipe, cache)
        output = cache / f"out-{recipe.file}{recipe.output}"
        report = anonymise_with(factory, path, output)
        before, after = decode(path), decode(output)
        covered = report.ledger.whole_frames
        wrong = differences(
            before, after, frames=recipe.frames, covered=covered, allowed=recipe.covered
        )
        if len(before.times_s) == len(after.times_s) and not recipe.faces:
            wrong += colour_difference((path, output), (before, after))
        return wrong + tag_differences(before, after)
    except StreamanonError as error:
        return [str(error)]
