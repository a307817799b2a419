"""The tables of the default method with a part left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, TextTable, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record

_NOTE = """\
{people} people of the London set, as in the tables of identity. Not compared with other methods:
these rows are ours, each without a part."""

_MOMENTS = {"other": "another photograph", "same": "the same photograph"}
_KINDS = {"rank_1": "Known at rank 1 without a part", "far": "Known at FAR 1e-3 without a part"}

_LOOKS_NOTE = "Apparent sex and age by faceres, on the same people."
_TELLTALE_NOTE = """\
The classifier is that of the suite telltale, on every 25th of the first 200 frames of {clips}
clips; its deviation is that over five folds."""


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield what the rows are, who is known, and what faces look like."""
    rows, settings = record.results["rows"], record.settings
    about = tuple((f"`{name}`", row["about"]) for name, row in rows.items())
    yield TextTable("What is left out", ("row", "left out"), about)
    for kind, title in _KINDS.items():
        columns = tuple(
            _column(rows, judge, f"{moment}_{kind}", f"{judge}, {label}")
            for judge in record.results["judges"]
            for moment, label in _MOMENTS.items()
        )
        yield Table(title, columns, _NOTE.format(people=settings["people"]), judged=False)
    yield from _looks(rows, settings)


def _looks(rows: dict[str, Any], settings: dict[str, Any]) -> Iterator[Table]:
    """Yield how much of an appearance stays, and how well new faces can be distinguished."""
    if any(row["appearance"]["sex"]["n"] for row in rows.values()):
        kept = (
            column(
                label,
                {name: row["appearance"][which] for name, row in rows.items()},
                Cell.of,
                "more",
                "%",
            )
            for which, label in (("sex", "same apparent sex"), ("age", "age within ten years"))
        )
        yield Table("Appearance kept without a part", tuple(kept), _LOOKS_NOTE, judged=False)
    areas = {name: row["frames"]["area"] for name, row in rows.items() if "frames" in row}
    if areas:
        area = column("area under the ROC curve", areas, Cell.of, "less")
        note = _TELLTALE_NOTE.format(clips=len(settings["clips"]))
        yield Table("Distinguished from real faces without a part", (area,), note, judged=False)


def _column(rows: dict[str, Any], judge: str, kind: str, label: str) -> Column:
    cells = {name: row["known"][judge][kind] for name, row in rows.items()}
    return column(label, cells, Cell.of, "less", "%")


def provider(record: Record) -> str:
    """Return what ran the networks, and the commits of the rows."""
    commits = ", ".join(sorted({row["commit"] for row in record.results["rows"].values()}))
    return f"{record.settings['provider']}; commits of the rows: {commits}"
