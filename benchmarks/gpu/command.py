"""``python -m benchmarks gpu``: what the network costs on this machine's NVIDIA card.

Results: ``limits`` of the card as measured here; ``networks``, where their weights come from and
what a run has to do; ``rows``, one for each network, way and batch, or one that says what a way
lacks; ``lines``, whole lines from source to output (:mod:`benchmarks.gpu.lines`). ``ms`` is a run
with everything on the card, ``whole_ms`` one from arrays in memory to arrays in memory;
``arithmetic`` and ``bandwidth`` are shares of the limits, ``levels`` the largest difference from
float32 in PyTorch, of 255.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from benchmarks import ROOT, record
from benchmarks.gpu.ways import ways
from benchmarks.gpu.worker import Task
from streamanon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = ("networks", "lines")
NETWORKS = ("live", "base")
WAYS = tuple(ways(Path()))
QUICK_WAYS = ("eager", "onnxruntime", "tensorrt")
RUNTIMES = ("onnxruntime", "torch", "torch-tensorrt", "tensorrt", "cuda")
"""Of whole lines; the processor first, to hold the others against."""

SHIPPED = ROOT / "training" / "live.pt"
CLIP = ROOT / "examples" / "demo.mp4"
CACHE = ROOT / ".cache" / "streamanon-bench"
BYTES = {"fp32": 4, "fp16": 2}


@dataclass(frozen=True)
class Request:
    """What was asked for, by the names of the options."""

    parts: tuple[str, ...]
    runtimes: tuple[str, ...]
    networks: tuple[str, ...]
    ways: tuple[str, ...]
    batches: tuple[int, ...]
    live: Path | None
    base: Path | None
    device: str
    limit_s: float
    quick: bool
    out: Path | None

    @property
    def folder(self) -> Path:
        """Where the results go: a quick run, or one without a card, replaces no published one."""
        return record.destination(self.out, CACHE, quick=self.quick or self.device == "cpu")

    def task(self, do: str, network: str, folder: Path) -> Task:
        """Return what a process is to do."""
        weights = self.live if network == "live" else self.base
        found = str(weights.resolve()) if weights else None
        return Task(do, network, found, self.batches, self.device, self.quick, str(folder))

    def settings(self) -> dict[str, Any]:
        """Return what the results are to say of how they came about."""
        return {
            "device": self.device,
            "small_networks": self.quick,
            "float32": "is float32: TF32 is off",
            "operations": "additions and multiplications of convolutions and matrix products",
            "bytes": "read and written by these, weights included, in the precision of the way",
            "limits": "a product of two matrices of 8192 x 8192, and a copy of 1 GiB",
            "lines": "anonygan on scenes made of the bundled clip; latency is from a frame leaving "
            "the source to the encoder having taken it, and of files holds the look-ahead",
        }


@click.command(short_help="The network on an NVIDIA card, in every way.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=PARTS)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Choice(RUNTIMES),
    default=RUNTIMES,
    help="Of whole lines.",
)
@click.option("--network", "networks", multiple=True, type=click.Choice(NETWORKS), default=NETWORKS)
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), help="Default: all.")
@click.option(
    "--batch",
    "batches",
    multiple=True,
    type=click.Choice(("1", "4", "16")),
    default=("1", "4", "16"),
)
@click.option(
    "--live",
    type=click.Path(path_type=Path),
    default=SHIPPED if SHIPPED.is_file() else None,
    help="Weights of the network that ships, as training wrote them; random ones without.",
)
@click.option("--base", type=click.Path(path_type=Path), help="Weights of the larger network.")
@click.option("--device", type=click.Choice(("cuda", "cpu")), default="cuda", show_default=True)
@click.option("--limit-s", default=240.0, show_default=True, help="Longest that one way may take.")
@click.option("--quick", is_flag=True, help="Small networks, few runs: does everything work?")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the results.")
def command(**options: Any) -> None:
    """Measure every way to run the network on a card; one that is missing is said to be missing.

    And whole lines, from source to output, with the network on the card and on the processor.
    Results are written after each way, so that what is interrupted is not lost; what is not asked
    for is kept when it was measured on the same card.
    """
    batches = tuple(int(batch) for batch in options.pop("batches"))
    chosen = options.pop("ways") or (QUICK_WAYS if options["quick"] else WAYS)
    request = Request(batches=batches, ways=chosen, **options)
    with tempfile.TemporaryDirectory() as folder:
        path = measure(request, Path(folder))
    click.echo(str(path))


def measure(request: Request, folder: Path) -> Path:
    """Measure everything, and return the file with the results.

    Raises:
        UsageError: there is no such device.
    """
    limits = _done(request.task("limits", "", folder), request.limit_s)
    if "missing" in limits:
        raise UsageError(f"nothing can be measured on {request.device}: {limits['missing']}")
    results = _kept(request, limits)
    save = partial(record.save, "gpu", results, settings=request.settings(), folder=request.folder)
    if "networks" in request.parts:
        _measure_networks(request, results, folder, save)
    if "lines" in request.parts:
        _measure_lines(request, results, save)
    return save()


def _kept(request: Request, limits: dict[str, Any]) -> dict[str, Any]:
    """Return what was measured before, on the same card, and is not asked for now."""
    kept: dict[str, Any] = {"limits": limits, "networks": {}, "rows": [], "lines": []}
    try:
        before = record.load("gpu", request.folder)["results"]
    except UsageError:
        return kept
    if before["limits"]["name"] != limits["name"]:
        return kept
    again = {(n, w) for n in request.networks for w in request.ways if "networks" in request.parts}
    rows = [row for row in before["rows"] if (row["network"], row["way"]) not in again]
    others = {row["network"]: before["networks"][row["network"]] for row in rows}
    lines = before.get("lines", [])
    if "lines" in request.parts:
        lines = [row for row in lines if row.get("runtime") not in (None, *request.runtimes)]
    return kept | {"networks": others, "rows": rows, "lines": lines}


def _measure_networks(
    request: Request, results: dict[str, Any], folder: Path, save: Callable[[], Path]
) -> None:
    """Add a row for each network, way and batch."""
    for network in request.networks:
        about = _done(request.task("graph", network, folder), request.limit_s)
        results["networks"][network] = about
        for way in request.ways:
            rows = _rows(request, network, way, folder)
            found = [_shares(row, results["limits"], about) for row in rows]
            results["rows"] += [row | {"commit": record.commit()} for row in found]
            save()
            for row in rows:
                click.echo(_told(row), err=True)


def _measure_lines(request: Request, results: dict[str, Any], save: Callable[[], Path]) -> None:
    """Add a row for each runtime and point."""
    try:
        from benchmarks.gpu import lines
    except ImportError as error:  # of PyAV, which a bare machine may lack
        results["lines"].append({"missing": str(error)})
        click.echo(f"lines        missing: {error}", err=True)
        return
    plan = lines.QUICK if request.quick else lines.FULL
    for runtime in request.runtimes:
        for row in lines.measured(runtime, plan, CLIP, CACHE, request.limit_s):
            results["lines"].append(row | {"commit": record.commit()})
            save()
            click.echo(lines.told(row), err=True)


def _rows(request: Request, network: str, way: str, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each batch, or one that says why there is none."""
    found = _done(request.task(way, network, folder), request.limit_s)
    named = {"network": network, "way": way}
    return [named | row for row in found] if isinstance(found, list) else [named | found]


