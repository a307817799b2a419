"""Where others are better than our method, derived from the published tables.

Two figures differ when their bounds do not overlap: the interval of each, where it has one, else
one deviation to either side, else the value itself. Figures that one of the two could be measured
on far less than the other are not compared, and neither is anything dead, a control, or a judge
that counts for nothing.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from benchmarks.report.tables import Cell, Column, Table, TextTable, formatted

MIN_SHARE = 0.5
"""Least ratio of the smaller n to the larger for two figures to be compared."""


@dataclass(frozen=True)
class Loss:
    """A figure in which others are better.

    Attributes:
        figure: table and column.
        own: our figure as text.
        better: (name, figure as text) of each that is better.
    """

    figure: str
    own: str
    better: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """Return one line."""
        better = ", ".join(f"`{name}` {text}" for name, text in self.better)
        return f"{self.figure}: {self.own}; better: {better}"


@dataclass(frozen=True)
class Comparison:
    """Our method compared with all others.

    Attributes:
        own: name of our method.
        wins: number of comparisons it wins.
        ties: number of comparisons without a clear difference.
        losses: comparisons it loses, by figure.
    """

    own: str
    wins: int
    ties: int
    losses: tuple[Loss, ...]

    def summary(self) -> str:
        """Return the outcome in a sentence."""
        lost = sum(len(loss.better) for loss in self.losses)
        return (
            f"Of {self.wins + self.ties + lost} comparisons of `{self.own}` with another row of a "
            f"table below it wins {self.wins}, loses {lost}, and {self.ties} show no clear "
            "difference."
        )


def compare(
    tables: Iterable[Table | TextTable], own: Collection[str], controls: Collection[str]
) -> Comparison:
    """Compare our rows with all others, figure by figure.

    Args:
        tables: tables of all suites.
        own: names of our method in the tables; the first is used in the text.
        controls: names of rows that change nothing.
    """
    wins, ties = 0, 0
    losses: list[Loss] = []
    for table in tables:
        if isinstance(table, TextTable) or not table.judged:
            continue
        for column in table.columns:
            ours = next((name for name in own if name in column.cells), None)
            if ours is None or not column.better:
                continue
            rivals = [name for name in column.cells if name not in {*own, *controls}]
            outcome = {name: _better(column, ours, name) for name in rivals}
            wins += sum(1 for one in outcome.values() if one == 1)
            ties += sum(1 for one in outcome.values() if one == 0)
            beaten = [name for name, one in outcome.items() if one == -1]
            if beaten:
                losses.append(_loss(table, column, ours, beaten))
    return Comparison(next(iter(own)), wins, ties, tuple(losses))


def _better(column: Column, own: str, rival: str) -> int | None:
    """Return 1 when ours is better, -1 when the rival is, 0 without a difference, None if unfit."""
    mine, theirs = column.cells[own], column.cells[rival]
    if mine.bounds is None or theirs.bounds is None or not _alike(mine, theirs):
        return None
    low, high = mine.bounds
    if theirs.bounds[1] < low:
        return 1 if column.better == "more" else -1
    if theirs.bounds[0] > high:
        return -1 if column.better == "more" else 1
    return 0


def _alike(one: Cell, other: Cell) -> bool:
    if one.n is None or other.n is None:
        return True
    return min(one.n, other.n) >= MIN_SHARE * max(one.n, other.n)


def _loss(table: Table, column: Column, own: str, rivals: Sequence[str]) -> Loss:
    def text(name: str) -> str:
        return formatted(column.cells[name], column.unit).replace("<br>", " ")

    return Loss(
        f"{table.title.rstrip('?')}, {column.label}",
        text(own),
        tuple((name, text(name)) for name in rivals),
    )
