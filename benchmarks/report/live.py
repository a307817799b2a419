"""Tables of the live suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, TextTable, column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.report.records import Record
    from benchmarks.report.tables import Better

Row = dict[str, Any]

QUIET_LOAD = 0.5
"""Number of other processes ready to run before a measurement, above which its times say little."""


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the live suite, in the order of the page."""
    rows: dict[str, list[Row]] = {"latency": [], "memory": [], "faults": []}
    for row in record.results["rows"]:
        rows[row["kind"]].append(row)
    if rows["latency"]:
        yield _latency(record, rows["latency"])
    if rows["memory"]:
        yield _memory(record, rows["memory"])
    if rows["faults"]:
        yield _faults(rows["faults"])


def provider(record: Record) -> str:
    """Return the runtimes of the networks."""
    return str(record.settings["provider"])


def _latency(record: Record, rows: list[Row]) -> Table:
    settings = record.settings
    named = {_name(row): row for row in rows}
    return Table(
        "Live streams under load",
        (
            *_pair(named, "captured to written", "captured_to_written_ms", "less"),
            *_pair(named, "glass to glass", "glass_to_glass_ms", "less"),
            column("frames/s sent", named, lambda row: Cell(row["fps_sent"])),
            column("frames/s seen", named, _seen, "more"),
            column("dropped", named, _dropped, "less", "%"),
            column("at full quality", named, _full, "more", "%"),
            column("processor cores used", named, _plain("cpu_cores"), "less"),
        ),
        f"{settings['height']}p at {settings['rate']} frames a second with one face a stream, of "
        f"{settings['clip']}; at least {min(row['seconds'] for row in rows):g} s each, "
        f"{settings['warm_up']} left out; ms. Captured to written: "
        f"{settings['captured_to_written']}. Glass to glass: {settings['glass_to_glass']}. "
        f"{_disturbance(rows)}",
        judged=False,
    )


def _memory(record: Record, rows: list[Row]) -> Table:
    named = {_name(row): row for row in rows}
    return Table(
        "Memory of a long stream",
        (
            column("frames", named, lambda row: Cell(row["frames"])),
            column("hours", named, lambda row: Cell(row["seconds"] / 3600)),
            column("at the start, MB", named, lambda row: Cell(row["memory"][0][1])),
            column("at the end, MB", named, lambda row: Cell(row["memory"][-1][1])),
            column("growth in the second half, MB an hour", named, _plain("growth_mb_per_hour")),
            column("dropped", named, _dropped, "less", "%"),
            column("at full quality", named, _full, "more", "%"),
        ),
        f"The product and its writing processes; {record.settings['memory']}. {_disturbance(rows)}",
        judged=False,
    )


def _faults(rows: list[Row]) -> TextTable:
    return TextTable(
        "Faults",
        (
            *("fault", "times", "back within, s (median, worst)", "frames read back"),
            *("raw faces", "time stamps that fell back", "viewers stayed connected", "logged"),
        ),
        tuple(_fault(row) for row in rows),
        "Back: from the source's return to the first picture sent after it that a viewer got; "
        "where it never went, the longest gap between pictures. Raw faces: frames that show the "
        "paint on the face of every source frame. Logged: the log says what happened.",
    )


def _fault(row: Row) -> tuple[str, ...]:
    times = sorted(row["recovered_s"])
    return (
        row["fault"],
        str(row["times"]),
        f"{times[len(times) // 2]:.2f}, {times[-1]:.2f}",
        str(row["frames"]),
        str(row["raw_frames"]),
        str(row["fell_back"]),
        "no: their server stopped" if row["cut"] else _yes(row["connections"] == 1),
        _yes(row["logged"]),
    )


def _name(row: Row) -> str:
    return f"{row['method']}, {row['streams']} stream" + ("s" if row["streams"] > 1 else "")


def _pair(rows: dict[str, Row], label: str, key: str, better: Better) -> tuple[Column, ...]:
    def take(part: str) -> Callable[[Row], Cell]:
        return lambda row: Cell(row[key][part], n=row[key]["n"])

    return tuple(column(f"{label} {part}", rows, take(part), better) for part in ("p50", "p99"))


def _plain(key: str) -> Callable[[Row], Cell]:
    return lambda row: Cell(row[key])


def _seen(row: Row) -> Cell:
    seen = row["fps_seen"]
    interval = (min(seen), max(seen)) if len(seen) > 1 else None
    return Cell(sum(seen) / len(seen), interval=interval)


def _dropped(row: Row) -> Cell:
    lost = sum(row["dropped"].values())
    return Cell(lost / max(1, lost + row["frames"]))


def _full(row: Row) -> Cell:
    return Cell(row["levels"].get("full", 0.0))


def _disturbance(rows: list[Row]) -> str:
    busy = max(row["load_before"] for row in rows)
    if busy <= QUIET_LOAD:
        return ""
    return f"**Not quiet**: up to {busy:g} other processes were ready to run before a measurement."


def _yes(truth: object) -> str:
    return "yes" if truth else "**no**"
