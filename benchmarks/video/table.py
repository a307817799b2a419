"""Over all clips: means, extremes, and the figures that say most as a table."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.video.panel import SAME_PERSON

JUDGE = next(iter(SAME_PERSON))
"""The recogniser that counts: nothing was trained against it."""

COLUMNS = {
    "leak rate": "leaks leak_rate",
    "longest leak s": "leaks longest_leak_s",
    f"cosine ({JUDGE})": f"to_source {JUDGE} mean",
    "deviation": f"identity {JUDGE} std",
    "adjacent": f"identity {JUDGE} adjacent_mean",
    "switches": f"identity {JUDGE} switches",
    "jitter": "motion jitter",
    "above 5 Hz": "motion fast_energy",
    "warped error": "warping ratio",
    "flicker": "flicker ratio",
    "expression": "expression correlation",
    "blinks": "expression blink_recall",
    "mouth": "expression mouth_recall",
}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return mean, least and most of each figure over the clips in which it is alive.

    The leak rate is that of all frames together; a recall that of all blinks or open mouths.
    """
    found: dict[str, list[float]] = {}
    for row in rows:
        for name, value in _numbers(row):
            found.setdefault(name, []).append(value)
    result: dict[str, Any] = {
        name: {
            "mean": float(np.mean(values)),
            "min": float(np.min(values)),
            "max": float(np.max(values)),
            "clips": len(values),
        }
        for name, values in found.items()
    }
    for figure, weight in (
        ("leaks leak_rate", "leaks frames_with_face"),
        ("expression blink_recall", "expression blink_frames"),
        ("expression mouth_recall", "expression mouth_frames"),
    ):
        pooled = [(n[figure], n[weight]) for n in map(dict, map(_numbers, rows)) if figure in n]
        total = sum(count for _, count in pooled)
        if total:
            result[figure]["pooled"] = sum(share * count for share, count in pooled) / total
    return result


def overview(summaries: dict[str, dict[str, Any]]) -> Table:
    """Return the figures that say most, a method a line."""
    table = Table("method", *COLUMNS)
    for method, figures in summaries.items():
        cells = [figures.get(name) for name in COLUMNS.values()]
        table.add_row(
            method,
            *("-" if one is None else f"{one.get('pooled', one['mean']):.3f}" for one in cells),
        )
    return table


def _numbers(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every figure of a row by the names of its parts; truth counts as 1 or 0."""
    if not part.get("alive", True):
        return
    for name, value in part.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name} ")
        elif isinstance(value, int | float) and name != "alive":
            yield f"{prefix}{name}", float(value)
