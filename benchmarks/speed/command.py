"""``python -m benchmarks speed``: the cost of anonymising, and how it grows.

Results: ``rows``, one for each point measured (:class:`benchmarks.speed.grid.Cell`, then the
figures of :mod:`benchmarks.speed.figures`), each with the ``axes`` it lies on; the floors are rows,
too. Times are in ms; fps is of whole processes from start to exit, ``line_fps`` from the first
frame on.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import click

from benchmarks import ROOT, record
from benchmarks import options as shared
from benchmarks.speed import figures, grid
from benchmarks.speed.account import measured
from benchmarks.speed.clips import scenes
from benchmarks.speed.floors import FLOORS
from benchmarks.speed.grid import Cell
from benchmarks.speed.rounds import Run, interleaved, session
from streamanon.config import Config
from streamanon.errors import UsageError
from streamanon.pipeline.document import sha256

QUICK_FRAMES = 130


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    clip: Path
    methods: Sequence[str]
    frames: int
    rounds: int
    quick: bool
    full: bool
    out: Path | None
    cache: Path

    @property
    def folder(self) -> Path:
        """Folder of the results; a quick run replaces published ones only with --out."""
        return record.destination(self.out, self.cache, quick=self.quick)

    @cached_property
    def session(self) -> Path:
        """Folder of the runs until the results are written."""
        return session(self.cache, "speed", [self.settings(), self.methods, self.quick, self.full])

    def axes(self) -> dict[str, list[Cell]]:
        """Return the cells to measure, by axis."""
        if self.quick:
            small = grid.Axes((360,), (0, 1), self.methods, ["mosaic"], [grid.available_threads()])
            return grid.sweep(small, base_height=360)
        others = [method for method in grid.METHODS if method not in self.methods]
        threads = grid.threads_to_try()
        axes = grid.Axes(grid.HEIGHTS, grid.FACES, self.methods, others, threads)
        return grid.everything(axes) if self.full else grid.sweep(axes)

    def settings(self) -> dict[str, Any]:
        """Return the settings that are stored with the results."""
        return {
            "clip": self.clip.name,
            "clip_sha256": sha256(self.clip),
            "frames": self.frames,
            "rounds": self.rounds,
            "warm_up": f"percentiles: the first {figures.WARM_UP_FRAMES} frames of each run are "
            "left out; whole processes: none, their start counts",
            "latency": "from a frame leaving the source to the encoder having taken it; in files "
            "this holds the look-ahead, live there is none",
            "live_rate": grid.LIVE_RATE,
        }


@click.command(short_help="Time, processor and memory of whole runs.")
@click.option(
    "--clip",
    type=click.Path(path_type=Path),
    default=ROOT / "examples" / "demo.mp4",
    help="Footage of one person, which scenes are made of (default: the bundled clip).",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    type=click.Choice(grid.METHODS),
    default=(Config().method,),
    show_default=True,
    help="Methods to sweep; the others are measured at 720p with one face.",
)
@click.option("--frames", default=240, show_default=True, help="Frames of each scene.")
@click.option(
    "--rounds", default=3, show_default=True, help="Number of times that everything is measured."
)
@click.option(
    "--quick", is_flag=True, help="A few small scenes, once, to check that everything works."
)
@click.option("--full", is_flag=True, help="Measure every combination, not only along the axes.")
@shared.cache
@shared.out
def command(**options: Any) -> None:
    """Measure speed over resolution, faces, method and processor threads, beside the floors.

    Scenes are made of real footage. Everything runs in a process of its own, in turn, several
    rounds; figures are medians over rounds, and percentiles over all frames of all rounds.
    """
    request = Request(**options)
    if request.quick:
        request = replace(request, frames=QUICK_FRAMES, rounds=1)
    if not request.clip.is_file():
        raise UsageError(f"clip {request.clip} does not exist: check the name")
    if request.frames < figures.MIN_FRAMES or request.rounds < 1:
        raise UsageError(
            f"{request.frames} frames and {request.rounds} rounds measure nothing: "
            f"use at least {figures.MIN_FRAMES} and 1"
        )
    rows = measure(request)
    path = record.save("speed", {"rows": rows}, settings=request.settings(), folder=request.folder)
    shutil.rmtree(request.session)
    dead = [row for row in rows if not row.get("alive", True)]
    for row in dead:
        click.echo(f"not valid: {row['method']} {row['height']}p: {row['reason']}", err=True)
    click.echo(f"{path}: {len(rows)} rows, {len(dead)} of them not valid")
    if warning := figures.disturbance(rows):
        click.echo(warning, err=True)


def measure(request: Request) -> list[dict[str, Any]]:
    """Return the rows of all cells and their floors."""
    axes = request.axes()
    cells = grid.with_floors(cell for along in axes.values() for cell in along)
    points = [(cell.height, cell.faces) for cell in cells]
    made = scenes(request.clip, request.frames, points, request.cache)
    with tempfile.TemporaryDirectory() as name:
        contestants = {
            cell.label: partial(_run, cell, made[cell.height, cell.faces], Path(name))
            for cell in cells
        }
        runs = interleaved(contestants, request.rounds, request.session)
    rows = []
    for cell in cells:
        floors = {} if cell.rate else {name: runs[cell.floor(name).label] for name in FLOORS}
        on = [axis for axis, along in axes.items() if cell in along]
        rows.append({**figures.row(cell, runs[cell.label], floors), "axes": on})
    return rows


def _run(cell: Cell, scene: Path, folder: Path) -> Run:
    """Run one cell once."""
    times, output = folder / "times.json", folder / "output.mp4"
    if cell.method in FLOORS:
        module = ["benchmarks.speed.floors", cell.method, str(scene), str(output)]
        usage = measured([sys.executable, "-m", *module], cores=cell.threads)
        return Run(usage, {"frames": int(scene.stem.split("-")[-1])})
    module = ["benchmarks.speed.worker", str(scene), str(output), str(times)]
    asked = ["--method", cell.method]
    asked += ["--rate", str(cell.rate)] if cell.rate else []
    asked += ["--runtime", cell.runtime] if cell.runtime else []
    usage = measured([sys.executable, "-m", *module, *asked], cores=cell.threads)
    return Run(usage, json.loads(times.read_text()))
