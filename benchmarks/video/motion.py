"""How steadily landmarks move, beside those of the source."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamanon.face import landmarks as lm
from streamanon.types import F32

FAST_HZ = 5.0
"""Faces hardly move faster; what does is noise."""

SHORTEST_FRAMES = 16
"""Frames in a row below which a spectrum says nothing."""


def steadiness(source: F32, output: F32, rate: float) -> dict[str, Any] | None:
    """Compare the 68 iBUG points of an anonymised face with those of the source over time.

    * ``jitter``: mean length of the second difference over inter-ocular distance, output over
      source; ``added_jitter`` the same of the difference between both, over the source's.
    * ``fast_energy``: energy above 5 Hz, output over source.
    * ``correlation``: mean over coordinates of Pearson's correlation in time.

    Args:
        source: (n, 478, 3) meshes in px; NaN where the face is not seen.
        output: the same of the anonymised clip.
        rate: frames a second.

    Returns:
        The figures; None where both are never seen for long enough, or the source never moves.
    """
    seen = np.isfinite(source[:, 0, 0]) & np.isfinite(output[:, 0, 0])
    runs = [(_points(source[run]), _points(output[run])) for run in _runs(seen)]
    if not runs:
        return None
    before, after = [run[0] for run in runs], [run[1] for run in runs]
    jitter = _jitter(before)
    fast = _fast_energy(before, rate)
    if jitter == 0 or fast == 0:
        return None
    eyes_px = float(np.mean([lm.inter_ocular_px(mesh) for mesh in source[seen]]))
    return {
        "jitter_source": jitter / eyes_px,
        "jitter": _jitter(after) / jitter,
        "added_jitter": _jitter([b - a for a, b in runs]) / jitter,
        "fast_energy": _fast_energy(after, rate) / fast,
        "correlation": _correlation(np.concatenate(before), np.concatenate(after)),
        "frames": sum(len(run) for run in before),
    }


def _runs(seen: NDArray[np.bool_]) -> Iterator[slice]:
    """Yield the stretches of frames in a row that are long enough."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], seen, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2).tolist():
        if end - start >= SHORTEST_FRAMES:
            yield slice(start, end)


def _points(meshes: F32) -> NDArray[np.float64]:
    """Return (n, 68, 2) of (n, 478, 3)."""
    return np.stack([lm.ibug68(mesh) for mesh in meshes]).astype(np.float64)


def _jitter(series: list[NDArray[np.float64]]) -> float:
    bends = [np.linalg.norm(np.diff(run, n=2, axis=0), axis=2).ravel() for run in series]
    return float(np.concatenate(bends).mean())


def _fast_energy(series: list[NDArray[np.float64]], rate: float) -> float:
    """Return the energy above FAST_HZ a frame, after taking the linear trend away."""
    energy, frames = 0.0, 0
    for run in series:
        flat = run.reshape(len(run), -1)
        time = np.column_stack([np.ones(len(run)), np.arange(len(run))])
        flat = flat - time @ np.linalg.lstsq(time, flat, rcond=None)[0]
        spectrum = np.abs(np.fft.rfft(flat * np.hanning(len(run))[:, None], axis=0)) ** 2
        fast = np.fft.rfftfreq(len(run), 1 / rate) > FAST_HZ
        energy += float(spectrum[fast].sum()) / len(run)
        frames += len(run)
    return energy / frames


def _correlation(before: NDArray[np.float64], after: NDArray[np.float64]) -> float:
    a, b = (series.reshape(len(series), -1) for series in (before, after))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    spread = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    shares = np.divide((a * b).sum(axis=0), spread, out=np.zeros_like(spread), where=spread > 1e-9)
    return float(shares.mean())
