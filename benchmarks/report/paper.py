"""Our rows beside those of the paper that the baselines come from."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import stills
from benchmarks.report.tables import Cell, Column, Table, formatted, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record
    from benchmarks.report.tables import Better, Unit

_FILE = tomllib.loads(Path(__file__).with_name("paper.toml").read_text(encoding="utf-8"))
TABLE_2: list[dict[str, Any]] = _FILE["row"]
REASONS: list[str] = _FILE["reasons"]
"""Why our figures of the paper's baselines are not the paper's."""

DETECTOR = "dlib-hog"
"""The one judge that is the paper's own."""


def table(record: Record) -> Table:
    """Return the paper's Table 2 and our figures for the same, each under the paper's."""
    judge = stills.judge_that_counts(record)
    distances = [stills.distance(record, metric) for metric in stills.judges(record, "realism")]
    detectors = [name for name in stills.judges(record, "detector") if name != DETECTOR]
    columns = (
        _quoted("FID", "fid", "less"),
        *distances,
        _beside("dlib", stills.found_by(record, DETECTOR)),
        _quoted("found by MTCNN", "mtcnn", "more", "%"),
        *(stills.found_by(record, name) for name in detectors),
        _quoted("re-identified, CASIA", "casia", "less", "%"),
        _quoted("re-identified, VGGFace2", "vggface2", "less", "%"),
        *(
            [stills.recognised(record, judge, "paper_form", f"re-identified, {judge}")]
            if judge
            else []
        ),
        _quoted("pose, FAN", "pose", "less"),
        stills.kept(record, "pose_paper", "landmarks_dlib"),
        stills.kept(record, "pose_paper"),
    )
    return Table(
        "Beside the paper",
        tuple(_without_interval(one) for one in columns if one.cells),
        "AnonyGAN, ICIAP 2021 (arXiv 2112.05496), Table 2, LFW, as published, and our own "
        "measurement of the same baselines. Mean ± standard deviation over folds. Why they differ "
        "stands below.",
        judged=False,
        order=_order(record),
    )


def order_kept(record: Record) -> str:
    """Return, in a sentence, how pixelation does beside blur, here and in the paper."""
    ratios = []
    quoted = {row["ours"]: Cell(row["fid"]) for row in TABLE_2 if "ours" in row}
    found = [stills.distance(record, metric) for metric in stills.judges(record, "realism")]
    for label, cells in [
        ("the paper's FID", quoted),
        *((c.label, c.cells) for c in found),
    ]:
        blur, blocks = (cells.get(name) for name in ("blur101", "pixelation10"))
        if blur and blocks and blur.value and blocks.value and not (blur.dead or blocks.dead):
            ratios.append(f"{number(blocks.value / blur.value)} of blur's by {label}")
    return f"Pixelation's distance is {', '.join(ratios)}."


def quoted_better(record: Record, own: str) -> Iterator[str]:
    """Yield figures of the paper's Table 2 that are better than ours, where both say the same."""
    for key, column in (
        ("dlib", stills.found_by(record, DETECTOR)),
        ("pose", stills.kept(record, "pose_paper", "landmarks_dlib")),
    ):
        mine = column.cells.get(own)
        if mine is None or mine.value is None or mine.dead:
            continue
        better = [
            f"{row['name']} {formatted(Cell(row[key], quoted=True), column.unit)}"
            for row in TABLE_2
            if key in row and (row[key] - mine.value) * (1 if column.better == "more" else -1) > 0
        ]
        if better:
            said = formatted(Cell(mine.value), column.unit)
            yield f"{column.label}, quoted from the paper's own test: {said}; better: " + ", ".join(
                better
            )


def _order(record: Record) -> tuple[str, ...]:
    """Return the rows: each of the paper's before ours of the same, then the rest of ours."""
    pairs = [name for row in TABLE_2 for name in (_label(row), row.get("ours", ""))]
    methods = [name for name in stills.rows(record) if name != stills.CONTROL]
    return tuple(dict.fromkeys(name for name in [*pairs, *methods] if name))


def _label(row: dict[str, Any]) -> str:
    return f"{row['name']}, the paper"


def _quoted(label: str, key: str, better: Better, unit: Unit = "") -> Column:
    """Return a column of the paper's."""
    found = {_label(row): row[key] for row in TABLE_2 if key in row}
    cells = {name: _published(value) for name, value in found.items()}
    return Column(label, cells, better, unit)


def _published(value: float | list[float]) -> Cell:
    """Return a figure of the paper, with its deviation where it has one."""
    mean, std = value if isinstance(value, list) else (value, None)
    return Cell(mean, std, quoted=True)


def _beside(key: str, ours: Column) -> Column:
    """Return a column of the paper's and ours in one."""
    quoted = _quoted(ours.label, key, ours.better, ours.unit)
    return replace(ours, cells={**quoted.cells, **ours.cells})


def _without_interval(column: Column) -> Column:
    cells = {
        name: replace(one, interval=None, n=None)
        for name, one in column.cells.items()
        if name != stills.CONTROL
    }
    return replace(column, cells=cells)
