"""Tables of the stills."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.report.tables import (
    Cell,
    Column,
    Table,
    TextTable,
    column,
    formatted,
    number,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.report.records import Record
    from benchmarks.report.tables import Better, Unit

LANDMARKS = {"landmarks": "mediapipe-mesh", "landmarks_dlib": "dlib-68"}
"""By key of a row, the judge whose landmarks they are."""

CONTROL = "none"
"""The method that changes nothing: the control of the judges, not compared with others."""

_KNOWN = (
    ("other_picture", "from another picture"),
    ("other_rank_1", "rank 1, another picture"),
    ("same_picture", "from the same picture"),
    ("same_rank_1", "rank 1, the same picture"),
    ("paper_form", "the paper's form"),
)
_LEARNT = ("other_picture", "other_rank_1", "same_picture", "same_rank_1")
_WHEN: tuple[tuple[str, Better], ...] = (("before", ""), ("after", "less"))
_KEPT: tuple[tuple[str, str, Better, Unit], ...] = (
    ("seen", "face seen", "more", "%"),
    ("pose_paper", "pose, the paper's normalisation", "less", ""),
    ("landmark_nme", "landmarks over eye distance", "less", ""),
    ("head_pose_deg", "head pose, degrees", "less", ""),
    ("blendshape_correlation", "correlation of blendshapes", "more", ""),
    ("blink_recall", "closed eyes stay closed", "more", "%"),
    ("blink_agreement", "eyes agree", "more", "%"),
    ("mouth_open_recall", "open mouth stays open", "more", "%"),
    ("mouth_open_agreement", "mouth agrees", "more", "%"),
)


def tables(record: Record) -> Iterator[Table | TextTable]:
    """Yield the tables of the stills, in the order of the page."""
    yield _judges(record)
    yield _faces(record)
    yield _detection(record)
    for name in judges(record, "recogniser"):
        yield _reidentification(record, name)
    for name in judges(record, "recogniser"):
        attacked = _informed(record, name)
        if attacked.columns:
            yield attacked
    yield _landmarks(record)
    yield _second_opinion(record)
    yield _realism(record)


def provider(record: Record) -> str:
    """Return what ran the networks, and the commits of the rows."""
    commits: dict[str, list[str]] = {}
    for name, row in rows(record).items():
        commits.setdefault(row["commit"], []).append(name)
    said = "; ".join(f"{commit}: {', '.join(names)}" for commit, names in commits.items())
    return f"{record.settings['provider']}; commits of the rows: {said}"


def rows(record: Record) -> dict[str, Any]:
    """Return the methods that were measured."""
    found: dict[str, Any] = record.results["rows"]
    return found


def judges(record: Record, kind: str) -> dict[str, Any]:
    """Return the judges of a kind."""
    said = record.results["judges"]
    return {name: judge for name, judge in said.items() if judge["kind"] == kind}


def judge_that_counts(record: Record) -> str | None:
    """Return the first recogniser that no training used."""
    found = judges(record, "recogniser")
    return next((name for name, one in found.items() if not one["used_in_training"]), None)


def found_by(record: Record, detector: str, where: str = "anywhere") -> Column:
    """Return how many stills a detector finds a face in."""
    place = {"anywhere": "", "at_face": ", at the face's place"}[where]
    path = ("detection", detector, where)
    return _column(record, f"found by {detector}{place}", path, "more", "%")


def recognised(record: Record, judge: str, which: str, label: str) -> Column:
    """Return how many stills a recogniser recognises, in one of the ways of asking."""
    chance = record.results["judges"][judge]["originals"]["chance"].get(which)
    guess = "" if chance is None else f" (chance {100 * chance:.2f} %)"
    return _column(record, label + guess, ("reidentification", judge, which), "less", "%")


def kept(record: Record, which: str, by: str = "landmarks") -> Column:
    """Return one of the figures of landmarks and expression, by one of the two judges."""
    label, better, unit = next(one[1:] for one in _KEPT if one[0] == which)
    return _column(record, f"{label}, {LANDMARKS[by]}", (by, which), better, unit)


def distance(record: Record, metric: str, to: str = "to_originals") -> Column:
    """Return the Fréchet distances of the stills."""
    where = {"to_originals": "to their originals", "to_others": "to other people's originals"}[to]
    return _column(record, f"{metric} {where}", ("realism", metric, to), "less")


def _column(
    record: Record, label: str, path: tuple[str, ...], better: Better, unit: Unit = ""
) -> Column:
    """Return the figure at a path in every row that has one there.

    The path's first word names the judge of landmarks, else its second any judge.
    """
    judge = record.results["judges"].get(LANDMARKS.get(path[0], path[1]), {})
    dead = "" if judge.get("alive", True) else judge["reason"] or "not alive"
    found = {name: _at(row, path) for name, row in rows(record).items()}
    present = {name: figure for name, figure in found.items() if figure}
    return column(label, present, lambda figure: Cell.of(figure, dead), better, unit)


def _at(row: Any, path: tuple[str, ...]) -> Any:
    """Return the value at a path; None where a row has none."""
    for key in path:
        row = (row or {}).get(key)
    return row


def _judges(record: Record) -> TextTable:
    lines = []
    for name, judge in record.results["judges"].items():
        state = "alive" if judge["alive"] else f"**dead**: {judge['reason']}"
        lines.append((f"`{name}`", judge["kind"], state, _of_originals(judge)))
    pictures = record.results["originals"]
    dropped = len(pictures["without_face"])
    return TextTable(
        "The judges, on the originals",
        ("judge", "kind", "state", "on the originals"),
        tuple(lines),
        f"LFW, folds {' and '.join(map(str, record.settings['folds']))}; pairs "
        f"{record.settings['pairs']}. {sum(pictures['pairs'])} pairs, {sum(pictures['pictures'])} "
        f"pictures, of which {sum(pictures['stills'])} are anonymised; {dropped} pictures without "
        "a face are left out with their pairs.",
    )


def _of_originals(judge: Mapping[str, Any]) -> str:
    if judge["kind"] == "detector":
        found = judge["originals"]["anywhere"]
        return f"finds a face in {formatted(Cell.of(found), '%')}, n = {found['n']}"
    if judge["kind"] == "recogniser":
        known = judge["originals"]
        training = "; **used in training: shown, counts for nothing**"
        return (
            f"{100 * known['accuracy']:.1f} % of the pairs right at the best threshold; at "
            f"{number(judge['threshold'])} it takes {100 * judge['far']:.2g} % of "
            f"{judge['impostors']} pairs of strangers for one person, and "
            f"{100 * known['other_picture']['mean']:.1f} % of the pairs of one"
            + (training if judge["used_in_training"] else "")
        )
    if judge["kind"] == "realism":
        floor = judge["floor"]["mean"]
        return "" if floor is None else f"{number(floor)} between originals of different people"
    seen = judge["originals"]["seen"]
    return f"sees a face in {formatted(Cell.of(seen), '%')}, n = {seen['n']}"


def _faces(record: Record) -> TextTable:
    def count(value: int | None) -> str:
        return "not known" if value is None else str(value)

    return TextTable(
        "What became of the faces",
        ("", "stills", "of them untouched", "faces replaced", "faces covered instead"),
        tuple(
            (
                f"`{name}`",
                *(
                    count(row["faces"][key])
                    for key in ("stills", "untouched", "replaced", "covered")
                ),
            )
            for name, row in rows(record).items()
        ),
        "*Covered instead*: faces that the product gave a mosaic because it did not trust its own "
        "replacement. Stills show bystanders, too.",
    )


def _detection(record: Record) -> Table:
    return Table(
        "Is it still a face to a detector?",
        tuple(
            found_by(record, name, where)
            for name in judges(record, "detector")
            for where in ("anywhere", "at_face")
        ),
        "Share of the stills in which a face is found. Mean ± standard deviation over folds, then "
        "the 95 % bootstrap interval, here and in the tables below.",
    )


def _reidentification(record: Record, name: str) -> Table:
    judge = judges(record, "recogniser")[name]
    marked = judge["used_in_training"]
    cosine = _column(record, "cosine to the original", ("reidentification", name, "cosine"), "less")
    return Table(
        f"Is the person recognised? {name}" + (", used in training" if marked else ""),
        (*(recognised(record, name, which, label) for which, label in _KNOWN), cosine),
        f"At the threshold that takes {100 * judge['far']:.2g} % of the pairs of strangers among "
        "the originals for one person; rank 1 needs none. `none` is the ceiling."
        + (" A loss of the training used this recogniser: it does not count." if marked else ""),
        judged=not marked,
    )


def _informed(record: Record, name: str) -> Table:
    columns = (
        _column(record, f"{label}, {when}", ("informed_attacker", name, when, which), better, "%")
        for which, label in _KNOWN
        if which in _LEARNT
        for when, better in _WHEN
    )
    return Table(
        f"An attacker who knows the method, {name}",
        tuple(one for one in columns if one.cells),
        "*After* a linear map from anonymised to original, learnt on the other fold, whose people "
        "are others; *before*: without it. The attacker is granted the best threshold on this "
        "fold's own strangers.",
        judged=not judges(record, "recogniser")[name]["used_in_training"],
    )


def _landmarks(record: Record) -> Table:
    return Table(
        "Pose and expression",
        tuple(kept(record, one[0]) for one in _KEPT),
        "Where a mesh is believed in the still; n says in how many. *The paper's normalisation* "
        "divides by about half the distance of the eyes. The mesh is what `warp` places a face by: "
        "it flatters it, and the next table is a second opinion.",
    )


def _second_opinion(record: Record) -> Table:
    columns = (kept(record, one[0], "landmarks_dlib") for one in _KEPT)
    return Table(
        "Pose by landmarks that no method uses",
        tuple(one for one in columns if one.cells),
        "dlib's 68 points, where its own detector finds the face before and after.",
    )


def _realism(record: Record) -> Table:
    metrics = judges(record, "realism")
    floors = ", ".join(
        f"{number(judge['floor']['mean'])}"
        for judge in metrics.values()
        if judge["floor"]["mean"] is not None
    )
    return Table(
        "How real the pictures look, as a set",
        tuple(
            distance(record, metric, to)
            for metric in metrics
            for to in ("to_originals", "to_others")
        ),
        "Mean ± standard deviation over folds."
        + (
            f" Originals of different people are {floors} apart: read the last column beside that."
            if floors
            else ""
        ),
    )
