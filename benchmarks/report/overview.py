"""The table of the README: methods and peers by the most telling figures of every suite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.report import peers, stills, video
from benchmarks.report.readings import Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.report.records import Record

OURS = "streamanon "
"""What the peers suite puts before the names of our methods."""

STEADY = ("motion jitter", "warping ratio", "warping own_ratio")
"""Of the figures of stability, those that say most."""

DETECTOR = "centerface"
"""Neither ours nor a baseline's: it judges stills, and leaks."""


def table(records: Mapping[str, Record | None]) -> Table:
    """Return one row a method or peer; what a suite has not measured is left open."""
    columns = [
        _compact(one)
        for suite, take in TAKEN.items()
        if (record := records[suite])
        for one in take(record)
        if one.readings
    ]
    return Table("In short", tuple(columns))


def _stills(record: Record) -> Iterator[Column]:
    yield stills.found_by(record, DETECTOR)
    judge = stills.judge_that_counts(record)
    if judge:
        yield stills.recognised(
            record, judge, "other_picture", f"recognised by {judge} at FAR 1e-3"
        )
        yield stills.recognised(record, judge, "same_rank_1", "rank 1 among the originals")
    yield stills.kept(record, "pose_paper", "landmarks_dlib")
    for metric in stills.judges(record, "realism"):
        yield stills.distance(record, metric)


def _video(record: Record) -> Iterator[Column]:
    yield video.leak_rate(record)
    for place, label, better, unit in video.STABILITY:
        if place in STEADY:
            yield video.figure(record, (place, f"{label} over the source's", better, unit))


def _peers(record: Record) -> Iterator[Column]:
    leaks = peers.leak_rate(record, DETECTOR)
    leaks = replace(leaks, label=f"{leaks.label}, beside peers")
    for column in (leaks, peers.fps(record)):
        readings = {
            name.removeprefix(OURS): one
            for name, one in column.readings.items()
            if name != peers.FLOOR
        }
        yield replace(column, readings=readings)


def _compact(column: Column) -> Column:
    """Return a column without deviations: the interval says enough."""
    readings = {
        name: replace(one, std=None if one.interval else one.std)
        for name, one in column.readings.items()
    }
    return replace(column, readings=readings)


TAKEN: dict[str, Callable[[Record], Iterator[Column]]] = {
    "stills": _stills,
    "video": _video,
    "peers": _peers,
}
"""By suite, the columns it gives to the table."""
