"""``python -m benchmarks gpu``: the cost of the network on this machine's NVIDIA GPU.

Results: ``limits`` of the GPU as measured here; ``networks``, the source of their weights and the
operations of a run; ``rows``, one for each network, variant (key ``way``) and batch size, or one
that says what is missing; ``lines``, whole lines from source to output
(:mod:`benchmarks.gpu.lines`). ``ms`` is the time of a run with everything on the GPU, ``whole_ms``
from arrays in memory to arrays in memory; ``arithmetic`` and ``bandwidth`` are shares of the
limits, ``levels`` the largest difference from float32 in PyTorch, of 255.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from benchmarks import ROOT, record
from benchmarks import options as shared
from benchmarks.gpu.variants import variants
from benchmarks.gpu.worker import Task
from streamanon.errors import UsageError

PARTS = ("networks", "lines")
NETWORKS = ("live", "base")
VARIANTS = tuple(variants(Path()))
QUICK_VARIANTS = ("eager", "onnxruntime", "tensorrt")
RUNTIMES = ("onnxruntime", "torch", "torch-tensorrt", "tensorrt", "cuda")
"""Runtimes that whole lines are measured with; the first, on the processor, is the reference."""

SHIPPED = ROOT / "training" / "live.pt"
CLIP = ROOT / "examples" / "demo.mp4"
CACHE = ROOT / ".cache" / "streamanon-bench"
BYTES = {"fp32": 4, "fp16": 2}


@dataclass(frozen=True)
class Request:
    """The options of the command."""

    parts: tuple[str, ...]
    runtimes: tuple[str, ...]
    networks: tuple[str, ...]
    variants: tuple[str, ...]
    batches: tuple[int, ...]
    live: Path | None
    base: Path | None
    device: str
    limit_s: float
    quick: bool
    out: Path | None

    @property
    def folder(self) -> Path:
        """Folder of the results; quick runs and runs without a GPU replace no published ones."""
        return record.destination(self.out, CACHE, quick=self.quick or self.device == "cpu")

    def task(self, do: str, network: str, folder: Path) -> Task:
        """Return the task of a process."""
        weights = self.live if network == "live" else self.base
        found = str(weights.resolve()) if weights else None
        return Task(do, network, found, self.batches, self.device, self.quick, str(folder))

    def settings(self) -> dict[str, Any]:
        """Return the settings that are stored with the results."""
        return {
            "device": self.device,
            "small_networks": self.quick,
            "float32": "is float32: TF32 is off",
            "operations": "additions and multiplications of convolutions and matrix products",
            "bytes": "read and written by these, weights included, in the precision of the variant",
            "limits": "a product of two matrices of 8192 x 8192, and a copy of 1 GiB",
            "lines": "anonygan on scenes made of the bundled clip; latency is from a frame leaving "
            "the source to the encoder having taken it, and of files holds the look-ahead",
        }


@click.command(short_help="The network on an NVIDIA GPU, by every runtime.")
@click.option("--part", "parts", multiple=True, type=click.Choice(PARTS), default=PARTS)
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Choice(RUNTIMES),
    default=RUNTIMES,
    help="Runtime of whole lines.",
)
@click.option("--network", "networks", multiple=True, type=click.Choice(NETWORKS), default=NETWORKS)
@click.option(
    "--variant", "variants", multiple=True, type=click.Choice(VARIANTS), help="Default: all."
)
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
@click.option("--limit-s", default=240.0, show_default=True, help="Time limit of one variant.")
@click.option("--quick", is_flag=True, help="Small networks, few runs: does everything work?")
@shared.out
def command(**options: Any) -> None:
    """Measure every variant of the network on a GPU; the results name those that cannot run.

    Also measure whole lines, from source to output, with the network on the GPU and on the
    processor. Results are written after each variant, so that an interrupted run can continue;
    those that are not asked for are kept if they were measured on the same GPU.
    """
    batches = tuple(int(batch) for batch in options.pop("batches"))
    chosen = options.pop("variants") or (QUICK_VARIANTS if options["quick"] else VARIANTS)
    request = Request(batches=batches, variants=chosen, **options)
    with tempfile.TemporaryDirectory() as folder:
        path = measure(request, Path(folder))
    click.echo(str(path))


def measure(request: Request, folder: Path) -> Path:
    """Measure everything, and return the file with the results.

    Raises:
        UsageError: the device is not available.
    """
    limits = _run_task(request.task("limits", "", folder), request.limit_s)
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
    """Return earlier results of the same GPU that are not measured now."""
    kept: dict[str, Any] = {"limits": limits, "networks": {}, "rows": [], "lines": []}
    try:
        before = record.load("gpu", request.folder)["results"]
    except UsageError:
        return kept
    if before["limits"]["name"] != limits["name"]:
        return kept
    again = {
        (n, w) for n in request.networks for w in request.variants if "networks" in request.parts
    }
    rows = [row for row in before["rows"] if (row["network"], row["way"]) not in again]
    others = {row["network"]: before["networks"][row["network"]] for row in rows}
    lines = before.get("lines", [])
    if "lines" in request.parts:
        lines = [row for row in lines if row.get("runtime") not in (None, *request.runtimes)]
    return kept | {"networks": others, "rows": rows, "lines": lines}


def _measure_networks(
    request: Request, results: dict[str, Any], folder: Path, save: Callable[[], Path]
) -> None:
    """Add a row for each network, variant and batch size."""
    for network in request.networks:
        about = _run_task(request.task("graph", network, folder), request.limit_s)
        results["networks"][network] = about
        for variant in request.variants:
            rows = _rows(request, network, variant, folder)
            found = [_shares(row, results["limits"], about) for row in rows]
            results["rows"] += [row | {"commit": record.commit()} for row in found]
            save()
            for row in rows:
                click.echo(_described(row), err=True)


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
            click.echo(lines.described(row), err=True)


def _rows(request: Request, network: str, variant: str, folder: Path) -> list[dict[str, Any]]:
    """Return a row for each batch, or one row with the reason why it could not be measured."""
    found = _run_task(request.task(variant, network, folder), request.limit_s)
    named = {"network": network, "way": variant}
    return [named | row for row in found] if isinstance(found, list) else [named | found]


def _run_task(task: Task, limit_s: float) -> Any:
    """Return the results of a process, or ``missing`` with the reason why there are none."""
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
    """Return a row with faces a second and shares of the limits added."""
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


def _described(row: dict[str, Any]) -> str:
    named = f"{row['network']:5} {row['way']:22}"
    if "missing" in row:
        return f"{named} missing: {row['missing']}"
    took = f"{row['ms']:.3f} ms on the GPU, " if "ms" in row else ""
    return f"{named} batch {row['batch']:2}: {took}{row['whole_ms']:.3f} ms whole"
