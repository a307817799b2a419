"""What is lost is derived, and only where figures really differ."""

import pytest

from benchmarks.report.losses import compare
from benchmarks.report.readings import Better, Column, Reading, Table, Text


def _outcome(
    own: Reading, rival: Reading, better: Better = "less", *, judged: bool = True
) -> tuple[int, int, int]:
    """Return wins, ties and losses of one figure of two contestants."""
    column = Column("x", {"ours": own, "theirs": rival}, better)
    found = compare([Table("t", (column,), judged=judged)], ("ours",), ())
    return found.wins, found.ties, sum(len(loss.better) for loss in found.losses)


@pytest.mark.parametrize(
    ("own", "rival", "outcome"),
    [
        (Reading(1.0), Reading(2.0), (1, 0, 0)),
        (Reading(2.0), Reading(1.0), (0, 0, 1)),
        (Reading(1.0), Reading(1.0), (0, 1, 0)),
        (Reading(2.0, None, (1.0, 3.0)), Reading(1.2, None, (0.5, 1.1)), (0, 1, 0)),
        (Reading(2.0, None, (1.5, 3.0)), Reading(1.0, None, (0.5, 1.4)), (0, 0, 1)),
        (Reading(2.0, 0.6), Reading(1.0, 0.6), (0, 1, 0)),
        (Reading(2.0, 0.3), Reading(1.0, 0.6), (0, 0, 1)),
        (Reading(2.0, n=100), Reading(1.0, n=49), (0, 0, 0)),
        (Reading(2.0, n=100), Reading(1.0, n=50), (0, 0, 1)),
        (Reading(2.0), Reading(1.0, dead="blind"), (0, 0, 0)),
        (Reading(2.0, dead="blind"), Reading(1.0), (0, 0, 0)),
        (Reading(2.0), Reading(None, n=0), (0, 0, 0)),
    ],
)
def test_less_is_better(own: Reading, rival: Reading, outcome: tuple[int, int, int]) -> None:
    assert _outcome(own, rival) == outcome


def test_more_is_better_and_what_has_no_direction_is_not_compared() -> None:
    assert _outcome(Reading(1.0), Reading(2.0), "more") == (0, 0, 1)
    assert _outcome(Reading(1.0), Reading(2.0), "") == (0, 0, 0)


def test_figures_that_do_not_count_are_not_compared() -> None:
    assert _outcome(Reading(2.0), Reading(1.0), judged=False) == (0, 0, 0)


def test_controls_and_other_names_of_ours_are_no_rivals() -> None:
    column = Column(
        "x", {"ours": Reading(2.0), "none": Reading(0.0), "our x": Reading(0.0)}, "less"
    )
    found = compare([Table("t", (column,)), Text("w", (), ())], ("ours", "our x"), ("none",))
    assert (found.wins, found.ties, found.losses) == (0, 0, ())


def test_a_loss_names_figure_and_rivals_with_their_values() -> None:
    readings = {"ours": Reading(0.3), "a": Reading(0.1), "b": Reading(0.2), "c": Reading(0.4)}
    found = compare([Table("Seen?", (Column("by x", readings, "less", "%"),))], ("ours",), ())
    assert [str(one) for one in found.losses] == [
        "Seen, by x: 30.0 %; better: `a` 10.0 %, `b` 20.0 %"
    ]
    assert "wins 1, loses 2, and 0 show no clear" in found.summary()
