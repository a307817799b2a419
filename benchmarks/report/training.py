"""Tables of the training suite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, TextTable, column

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.report.records import Record
    from benchmarks.report.tables import Better, Unit

FIGURES: tuple[tuple[str, str, Better, Unit], ...] = (
    ("error", "error, of 255", "less", ""),
    ("recognised", "recognised as the source", "less", "%"),
    ("to_source", "likeness to the source", "less", ""),
    ("to_condition", "likeness to the portrait", "more", ""),
    ("pose", "landmarks off, eye distances", "less", ""),
    ("eyes", "eyes off", "less", ""),
    ("mouth", "mouth off", "less", ""),
    ("attention", "share of the portrait", "", "%"),
    ("unsteady", "change under noise, of 255", "less", ""),
)
"""Name in the results, label, which way is better, unit."""

JUDGED_BY = """\
People no run was trained on, seen by the networks that the training's losses used: fit to rank \
runs, not to promise anything. Error: where the truth is known, another photograph of the person \
as portrait. The rest: strangers as portraits."""


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the training suite."""
    rows = record.results["rows"]
    warp = {name: row for name, row in rows.items() if row["kind"] == "warp"}
    if curve := of_kind(rows, "curve"):
        about = record.settings.get("curve")
        note = f"{JUDGED_BY} The run: {about}." if about else JUDGED_BY
        yield Table("Figures over samples seen", _columns(warp | curve), note, judged=False)
    if short := of_kind(rows, "ablation"):
        seen = " to ".join(f"{one:,}" for one in sorted(_extremes(short)))
        about = "; ".join(f"*{name}*: {row['about']}" for name, row in short.items())
        note = f"Each trained from nothing on {seen} samples, alike but for one thing. {about}."
        yield Table("What each part is worth", _columns(warp | short), note, judged=False)


def _extremes(rows: Mapping[str, Any]) -> set[int]:
    """Return the least and the most samples that rows have seen."""
    seen = [row["samples"] for row in rows.values()]
    return {min(seen), max(seen)}


def provider(record: Record) -> str:
    """Return what ran the networks."""
    return str(record.settings["provider"])


def of_kind(rows: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return the rows of one kind."""
    return {name: row for name, row in rows.items() if row["kind"] == kind}


def _columns(rows: Mapping[str, Any]) -> tuple[Column, ...]:
    return tuple(
        column(label, rows, lambda row, name=name: Cell(row[name]), better, unit)  # type: ignore[misc]
        for name, label, better, unit in FIGURES
    )
