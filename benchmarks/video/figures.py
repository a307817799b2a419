"""The figures of one anonymised clip, in parts; a part that cannot be measured says why."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.judges.expression import (
    BLINKS,
    Observation,
    agreement,
    blendshape_correlations,
    eyes_closed,
    following,
    gaze,
    mouth_gap,
    mouth_open,
    pose_errors,
)
from benchmarks.judges.self_check import SelfCheck
from benchmarks.video import identity
from benchmarks.video.comparison import Comparison
from benchmarks.video.face_series import FaceSeries
from benchmarks.video.motion import steadiness
from benchmarks.video.panel import DETECTOR, MESH, SAME_PERSON
from benchmarks.video.source import Source
from streamanon.audit.result import AuditResult
from streamanon.face import landmarks as lm
from streamanon.types import F32

MIN_SEEN = 0.5
"""Share of the source's frames in which a face must be seen at its place in the output, for its
identity, motion and expression to mean anything. A mosaic shows none."""

LEAKS = (
    *("frames", "frames_with_face", "faces", "leaking_frames", "leak_rate", "unchanged"),
    *("recognised", "longest_leak_frames", "longest_leak_s", "kept_mean", "cosine_mean"),
    *("cosine_max",),
)

Part = dict[str, Any]


def parts(
    source: Source, comparison: Comparison, checks: Mapping[str, SelfCheck]
) -> dict[str, Part]:
    """Return all figures that come from the frames."""
    before, after = source.face, comparison.face
    seen = float(after.seen[before.seen].mean())
    hidden = "" if seen >= MIN_SEEN else f"the output shows a face in {seen:.0%} of the frames"
    mesh = _dead(checks[MESH]) or hidden
    return {
        "leaks": _part(_dead(checks[DETECTOR]), lambda: _leaks(comparison.result)),
        "face": {"alive": True, "seen": seen, "frames": int(before.seen.sum())},
        "to_source": _each(before, checks, lambda name: _to_source(before, after, name)),
        "identity": _each(before, checks, lambda name: _identity(before, after, name), hidden),
        "motion": _part(mesh, lambda: steadiness(before.points, after.points, source.rate)),
        "warping": _part("", comparison.warping.figures),
        "expression": _part(mesh, lambda: _expression(before, after)),
    }


def _each(
    series: FaceSeries,
    checks: Mapping[str, SelfCheck],
    compute: Callable[[str], Part | None],
    reason: str = "",
) -> dict[str, Part]:
    """Return a part for each recogniser."""
    return {
        name: _part(_dead(checks[name]) or reason, partial(compute, name))
        for name in series.vectors
    }


def _motion_kept(before: FaceSeries, after: FaceSeries, both: NDArray[np.bool_]) -> Part:
    """Return how well pose, gaze, lids and mouth follow, against each face's own mean."""
    here, there = before.points[both], after.points[both]
    angles, motion = pose_errors(*([_posed(mesh) for mesh in meshes] for meshes in (here, there)))
    looks = [gaze(points) for points in (here, there)]
    lids = [series.blendshapes[both][:, list(BLINKS)].mean(axis=1) for series in (before, after)]
    return {
        "pose_deg": float(angles.mean()),
        "pose_motion_deg": float(motion.mean()),
        "gaze_across": following(looks[0][..., 0], looks[1][..., 0]),
        "gaze_down": following(looks[0][..., 1], looks[1][..., 1]),
        "blink": following(*lids),
        "mouth": following(mouth_gap(here), mouth_gap(there)),
    }


def _posed(points: F32) -> Observation:
    return Observation(points, 1.0, np.zeros(52, np.float32), *lm.head_pose(points))


def _observations(series: FaceSeries) -> list[Observation | None]:
    """Return what the expression measures take, frame by frame; they do not ask for the pose."""
    return [
        Observation(points, 1.0, shapes, 0.0, 0.0, 0.0) if seen else None
        for points, shapes, seen in zip(series.points, series.blendshapes, series.seen, strict=True)
    ]


def _dead(judge: SelfCheck) -> str:
    return "" if judge.alive else f"the judge is dead: {judge.reason}"


def _part(reason: str, compute: Callable[[], Part | None]) -> Part:
    found = None if reason else compute()
    if found is None:
        return {"alive": False, "reason": reason or "too few frames"}
    return {"alive": True, **found}


def _leaks(result: AuditResult) -> Part:
    found = result.to_json()
    return {name: found[name] for name in LEAKS}


def _to_source(before: FaceSeries, after: FaceSeries, name: str) -> Part:
    return identity.to_source(before.vectors[name], after.vectors[name])


def _identity(before: FaceSeries, after: FaceSeries, name: str) -> Part | None:
    """Return how constant the identity is, and that of the source beside it."""
    shown = np.where(after.seen[:, None], after.vectors[name], np.nan)
    own, given = (
        identity.constancy(vectors, SAME_PERSON[name]) for vectors in (before.vectors[name], shown)
    )
    return {"source": own, **given} if own and given else None


def _expression(before: FaceSeries, after: FaceSeries) -> Part | None:
    """Return whether the face does what the source's does; a face that is not seen does not."""
    both = before.seen & after.seen
    correlations = blendshape_correlations(before.blendshapes[both], after.blendshapes[both])
    if not correlations.size:
        return None
    pairs = list(zip(_observations(before), _observations(after), strict=True))
    answers = {}
    for name, does in (("blink", eyes_closed), ("mouth", mouth_open)):
        said = [does(here) for here, _ in pairs if here]
        kept = [there is not None and does(there) for here, there in pairs if here]
        answers[name] = agreement(said, kept)
    return {
        **_motion_kept(before, after, both),
        "correlation": float(correlations.mean()),
        "blendshapes": int(correlations.size),
        "blink_recall": answers["blink"].recall,
        "blink_frames": answers["blink"].positives,
        "blink_agreement": answers["blink"].agreement,
        "mouth_recall": answers["mouth"].recall,
        "mouth_frames": answers["mouth"].positives,
        "mouth_agreement": answers["mouth"].agreement,
        "frames": int(both.sum()),
    }
