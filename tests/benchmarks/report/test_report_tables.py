"""Figures are written with the digits that mean something, and absence is no zero."""

import pytest

from benchmarks.report import integrity
from benchmarks.report.markdown import block
from benchmarks.report.records import Record
from benchmarks.report.tables import Cell, Column, Table, Unit, formatted, number


@pytest.mark.parametrize(
    ("cell", "unit", "text"),
    [
        (Cell(0.123, 0.01, (0.1, 0.15)), "%", "12.3 ± 1.0 %<br>[10.0, 15.0]"),
        (Cell(1.0), "%", "100.0 %"),
        (Cell(0.0003, 0.0007), "%", "0.03 ± 0.07 %"),
        (Cell(0.0), "%", "0.0 %"),
        (Cell(-0.0), "", "0.00"),
        (Cell(0.02834, 0.0012, (0.0254, 0.0317)), "", "0.0283 ± 0.0012<br>[0.0254, 0.0317]"),
        (Cell(1533.0), "", "1533"),
        (Cell(37.71, 9.7), "", "37.7 ± 9.7"),
        (Cell(85.03, quoted=True), "", "85.03"),
        (Cell(0.05, quoted=True), "", "0.05"),
        (Cell(0.0128, 0.0032, quoted=True), "%", "1.28 ± 0.32 %"),
        (Cell(1.0), "yes/no", "yes"),
        (Cell(0.0), "yes/no", "**no**"),
        (Cell(0.75, n=8), "yes/no", "**no** in 2 of 8"),
        (Cell(None, n=0), "%", "n = 0"),
        (Cell(0.0, dead="sees nobody"), "%", "**dead**"),
    ],
)
def test_a_reading_as_a_cell(cell: Cell, unit: Unit, text: str) -> None:
    assert formatted(cell, unit) == text


def test_a_cell_says_its_n_when_asked() -> None:
    assert formatted(Cell(0.5, n=12), "%", with_n=True) == "50.0 %<br>n = 12"


def test_a_column_knows_whether_all_were_measured_on_as_many() -> None:
    same = Column("x", {"a": Cell(1.0, n=3), "b": Cell(2.0, n=3), "c": Cell(None, n=0)})
    other = Column("x", {"a": Cell(1.0, n=3), "b": Cell(2.0, n=4)})
    assert (same.common_n(), other.common_n()) == (3, None)


def test_rows_stand_in_the_order_asked_for_and_only_if_measured() -> None:
    columns = (Column("x", {"a": Cell(1.0)}), Column("y", {"b": Cell(1.0)}))
    assert Table("t", columns).rows == ["a", "b"]
    assert Table("t", columns, order=("c", "b", "a")).rows == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.932966, "0.933"), (153.2, "153"), (0.000012, "0.00"), (0.00012, "0.0001"), (-2.5, "-2.50")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_bounds_come_from_the_interval_else_the_deviation_else_the_value() -> None:
    assert Cell(2.0, 1.0, (1.5, 4.0)).bounds == (1.5, 4.0)
    assert Cell(2.0, 0.5).bounds == (1.5, 2.5)
    assert Cell(2.0).bounds == (2.0, 2.0)
    assert Cell(2.0, dead="why").bounds is None
    assert Cell(None).bounds is None


def test_what_is_wrong_with_files_is_named() -> None:
    results = {"good": 1, "wrong": {"a.avi": ["49 frames, not 50", "2 levels of red"]}}
    record = Record("integrity", {"settings": {"files": 2}, "results": results})
    (table,) = integrity.tables(record)
    text = "\n".join(block(table, ""))
    assert "| 1 of 2 | nothing |" in text
    assert "| `a.avi` | 49 frames, not 50; 2 levels of red |" in text
