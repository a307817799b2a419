"""Figures as tables show them: a reading, a column of readings, a table of columns."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Better = Literal["more", "less", ""]
"""Which way a figure is better; empty where neither is."""

Unit = Literal["", "%", "yes/no"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure.

    Attributes:
        value: a share of 1 where the unit is per cent; None where there was nothing to measure on.
        std: over folds or clips.
        interval: (low, high), see the column.
        n: what it was measured on; None where it is not counted.
        dead: why the measurement is not believed; "" when it is.
        quoted: True when somebody published it: shown with the digits it has.
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
        """Between what the value lies: the interval, else one deviation, else the value."""
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
        label: of the figure.
        readings: by contestant.
        better: which way.
        unit: of the value.
    """

    label: str
    readings: Mapping[str, Reading]
    better: Better = ""
    unit: Unit = ""

    def common_n(self) -> int | None:
        """Return what every reading was measured on, when it is the same for all."""
        counts = {one.n for one in self.readings.values() if one.value is not None}
        return counts.pop() if len(counts) == 1 else None


@dataclass(frozen=True)
class Table:
    """Contestants by figures.

    Attributes:
        title: of the table.
        columns: in order.
        note: what a reader must know.
        judged: False where the figures are shown but count for nothing.
        order: of the rows; those that are in no column are left out.
    """

    title: str
    columns: tuple[Column, ...]
    note: str = ""
    judged: bool = True
    order: tuple[str, ...] = ()

    @property
    def rows(self) -> list[str]:
        """Names of the contestants, in the order asked for, else in that of their appearance."""
        found = dict.fromkeys(name for one in self.columns for name in one.readings)
        return [name for name in self.order if name in found] if self.order else list(found)


@dataclass(frozen=True)
class Text:
    """A table of words.

    Attributes:
        title: of the table.
        header: one a column.
        rows: as long as the header.
        note: what a reader must know.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def column(
    label: str,
    rows: Mapping[str, Any],
    take: Callable[[Any], Reading],
    better: Better = "",
    unit: Unit = "",
) -> Column:
    """Return a column that takes a reading out of every row of the results."""
    return Column(label, {name: take(row) for name, row in rows.items()}, better, unit)


def shown(reading: Reading, unit: Unit, *, with_n: bool = False) -> str:
    """Return a reading as a cell of a table.

    A value, plus and minus its deviation, and its interval on a second line; "dead" where the
    measurement is not believed, "n = 0" where there was nothing to measure on.
    """
    if reading.dead:
        return "**dead**"
    if reading.value is None:
        return "n = 0"
    if unit == "yes/no":
        return _yes_or_no(reading.value, reading.n or 1)
    scale, sign = (100.0, " %") if unit == "%" else (1.0, "")
    digits = _digits_of_share(reading.value) if unit == "%" else _digits(reading.value)

    def text(value: float) -> str:
        written = f"{scale * value:.4g}" if reading.quoted else f"{scale * value:.{digits}f}"
        return written.lstrip("-") if float(written) == 0 else written

    deviation = "" if reading.std is None else f" ± {text(reading.std)}"
    cell = f"{text(reading.value)}{deviation}{sign}"
    if reading.interval:
        cell += f"<br>[{text(reading.interval[0])}, {text(reading.interval[1])}]"
    return cell + (f"<br>n = {reading.n}" if with_n and reading.n is not None else "")


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
