"""Figures are written with the digits that mean something, and absence is no zero."""

import pytest

from benchmarks.report.readings import Column, Reading, Table, Unit, number, shown


@pytest.mark.parametrize(
    ("reading", "unit", "text"),
    [
        (Reading(0.123, 0.01, (0.1, 0.15)), "%", "12.3 ± 1.0 %<br>[10.0, 15.0]"),
        (Reading(1.0), "%", "100.0 %"),
        (Reading(0.0003, 0.0007), "%", "0.03 ± 0.07 %"),
        (Reading(0.0), "%", "0.0 %"),
        (Reading(-0.0), "", "0.00"),
        (Reading(0.02834, 0.0012, (0.0254, 0.0317)), "", "0.0283 ± 0.0012<br>[0.0254, 0.0317]"),
        (Reading(1533.0), "", "1533"),
        (Reading(37.71, 9.7), "", "37.7 ± 9.7"),
        (Reading(85.03, quoted=True), "", "85.03"),
        (Reading(0.05, quoted=True), "", "0.05"),
        (Reading(0.0128, 0.0032, quoted=True), "%", "1.28 ± 0.32 %"),
        (Reading(1.0), "yes/no", "yes"),
        (Reading(0.0), "yes/no", "**no**"),
        (Reading(0.75, n=8), "yes/no", "**no** in 2 of 8"),
        (Reading(None, n=0), "%", "n = 0"),
        (Reading(0.0, dead="sees nobody"), "%", "**dead**"),
    ],
)
def test_a_reading_as_a_cell(reading: Reading, unit: Unit, text: str) -> None:
    assert shown(reading, unit) == text


def test_a_cell_says_its_n_when_asked() -> None:
    assert shown(Reading(0.5, n=12), "%", with_n=True) == "50.0 %<br>n = 12"


def test_a_column_knows_whether_all_were_measured_on_as_many() -> None:
    same = Column("x", {"a": Reading(1.0, n=3), "b": Reading(2.0, n=3), "c": Reading(None, n=0)})
    other = Column("x", {"a": Reading(1.0, n=3), "b": Reading(2.0, n=4)})
    assert (same.common_n(), other.common_n()) == (3, None)


def test_rows_stand_in_the_order_asked_for_and_only_if_measured() -> None:
    columns = (Column("x", {"a": Reading(1.0)}), Column("y", {"b": Reading(1.0)}))
    assert Table("t", columns).rows == ["a", "b"]
    assert Table("t", columns, order=("c", "b", "a")).rows == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.932966, "0.933"), (153.2, "153"), (0.000012, "0.00"), (0.00012, "0.0001"), (-2.5, "-2.50")],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_bounds_come_from_the_interval_else_the_deviation_else_the_value() -> None:
    assert Reading(2.0, 1.0, (1.5, 4.0)).bounds == (1.5, 4.0)
    assert Reading(2.0, 0.5).bounds == (1.5, 2.5)
    assert Reading(2.0).bounds == (2.0, 2.0)
    assert Reading(2.0, dead="why").bounds is None
    assert Reading(None).bounds is None
