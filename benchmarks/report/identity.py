"""Tables of who is still known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record

GEOMETRY = "geometry"

_KINDS = (
    ("other_rank_1", "rank 1, another photograph"),
    ("other_far", "at FAR 1e-3, another photograph"),
    ("same_rank_1", "rank 1, the same photograph"),
    ("same_far", "at FAR 1e-3, the same photograph"),
)

_NOTE = """\
{people} people of the London set, of whom nothing was learnt: the neutral photograph is anonymised
and looked for among all the smiling ones, and among all the neutral ones. Chance at rank 1 is
{chance:.1f} %. The threshold accepts one in a thousand of {impostors} pairs of different people."""

_LOOKS = (("sex", "same apparent sex"), ("age", "apparent age within ten years"))

_LOOKS_NOTE = """\
The neutral photographs and their results, judged by faceres, which the product does not use; of
those in whose results a face is seen."""

_BY_SHAPE = """\
An attacker who looks at no pixel: 468 points of the mesh, in canonical pose, beside those of others
with the same expression."""

_TRAINED = "Training losses used this recogniser, and the product chooses portraits by it."


def tables(record: Record) -> Iterator[Table]:
    """Yield one table a judge."""
    for name, judge in record.results["judges"].items():
        note = _NOTE.format(
            people=record.settings["people"],
            chance=100 * judge["chance"],
            impostors=judge["impostors"],
        )
        about = _BY_SHAPE if name == GEOMETRY else _TRAINED if judge["used_in_training"] else ""
        title = "Known by geometry alone" if name == GEOMETRY else f"Known by {name}"
        columns = tuple(_column(record, name, kind, label) for kind, label in _KINDS)
        judged = not judge["used_in_training"]
        yield Table(title, columns, f"{note} {about}".strip(), judged=judged)
    rows = {name: row["appearance"] for name, row in record.results["rows"].items()}
    if any(row["sex"]["n"] for row in rows.values()):
        looks = (
            column(label, {name: row[kind] for name, row in rows.items()}, Cell.of, "more", "%")
            for kind, label in _LOOKS
        )
        yield Table("Of the same apparent sex and age as before", tuple(looks), _LOOKS_NOTE)


def _column(record: Record, judge: str, kind: str, label: str) -> Column:
    rows: dict[str, Any] = {
        name: row["known"][judge][kind]
        for name, row in record.results["rows"].items()
        if judge in row["known"]
    }
    return column(label, rows, Cell.of, "less", "%")
