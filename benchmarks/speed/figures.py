"""Rows of the results out of runs."""

from __future__ import annotations

from dataclasses import asdict
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.speed.clips import width_of
from benchmarks.speed.floors import FLOORS
from benchmarks.summary import MIN_FOR_PERCENTILES, percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.speed.grid import Cell
    from benchmarks.speed.rounds import Run

WARM_UP_FRAMES = 24
"""Frames at the start of each run that percentiles leave out."""

MIN_FRAMES = WARM_UP_FRAMES + 6
"""Least number of frames of a scene."""

MAX_OTHERS = 0.1
"""Share of the machine that other processes may take before times are unreliable."""

MIN_FOUND = 0.9
"""Share of the visible faces that a run must have hidden for its speed to be valid."""

MIN_REPLACED = 0.5
"""Share of the hidden faces that the method itself must have hidden."""


def row(cell: Cell, runs: Sequence[Run], floors: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Return the figures of one cell.

    Args:
        cell: the point that was measured.
        runs: one run for each round.
        floors: runs of the floors in the same rounds, by name; empty for live cells.
    """
    known = {
        **asdict(cell),
        "width": width_of(cell.height),
        "rounds": len(runs),
        **cost(runs),
        "ratio": {name: ratio(runs, others) for name, others in floors.items()},
    }
    inside = {} if cell.method in FLOORS else _inside(cell, runs)
    return {key: rounded(value) for key, value in {**known, **inside}.items()}


def cost(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the cost of the runs of one contestant: time, processor time, memory."""
    return {
        "frames": median(run.details["frames"] for run in runs),
        "fps": median(fps(run) for run in runs),
        "fps_runs": [fps(run) for run in runs],
        "cpu_ms": median(1000 * run.usage.cpu_s / run.details["frames"] for run in runs),
        "peak_mb": max(run.usage.peak_mb for run in runs),
        "others": max(run.usage.others for run in runs),
    }


def disturbance(rows: Sequence[dict[str, Any]]) -> str:
    """Return a warning if other processes were busy during the measurement, else ""."""
    worst = max(row["others"] for row in rows)
    if worst < MAX_OTHERS:
        return ""
    return f"other processes took up to {worst:.0%} of the machine: times are unreliable"


def rounded(value: Any) -> Any:
    """Round all floats in plain values to four significant digits."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: rounded(inside) for key, inside in value.items()}
    return [rounded(inside) for inside in value] if isinstance(value, list) else value


def ratio(runs: Sequence[Run], others: Sequence[Run]) -> float:
    """Return how many times as fast as other runs these were: median over rounds."""
    return median(fps(a) / fps(b) for a, b in zip(runs, others, strict=True))


def fps(run: Run) -> float:
    """Return frames over seconds from the start to the exit of the process."""
    return float(run.details["frames"] / run.usage.elapsed_s)


def _inside(cell: Cell, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures that runs of the product measured themselves."""
    details = [run.details for run in runs]
    names = [name for name in details[0]["stages"] if not (cell.rate and name == "read")]
    stages = {
        name: {
            kind.replace("_s", "_ms"): spread_ms(d["stages"][name][kind] for d in details)
            for kind in ("worked_s", "waited_s")
        }
        for name in names
    }
    return {
        "line_fps": median(d["frames"] / d["line_s"] for d in details),
        "dropped": sum(d["dropped"] for d in details),
        "latency_ms": spread_ms(d["latency_s"] for d in details),
        "stages": stages,
        "runtimes": details[0]["runtimes"],
        **_validity(cell, details),
    }


def spread_ms(series: Iterable[Sequence[float]]) -> dict[str, float | int] | None:
    """Return n and percentiles in ms over all runs; None with too few values.

    Args:
        series: seconds of each frame, for each run.
    """
    values = [1000 * value for one in series for value in one[WARM_UP_FRAMES:]]
    if len(values) < MIN_FOR_PERCENTILES:
        return None
    return {"n": len(values), **percentiles(values)}


def _validity(cell: Cell, details: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return whether faces were really hidden: a run that finds none is fast and not valid."""
    frames = sum(d["frames"] for d in details)
    counts = {
        key: sum(d[key] for d in details) / frames for key in ("replaced", "second_best", "covered")
    }
    hidden, reason = counts["replaced"] + counts["covered"], ""
    best = counts["replaced"] - counts["second_best"]
    if hidden < MIN_FOUND * cell.faces:
        reason = f"{hidden:.2f} faces a frame were hidden, {cell.faces} are in view"
    elif best < MIN_REPLACED * hidden:
        reason = f"{hidden:.2f} faces a frame were hidden, {best:.2f} of them as the method does"
    elif any(d["uncovered"] for d in details):
        reason = "faces were left uncovered"
    return {**counts, "alive": not reason, **({"reason": reason} if reason else {})}
