"""Tables and lists as Markdown."""

from collections.abc import Iterable, Sequence

from benchmarks.report.tables import Column, Table, TextTable, formatted

ABSENT = "–"
"""A cell that was not measured."""

_ARROWS = {"more": " ↑", "less": " ↓", "": ""}


def block(table: Table | TextTable, provenance: str) -> list[str]:
    """Return a table with its title, its note and where its figures come from, as paragraphs."""
    grid = figures(table) if isinstance(table, Table) else words(table)
    note = [table.note] if table.note else []
    dead = _dead(table) if isinstance(table, Table) else []
    return [f"### {table.title}", *note, grid, *dead, provenance]


def figures(table: Table) -> str:
    """Return a table of figures."""
    header = ["", *map(_heading, table.columns)]
    rows = [[f"`{name}`", *(_cell(one, name) for one in table.columns)] for name in table.rows]
    return _grid(header, rows)


def words(text: TextTable) -> str:
    """Return a table of words."""
    return _grid(text.header, text.rows)


def bullets(lines: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"* {line}" for line in lines)


def _heading(column: Column) -> str:
    n = column.common_n()
    return f"{column.label}{_ARROWS[column.better]}" + (f"<br>n = {n}" if n is not None else "")


def _cell(column: Column, name: str) -> str:
    cell = column.cells.get(name)
    if cell is None:
        return ABSENT
    return formatted(cell, column.unit, with_n=column.common_n() is None)


def _dead(table: Table) -> list[str]:
    """Return the reasons why cells of a table are dead, and their rows."""
    found: dict[str, dict[str, None]] = {}
    for one in table.columns:
        for name, cell in one.cells.items():
            if cell.dead:
                found.setdefault(cell.dead, {})[f"`{name}`"] = None
    lines = [f"**Dead**, {', '.join(names)}: {reason}" for reason, names in found.items()]
    return [bullets(lines)] if lines else []


def _grid(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
