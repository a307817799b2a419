"""The table of files of every kind, and what was wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.report.tables import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record

_NOTE = """\
Codecs, containers, sound, depths, fields, colours and times, each beside what the ffmpeg command
decodes of the same input: frames, times, duration, packets of sound and their place, colours within
2 levels where there are no faces."""


def tables(record: Record) -> Iterator[TextTable]:
    """Yield the table."""
    results, files = record.results, record.settings["files"]
    rows = [(f"{results['good']} of {files}", "nothing")]
    rows += [(f"`{name}`", "; ".join(wrong)) for name, wrong in results["wrong"].items()]
    yield TextTable(
        "Does every file come out as it went in?", ("files", "wrong"), tuple(rows), _NOTE
    )


def provider(record: Record) -> str:
    """Return how faces were hidden."""
    return f"method {record.settings['method']}"