def _done(task: Task, limit_s: float) -> Any:
    """Return what a process found out, or ``missing`` with the reason it found out nothing."""
    file = Path(task.folder) / "task.json"
    file.write_text(json.dumps(asdict(task)))
    words = [sys.executable, "-m", "benchmarks.gpu.worker", str(file)]
    try:
        run = subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        return {"missing": f"took longer than {limit_s:.0f} s"}
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    said = [line for line in run.stderr.splitlines() if line and not line.startswith(" ")]
    return {"missing": said[-1] if said else f"ended with {run.returncode}"}


def _shares(row: dict[str, Any], limits: dict[str, Any], about: dict[str, Any]) -> dict[str, Any]:
    """Return a row with faces a second, and its shares of the limits."""
    work = about.get("work", {}).get(str(row.get("batch")))
    took = row.get("ms", row.get("whole_ms"))
    if took is None or work is None:
        return row
    rate = limits["operations_per_s"].get(row["precision"])
    moved = work["elements"] * BYTES[row["precision"]]
    return row | {
        "faces_per_s": row["batch"] * 1000 / took,
        "arithmetic": work["operations"] * 1000 / took / rate if rate else None,
        "bandwidth": moved * 1000 / took / limits["bytes_per_s"],
    }


def _told(row: dict[str, Any]) -> str:
    named = f"{row['network']:5} {row['way']:22}"
    if "missing" in row:
        return f"{named} missing: {row['missing']}"
    took = f"{row['ms']:.3f} ms on the card, " if "ms" in row else ""
    return f"{named} batch {row['batch']:2}: {took}{row['whole_ms']:.3f} ms whole"
