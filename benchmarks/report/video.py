"""Tables of the video suite: figures over clips, then clip by clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import Cell, Column, Table, TextTable, column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.report.records import Record
    from benchmarks.report.tables import Better, Unit

DETECTOR, MESH = "centerface", "mesh"
"""Judges of leaks, and of expression and motion."""

CONTROL = "none"
MIN_CONTROL = 0.9
"""Share of the frames of unchanged clips that must leak for the judge to be alive."""

Figure = tuple[str, str, "Better", "Unit"]
"""Where a figure lies in the summary, what it is called, which way it is better, its unit."""

_SOURCE: tuple[Figure, ...] = (
    ("to_source {judge} mean", "cosine to the source, {judge}", "less", ""),
    ("to_source {judge} max", "highest cosine, {judge}", "less", ""),
)
_LONGEST: Figure = ("leaks longest_leak_s", "longest leak, s, a clip", "less", "")
_FACES: tuple[Figure, ...] = (
    ("product replaced", "faces replaced, a clip", "", ""),
    ("product covered", "faces covered, a clip", "", ""),
)
_IDENTITY: tuple[Figure, ...] = (
    ("identity {judge} std", "deviation of the cosine to the clip's mean", "less", ""),
    ("identity {judge} adjacent_mean", "cosine of neighbouring frames", "more", ""),
    ("identity {judge} adjacent_p5", "its 5th percentile", "more", ""),
    ("identity {judge} switches", "switches of identity, a clip", "less", ""),
    ("identity {judge} source std", "the source's own deviation", "", ""),
    ("identity {judge} source adjacent_mean", "the source's own neighbours", "", ""),
)
STABILITY: tuple[Figure, ...] = (
    ("motion jitter", "jitter of landmarks", "less", ""),
    ("motion added_jitter", "added jitter", "less", ""),
    ("motion fast_energy", "energy above 5 Hz", "less", ""),
    ("warping ratio", "flow-warped error", "less", ""),
    ("warping own_ratio", "the same by the output's own flow", "less", ""),
    ("flicker ratio", "flicker of a still clip", "less", ""),
)
_EXPRESSION: tuple[Figure, ...] = (
    ("motion correlation", "correlation of landmarks", "more", ""),
    ("expression correlation", "correlation of blendshapes", "more", ""),
    ("expression pose_deg", "angle between both heads, degrees", "less", ""),
    ("expression pose_motion_deg", "the same without its mean, degrees", "less", ""),
    ("expression gaze_across", "gaze across", "more", ""),
    ("expression gaze_down", "gaze down", "more", ""),
    ("expression blink", "blinks", "more", ""),
    ("expression mouth", "mouth", "more", ""),
    ("expression blink_agreement", "eyes agree", "more", "%"),
    ("expression mouth_agreement", "mouth agrees", "more", "%"),
)
_KEPT: tuple[Figure, ...] = (
    ("integrity frames", "keeps every frame", "more", "yes/no"),
    ("integrity times", "keeps their times", "more", "yes/no"),
    ("integrity duration", "keeps the duration", "more", "yes/no"),
    ("integrity audio", "keeps the sound", "more", "yes/no"),
)


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the video suite, in the order of the page."""
    yield _clips(record)
    yield _hidden(record)
    for judge, said in record.results["judges"].items():
        if judge not in (DETECTOR, MESH):
            yield _identity(record, judge, judged=not said["used_in_training"])
    yield _table(
        record,
        "Does the face stand still?",
        STABILITY,
        "Over the source's own, so that 1 is as steady as the source.",
    )
    yield _expression(record)
    yield _table(record, "What is left of a clip", _KEPT, "In how many of n clips.")
    yield _clip_by_clip(record)


def provider(record: Record) -> str:
    """Return what ran the networks, and the commits of the rows."""
    commits: dict[str, dict[str, None]] = {}
    for name, own in rows(record).items():
        for row in own.values():
            commits.setdefault(row["commit"], {})[name] = None
    said = "; ".join(f"{commit}: {', '.join(names)}" for commit, names in commits.items())
    return f"{record.settings['provider']}; commits of the rows: {said}"


def rows(record: Record) -> dict[str, dict[str, Any]]:
    """Return what was measured, by method and clip."""
    found: dict[str, dict[str, Any]] = record.results["rows"]
    return found


def judge_that_counts(record: Record) -> str | None:
    """Return the first recogniser that no training used."""
    judges = record.results["judges"]
    names = [name for name in judges if name not in (DETECTOR, MESH)]
    return next((name for name in names if not judges[name]["used_in_training"]), None)


def leak_rate(record: Record) -> Column:
    """Return the share of frames with a face in which one is not hidden, over all clips."""
    return _pooled(
        record, "leaks leak_rate", "leaks frames_with_face", f"frames that leak, {DETECTOR}", "less"
    )


