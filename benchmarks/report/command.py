"""``python -m benchmarks report``: the page, its pictures and the README's table."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track

from benchmarks import ROOT, record
from benchmarks.report import page, pictures
from benchmarks.report.records import read
from streamanon.errors import UsageError


@click.command(short_help="Tables, plots and pictures of the results.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=record.RESULTS,
    help="Folder of the results (default: benchmarks/results).",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path),
    default=ROOT,
    help="Folder with docs/benchmarks.md to write and README.md to update, if it exists "
    "(default: this project).",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if a file is out of date.")
@click.option(
    "--redraw",
    is_flag=True,
    help="Run all methods on the bundled pictures again, not only those without pictures.",
)
def command(*, results: Path, root: Path, check: bool, redraw: bool) -> None:
    """Write docs/benchmarks.md, its plots and pictures, and the table of README.md."""
    records = read(results)
    texts = {root / "docs" / "benchmarks.md": page.page(records)}
    front = root / "README.md"
    if front.is_file():
        texts[front] = page.with_block(front.read_text(encoding="utf-8"), page.readme(records))
    folder = root / "docs" / page.FOLDER
    methods = page.pictured(records)
    if check:
        stale = [*_stale(texts), *_absent(folder, records, methods)]
        if stale:
            raise UsageError(f"out of date: {', '.join(stale)}: run `make report`")
        click.echo("up to date")
        return
    folder.mkdir(parents=True, exist_ok=True)
    for plot in page.planned(records):
        plot.write(folder)
    wanted = [name for name in methods if redraw or _without_pictures(folder, name)]
    for name in track(wanted, "drawing pictures", console=Console(stderr=True)):
        pictures.write(name, folder, pictures.bundled())
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {', '.join(map(str, texts))}")


def _stale(texts: dict[Path, str]) -> Iterator[str]:
    """Yield the names of files that are missing or differ."""
    for path, text in texts.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            yield path.name


def _absent(folder: Path, records: page.Records, methods: list[str]) -> Iterator[str]:
    """Yield the names of missing plots and pictures."""
    names = [plot.name for plot in page.planned(records)]
    names += [file for name in methods for file in pictures.files(name)]
    yield from (name for name in names if not (folder / name).is_file())


def _without_pictures(folder: Path, name: str) -> bool:
    return not all((folder / file).is_file() for file in pictures.files(name))
