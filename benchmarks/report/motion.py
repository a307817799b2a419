"""The table of who is still known by how the face moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record

_NOTE = """\
{people} people, each in a clip of their own, {windows} windows of {window_s} s: how often the
original window most like one of the result shows the right person, a mean over people, who are
resampled for the interval. Chance is {chance:.1f} %. *Another moment*: the window of that moment is
left out, and the others of the same clip are what can be found; *the same moment*: it is not.
*Everything*: mean, deviation and correlations of 52 blendshapes; *changes*: without the means, in
which the face at rest is, and the camera's place. Somebody's windows are of one recording, so these
figures say more than those of two recordings would. Left out, as there are fewer than two windows
of a face: {left_out}."""

_FEATURES = {"all": "everything", "changes": "changes"}
_MOMENTS = {"other": "another moment", "same": "the same moment"}


def tables(record: Record) -> Iterator[Table]:
    """Yield the table."""
    settings, rows = record.settings, record.results["rows"]
    people = settings["windows"]
    note = _NOTE.format(
        people=len(people),
        windows=sum(people.values()),
        window_s=settings["window_s"],
        chance=100 / len(people),
        left_out=", ".join(f"`{name}`" for name in settings["left_out"]) or "none",
    )
    columns = tuple(
        _column(rows, features, moment) for moment in _MOMENTS for features in _FEATURES
    )
    yield Table("Known by how the face moves", columns, note)


def _column(rows: dict[str, Any], features: str, moment: str) -> Column:
    cells = {name: row["known"][features][moment] for name, row in rows.items()}
    return column(f"{_MOMENTS[moment]}, {_FEATURES[features]}", cells, Cell.of, "less", "%")