def figure(record: Record, which: Figure, judge: str = "") -> Column:
    """Return a figure over clips: mean, least and most."""
    place, label, better, unit = which
    place, label = place.format(judge=judge), label.format(judge=judge)
    dead = _dead(record, place)

    def take(summary: dict[str, Any]) -> Cell:
        found = summary.get(place)
        if found is None:
            return Cell(None, n=0, dead=dead)
        if unit == "yes/no":
            return Cell(found["mean"], n=found["clips"], dead=dead)
        spread = (found["min"], found["max"]) if found["clips"] > 1 else None
        return Cell(found["mean"], None, spread, found["clips"], dead)

    return column(label, record.results["summary"], take, better, unit)


def _pooled(record: Record, place: str, weight: str, label: str, better: Better) -> Column:
    """Return a share of all frames of all clips."""
    dead = _dead(record, place)

    def take(summary: dict[str, Any]) -> Cell:
        found, frames = summary.get(place, {}), summary.get(weight)
        if "pooled" not in found or frames is None:
            return Cell(None, n=0, dead=dead)
        return Cell(found["pooled"], n=round(frames["mean"] * frames["clips"]), dead=dead)

    return column(label, record.results["summary"], take, better, "%")


def _dead(record: Record, place: str) -> str:
    """Return why the judge of a figure is dead, or ""."""
    part, name, *_ = place.split()
    judge = {"leaks": DETECTOR, "motion": MESH, "expression": MESH}.get(part, name)
    said = record.results["judges"].get(judge, {"alive": True})
    if not said["alive"]:
        return str(said["reason"])
    control = record.results["summary"].get(CONTROL, {}).get("leaks leak_rate")
    if part == "leaks" and control is not None and control["pooled"] < MIN_CONTROL:
        return f"calls {control['pooled']:.0%} of the frames of unchanged clips leaking"
    return ""


def _table(record: Record, title: str, figures: tuple[Figure, ...], note: str) -> Table:
    return Table(title, tuple(figure(record, one) for one in figures), note)


def _clips(record: Record) -> TextTable:
    return TextTable(
        "The clips",
        ("clip", "frames", "of", "frames/s"),
        tuple(
            (f"`{name}`", *(f"{one[key]:g}" for key in ("frames", "of_frames", "rate")))
            for name, one in record.results["clips"].items()
        ),
        f"From the first frame of each, at most {record.settings['frames']}. In the tables below: "
        "mean over clips, in brackets the least and the most of any clip, n clips; shares of "
        "frames are of those of all clips, n frames. A face that is not visible is not "
        "measured: in a mosaic n is 0.",
    )


def _hidden(record: Record) -> Table:
    judge = judge_that_counts(record)
    near = [figure(record, one, judge) for one in _SOURCE] if judge else []
    return Table(
        "Is every face hidden?",
        (
            leak_rate(record),
            figure(record, _LONGEST),
            *near,
            *(figure(record, one) for one in _FACES),
        ),
        "A frame leaks when a face that the judge sees in the source is unchanged or still "
        f"recognised at its place, as in `streamanon audit`. `{CONTROL}` must leak everywhere.",
    )


def _identity(record: Record, judge: str, *, judged: bool) -> Table:
    marked = "" if judged else ", used in training"
    return Table(
        f"Does the identity stay the same? {judge}{marked}",
        tuple(figure(record, one, judge) for one in _IDENTITY),
        "" if judged else "A loss of the training used this recogniser: it does not count.",
        judged=judged,
    )


def _expression(record: Record) -> Table:
    blinks = ("expression blink_recall", "expression blink_frames", "closed eyes stay closed")
    mouths = ("expression mouth_recall", "expression mouth_frames", "open mouth stays open")
    return Table(
        "Does the face do what the source's does?",
        (
            *(_pooled(record, *one, "more") for one in (blinks, mouths)),
            *(figure(record, one) for one in _EXPRESSION),
        ),
        "Frame by frame. Recalls count the frames in which the source's eyes are closed, or its "
        "mouth is open.",
    )


def _clip_by_clip(record: Record) -> Table:
    """Return leaks and steadiness of each method in each clip."""
    places: dict[tuple[str, str], tuple[str, Unit]] = {
        ("leaks", "leak_rate"): ("leak", "%"),
        ("motion", "jitter"): ("jitter", ""),
        ("warping", "ratio"): ("warped error", ""),
    }
    columns = [
        Column(f"{label}, {method}", _of_clips(record, method, part, name), "", unit)
        for (part, name), (label, unit) in places.items()
        for method in rows(record)
    ]
    order = tuple(record.results["clips"])
    return Table("Clip by clip", tuple(columns), judged=False, order=order)


def _of_clips(record: Record, method: str, part: str, name: str) -> dict[str, Cell]:
    dead = _dead(record, f"{part} {name}")
    found = {clip: row[part] for clip, row in rows(record)[method].items()}
    return {clip: Cell(one.get(name), dead=dead) for clip, one in found.items()}
