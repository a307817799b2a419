"""What is lost is derived, and only where figures really differ."""

import pytest

from benchmarks.report.losses import compare
from benchmarks.report.tables import Better, Cell, Column, Table, TextTable


def _outcome(
    own: Cell, rival: Cell, better: Better = "less", *, judged: bool = True
) -> tuple[int, int, int]:
    """Return wins, ties and losses of one figure of two contestants."""
    column = Column("x", {"ours": own, "theirs": rival}, better)
    found = compare([Table("t", (column,), judged=judged)], ("ours",), ())
    return found.wins, found.ties, sum(len(loss.better) for loss in found.losses)


@pytest.mark.parametrize(
    ("own", "rival", "outcome"),
    [
        (Cell(1.0), Cell(2.0), (1, 0, 0)),
        (Cell(2.0), Cell(1.0), (0, 0, 1)),
        (Cell(1.0), Cell(1.0), (0, 1, 0)),
        (Cell(2.0, None, (1.0, 3.0)), Cell(1.2, None, (0.5, 1.1)), (0, 1, 0)),
        (Cell(2.0, None, (1.5, 3.0)), Cell(1.0, None, (0.5, 1.4)), (0, 0, 1)),
        (Cell(2.0, 0.6), Cell(1.0, 0.6), (0, 1, 0)),
        (Cell(2.0, 0.3), Cell(1.0, 0.6), (0, 0, 1)),
        (Cell(2.0, n=100), Cell(1.0, n=49), (0, 0, 0)),
        (Cell(2.0, n=100), Cell(1.0, n=50), (0, 0, 1)),
        (Cell(2.0), Cell(1.0, dead="blind"), (0, 0, 0)),
        (Cell(2.0, dead="blind"), Cell(1.0), (0, 0, 0)),
        (Cell(2.0), Cell(None, n=0), (0, 0, 0)),
    ],
)
def test_less_is_better(own: Cell, rival: Cell, outcome: tuple[int, int, int]) -> None:
    assert _outcome(own, rival) == outcome


def test_more_is_better_and_what_has_no_direction_is_not_compared() -> None:
    assert _outcome(Cell(1.0), Cell(2.0), "more") == (0, 0, 1)
    assert _outcome(Cell(1.0), Cell(2.0), "") == (0, 0, 0)


def test_figures_that_do_not_count_are_not_compared() -> None:
    assert _outcome(Cell(2.0), Cell(1.0), judged=False) == (0, 0, 0)


def test_controls_and_other_names_of_ours_are_no_rivals() -> None:
    column = Column("x", {"ours": Cell(2.0), "none": Cell(0.0), "our x": Cell(0.0)}, "less")
    found = compare([Table("t", (column,)), TextTable("w", (), ())], ("ours", "our x"), ("none",))
    assert (found.wins, found.ties, found.losses) == (0, 0, ())


def test_a_loss_names_figure_and_rivals_with_their_values() -> None:
    cells = {
        "ours": Cell(0.3),
        "a": Cell(0.1),
        "b": Cell(0.2),
        "c": Cell(0.4),
    }
    found = compare([Table("Seen?", (Column("by x", cells, "less", "%"),))], ("ours",), ())
    assert [str(one) for one in found.losses] == [
        "Seen, by x: 30.0 %; better: `a` 10.0 %, `b` 20.0 %"
    ]
    assert "wins 1, loses 2, and 0 show no clear" in found.summary()
