"""The table of how well a classifier tells new faces from real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.tables import Cell, Column, Table, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record

_NOTE = """\
Area under the ROC curve of a linear classifier on two depths of EfficientNet-lite0: 0.5 when it
cannot tell a new face from the real one it replaced, 1 when it always can. It is tested on people,
or clips, that it has not learnt from. Pictures: folds {folds} of LFW, {faces} faces; pictures in
which a face was covered are left out. Frames: every 25th of the first 200 of {clips} clips, other
clips learnt from than tested on."""


def tables(record: Record) -> Iterator[Table]:
    """Yield the table."""
    rows, settings = record.results["rows"], record.settings
    note = _NOTE.format(
        folds=" and ".join(map(str, settings["folds"])),
        faces=max(row["stills"]["faces"] for row in rows.values()),
        clips=len(settings["clips"]),
    )
    columns = tuple(_column(record, kind, label) for kind, label in _KINDS)
    yield Table("Can a new face be distinguished from a real one?", columns, note, judged=True)


_KINDS = (("stills", "pictures"), ("frames", "frames of clips"))


def _column(record: Record, kind: str, label: str) -> Column:
    rows = record.results["rows"]
    areas = {name: row[kind]["area"] for name, row in rows.items() if kind in row}
    return column(label, areas, Cell.of, "less", "")
