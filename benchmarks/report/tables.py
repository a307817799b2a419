"""Tables of figures: cells, columns of cells, tables of columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import floor, log10
from typing import Any, Literal, Self

Better = Literal["more", "less", ""]
"""Which way a figure is better; empty where neither is."""

Unit = Literal["", "%", "yes/no"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure of a table.

    Attributes:
        value: a share of 1 where the unit is per cent; None where there was nothing to measure on.
        std: deviation over folds or clips.
        interval: (low, high), see the column.
        n: number of pictures, frames or runs measured; None where they are not counted.
        dead: reason why the measurement is not valid; "" if it is.
        quoted: True for a published figure, which is shown with all its digits.
    """

    value: float | None
    std: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    dead: str = ""
    quoted: bool = False

    @classmethod
    def of(cls, figure: Mapping[str, Any], dead: str = "") -> Self:
        """Read a figure of the stills: mean, std, n and interval."""
        low_high = figure["interval"]
        interval = (low_high[0], low_high[1]) if low_high else None
        return cls(figure["mean"], figure["std"], interval, figure["n"], dead)

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Bounds of the value: the interval, else one deviation, else the value itself."""
        if self.value is None or self.dead:
            return None
        if self.interval:
            return self.interval
        spread = self.std or 0.0
        return self.value - spread, self.value + spread


@dataclass(frozen=True)
class Column:
    """One figure of several contestants.

    Attributes:
        label: name of the figure.
        cells: cells by contestant.
        better: direction in which the figure is better.
        unit: unit of the value.
    """

    label: str
    cells: Mapping[str, Cell]
    better: Better = ""
    unit: Unit = ""

    def common_n(self) -> int | None:
        """Return what every cell was measured on, when it is the same for all."""
        counts = {one.n for one in self.cells.values() if one.value is not None}
        return counts.pop() if len(counts) == 1 else None


@dataclass(frozen=True)
class Table:
    """Contestants by figures.

    Attributes:
        title: title of the table.
        columns: columns in order.
        note: text before the table.
        judged: False where the figures are shown but not compared.
        order: names of the rows in order; those without a cell are left out.
    """

    title: str
    columns: tuple[Column, ...]
    note: str = ""
    judged: bool = True
    order: tuple[str, ...] = ()

    @property
    def rows(self) -> list[str]:
        """Names of the contestants, in the order asked for, else in that of their appearance."""
        found = dict.fromkeys(name for one in self.columns for name in one.cells)
        return [name for name in self.order if name in found] if self.order else list(found)


@dataclass(frozen=True)
class TextTable:
    """A table of words.

    Attributes:
        title: title of the table.
        header: headings of the columns.
        rows: cells of each row, as many as headings.
        note: text before the table.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def column(
    label: str,
    rows: Mapping[str, Any],
    take: Callable[[Any], Cell],
    better: Better = "",
    unit: Unit = "",
) -> Column:
    """Return a column that takes a cell out of every row of the results."""
    return Column(label, {name: take(row) for name, row in rows.items()}, better, unit)


def formatted(cell: Cell, unit: Unit, *, with_n: bool = False) -> str:
    """Return the text of a cell.

    A value, plus and minus its deviation, and its interval on a second line; "dead" where the
    measurement is not valid, "n = 0" where there was nothing to measure on.
    """
    if cell.dead:
        return "**dead**"
    if cell.value is None:
        return "n = 0"
    if unit == "yes/no":
        return _yes_or_no(cell.value, cell.n or 1)
    scale, sign = (100.0, " %") if unit == "%" else (1.0, "")
    digits = _digits_of_share(cell.value) if unit == "%" else _digits(cell.value)

    def text(value: float) -> str:
        written = f"{scale * value:.4g}" if cell.quoted else f"{scale * value:.{digits}f}"
        return written.lstrip("-") if float(written) == 0 else written

    deviation = "" if cell.std is None else f" ± {text(cell.std)}"
    shown = f"{text(cell.value)}{deviation}{sign}"
    if cell.interval:
        shown += f"<br>[{text(cell.interval[0])}, {text(cell.interval[1])}]"
    return shown + (f"<br>n = {cell.n}" if with_n and cell.n is not None else "")


def _yes_or_no(share: float, n: int) -> str:
    """Return in how many of n something holds not, where it does not hold in all."""
    wrong = round((1 - share) * n)
    if wrong in (0, n):
        return "**no**" if wrong else "yes"
    return f"**no** in {wrong} of {n}"


def number(value: float) -> str:
    """Return a number with the digits that mean something."""
    return f"{value:.{_digits(value)}f}"


def _digits(value: float) -> int:
    """Return how many decimals give three digits, at most four; what those round to 0 is 0."""
    return 2 if round(value, 4) == 0 else min(4, max(0, 2 - floor(log10(abs(value)))))


def _digits_of_share(value: float) -> int:
    """Return how many decimals a share has in per cent: small ones have two."""
    return 2 if 0 < value < 0.01 else 1
