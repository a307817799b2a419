"""Rows say what the runs say, and no more; a run that did not do its work is not believed."""

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.speed.account import Usage
from benchmarks.speed.figures import WARM_UP_FRAMES, disturbance, ratio, row, spread_ms
from benchmarks.speed.grid import (
    Axes,
    Cell,
    everything,
    runtimes,
    sweep,
    threads_to_try,
    with_floors,
)
from benchmarks.speed.rounds import Run

CELL = Cell(720, 1, "warp", 2)
AXES = Axes((360, 720), (0, 1, 4), ("warp",), ("mosaic", "solid"), (1, 2))


def _run(elapsed_s: float, frames: int = 200, **changed: Any) -> Run:
    series = [0.1] * WARM_UP_FRAMES + [0.001 * n for n in range(1, frames - WARM_UP_FRAMES + 1)]
    details = {
        "frames": frames,
        "dropped": 0,
        "uncovered": 0,
        "replaced": frames,
        "second_best": 0,
        "covered": 0,
        "line_s": elapsed_s / 2,
        "latency_s": series,
        "stages": {s: {"worked_s": series, "waited_s": series} for s in ("read", "see")},
        "runtimes": {"yunet.onnx": "ONNX Runtime"},
    }
    return Run(Usage(elapsed_s, 1.0, 100 * elapsed_s), {**details, **changed})


def test_figures_are_medians_over_rounds() -> None:
    runs = [_run(2), _run(4), _run(1)]
    floors = {"copy": [_run(1), _run(1), _run(1)]}
    found = row(CELL, runs, floors)
    assert (found["fps"], found["fps_runs"]) == (100, [100, 50, 200])
    assert (found["line_fps"], found["cpu_ms"], found["peak_mb"]) == (200, 5, 400)
    assert (found["width"], found["height"], found["frames"]) == (1280, 720, 200)
    assert (found["alive"], found["replaced"], found["ratio"]) == (True, 1, {"copy": 0.5})


def test_a_machine_that_is_not_quiet_is_reported() -> None:
    quiet, loud = (
        row(CELL, [Run(replace(_run(1).usage, others=others), _run(1).details)], {})
        for others in (0.02, 0.63)
    )
    assert disturbance([quiet]) == ""
    assert "63% of the machine" in disturbance([quiet, loud])


def test_a_slow_minute_that_hits_both_leaves_the_ratio_alone() -> None:
    quick, slow = [_run(2), _run(1)], [_run(20), _run(10)]
    assert ratio([*quick, slow[0]], [quick[1], quick[1], slow[1]]) == 0.5


def test_warm_up_counts_in_no_percentile_and_a_hundred_values_are_needed() -> None:
    series = [9.0] * WARM_UP_FRAMES + [0.002] * 60
    assert spread_ms([series]) is None
    assert spread_ms([series, series]) == {"n": 120, "p50": 2, "p95": 2, "p99": 2}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"replaced": 0}, "0.00 faces a frame were hidden, 1 are in view"),
        ({"replaced": 20, "covered": 180}, "0.10 of them as the method does"),
        ({"second_best": 180}, "0.10 of them as the method does"),
        ({"uncovered": 1}, "left uncovered"),
    ],
)
def test_a_run_that_did_not_do_its_work_is_not_believed(
    changed: dict[str, int], reason: str
) -> None:
    found = row(CELL, [_run(1, **changed)], {})
    assert not found["alive"]
    assert reason in found["reason"]


def test_waiting_for_the_clock_is_not_the_work_of_reading() -> None:
    live = row(Cell(720, 1, "warp", 2, rate=30.0), [_run(1, dropped=3)], {})
    assert set(live["stages"]) == {"see"}
    assert live["dropped"] == 3


def test_floors_have_only_what_is_seen_from_outside() -> None:
    found = row(CELL.floor("copy"), [Run(Usage(2.0, 1.0, 50.0), {"frames": 100})], {})
    assert found["fps"] == 50
    assert "stages" not in found


def test_the_base_point_lies_on_every_axis_and_every_file_has_its_floors() -> None:
    axes = sweep(AXES)
    for name in ("height", "faces", "method", "threads"):
        assert CELL in axes[name]
    assert [cell.method for cell in axes["method"]] == ["warp", "mosaic", "solid"]
    assert [cell.rate for cell in axes["live"]] == [30]
    cells = with_floors(cell for along in axes.values() for cell in along)
    assert len(cells) == len(set(cells)) == len({cell.label for cell in cells})
    assert cells == sorted(cells, key=lambda cell: (cell.height, cell.faces, cell.threads))
    for place, cell in enumerate(cells):
        assert cell.rate or {cell.floor("copy"), cell.floor("decode+encode")} <= set(
            cells[: place + 2]
        )


def test_runtimes_are_compared_where_a_method_has_a_network() -> None:
    assert sweep(AXES)["runtime"] == []
    cells = sweep(replace(AXES, methods=("anonygan",)))["runtime"]
    assert [cell.runtime for cell in cells] == runtimes()
    assert len({cell.label for cell in cells}) == len(cells)


def test_everything_is_the_product() -> None:
    cells = {cell for along in everything(AXES).values() for cell in along if not cell.rate}
    assert len(cells) == 2 * 3 * 3 * 2


def test_threads_end_with_all_there_are() -> None:
    threads = threads_to_try()
    assert threads[0] == 1
    assert threads == sorted(set(threads))
