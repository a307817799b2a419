"""Tables of the speed suite."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from benchmarks.report.records import Record
from benchmarks.report.tables import Better, Cell, Column, Table, TextTable, column
from benchmarks.speed import figures
from streamanon.errors import counted

Row = dict[str, Any]

FLOOR = "decode+encode"
"""What other rows are held against."""

PERCENTILES = ("p50", "p95", "p99")

AXES: dict[str, tuple[str, Callable[[Row], str]]] = {
    "height": ("resolution", lambda row: f"{row['width']}x{row['height']}"),
    "faces": ("faces", lambda row: counted(row["faces"], "face")),
    "threads": ("processor threads", lambda row: counted(row["threads"], "thread")),
}
"""By axis, what it is called and how a point on it is."""


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the speed suite, in the order of the page."""
    yield _methods(record)
    yield _stages(record)
    yield _latency(record)
    for axis, (name, _) in AXES.items():
        for method in swept(record, axis):
            yield _axis(record, axis, method, f"Cost over {name}, {method}")
    yield from _runtimes(record)


def provider(record: Record) -> str:
    """Return what ran the networks."""
    ran = {name for row in record.results["rows"] for name in row.get("runtimes", {}).values()}
    return "; ".join(sorted(ran)) or "nothing: floors only"


def is_floor(row: Row) -> bool:
    """Tell whether a row is a floor: nothing of the product ran."""
    return "stages" not in row


def base(record: Record) -> dict[str, Row]:
    """Return the rows at the base point by method, the floors before them."""
    rows = record.results["rows"]
    measured = [row for row in rows if "method" in row["axes"]]
    if not measured:
        return {}
    point = _point(measured[0])
    floors = [row for row in rows if is_floor(row) and _point(row) == point]
    return {row["method"]: row for row in [*floors, *measured]}


def swept(record: Record, axis: str) -> list[str]:
    """Return the methods that were measured at several points of an axis."""
    on = [row["method"] for row in record.results["rows"] if axis in row["axes"]]
    return [method for method in dict.fromkeys(on) if on.count(method) > 1]


def along(record: Record, axis: str, method: str) -> list[Row]:
    """Return the rows of a method along an axis, in its order."""
    rows = [r for r in record.results["rows"] if axis in r["axes"] and r["method"] == method]
    return sorted(rows, key=lambda row: float(row[axis]))


def floors_along(record: Record, rows: Sequence[Row], method: str) -> list[Row]:
    """Return the rows of a floor at the points of some rows; those without one are left out."""
    found = {_point(row): row for row in record.results["rows"] if row["method"] == method}
    return [found[_point(row)] for row in rows if _point(row) in found]


def fps(row: Row) -> Cell:
    """Return frames a second of the whole process: the median round and the range of all."""
    runs = row["fps_runs"]
    interval = (min(runs), max(runs)) if len(runs) > 1 else None
    return Cell(row["fps"], None, interval, row["rounds"], dead(row))


def dead(row: Row) -> str:
    """Return the reason why a row is not valid; "" if it is."""
    return "" if row.get("alive", True) else str(row["reason"])


def _point(row: Row) -> tuple[Any, ...]:
    return row["height"], row["faces"], row["threads"]


def _costs(rows: Mapping[str, Row], *, compared: bool = False) -> tuple[Column, ...]:
    """Return what it costs to make the frames of some rows."""
    less: Better = "less" if compared else ""
    more: Better = "more" if compared else ""
    inside = {name: row for name, row in rows.items() if not is_floor(row)}
    beside = {name: row for name, row in rows.items() if FLOOR in row["ratio"]}
    return (
        column("frames/s, whole process", rows, fps, more),
        column("frames/s from the first frame on", inside, _plain("line_fps"), more),
        column(
            f"times {FLOOR} alone",
            beside,
            lambda row: Cell(row["ratio"][FLOOR], n=row["rounds"], dead=dead(row)),
        ),
        column("processor ms a frame", rows, _plain("cpu_ms"), less),
        column("peak memory, MB", rows, _plain("peak_mb"), less),
        column("taken by other processes", rows, _plain("others"), unit="%"),
    )


def _plain(key: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(row[key], n=row["rounds"], dead=dead(row))


def _methods(record: Record) -> Table:
    rows, settings = base(record), record.settings
    point = next(iter(rows.values()), None)
    where = point and f"{point['width']}x{point['height']}, {counted(point['faces'], 'face')}"
    return Table(
        "Methods side by side",
        _costs(rows, compared=True),
        f"{where}, {settings['frames']} frames of {settings['clip']} made into scenes; median of "
        f"{counted(settings['rounds'], 'round')}, in brackets the slowest and the fastest. "
        f"Warm-up: {settings['warm_up']}. {disturbance(record)}",
    )


def disturbance(record: Record) -> str:
    """Return a warning where the machine was not quiet, or ""."""
    warning = figures.disturbance(record.results["rows"])
    return f"**Not quiet**: {warning}." if warning else ""


def _stages(record: Record) -> Table:
    """Return how long the stages of each method work on a frame, and wait for it."""
    spreads = {
        f"{method}: {stage}": spread
        for method, row in base(record).items()
        if not dead(row)
        for stage, spread in row.get("stages", {}).items()
    }
    return Table(
        "Stages, ms a frame",
        tuple(
            one
            for label, key in (("works", "worked_ms"), ("waits", "waited_ms"))
            for one in _percentiles(label, {name: spread[key] for name, spread in spreads.items()})
        ),
        "Each stage is a thread of its own; the slowest one sets the pace. Percentiles over the "
        "frames of all rounds, none under n = 100.",
    )


def _latency(record: Record) -> Table:
    live = [row for row in record.results["rows"] if row["rate"]]
    rows = {f"{method}, file": row for method, row in base(record).items() if not is_floor(row)}
    rows |= {f"{row['method']}, live at {row['rate']:g} fps": row for row in live}
    dropped = column(
        "share of frames dropped",
        rows,
        lambda row: Cell(
            row["dropped"] / (row["rounds"] * row["frames"] + row["dropped"]), dead=dead(row)
        ),
        unit="%",
    )
    spreads = {name: row["latency_ms"] for name, row in rows.items() if not dead(row)}
    return Table(
        "Latency, ms",
        (*_percentiles("", spreads), dropped),
        f"Time {record.settings['latency']}.",
    )


def _percentiles(label: str, spreads: Mapping[str, dict[str, Any] | None]) -> tuple[Column, ...]:
    """Return a column a percentile; without a value where there were too few frames."""

    def take(key: str) -> Callable[[dict[str, Any] | None], Cell]:
        return lambda spread: Cell(spread[key], n=spread["n"]) if spread else Cell(None, n=0)

    return tuple(column(f"{label} {key}".strip(), spreads, take(key)) for key in PERCENTILES)


def _axis(record: Record, axis: str, method: str, title: str) -> Table:
    name = AXES[axis][1]
    return Table(title, _costs({name(row): row for row in along(record, axis, method)}))


def _runtimes(record: Record) -> Iterator[Table]:
    """Yield a table of the runtimes that the network of a method was run on."""
    found = [row for row in record.results["rows"] if "runtime" in row["axes"]]
    rows = {f"{row['method']} on {row['runtime']}": row for row in found}
    if rows:
        spreads = {name: row["stages"]["replace"]["worked_ms"] for name, row in rows.items()}
        replace = _percentiles("replace works, ms,", spreads)
        yield Table("Runtimes of the network", (*_costs(rows), *replace))
