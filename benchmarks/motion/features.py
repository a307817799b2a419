"""Recognition by how a face moves: an attacker who has nothing but its blendshape curves.

The curves are cut into windows; a window is described by the mean and the deviation of each of the
52 blendshapes and by the correlation of each two. Correlations over windows are the soft biometric
of S. Agarwal et al., "Protecting World Leaders Against Deep Fakes", CVPR Workshops 2019. That such
curves identify people was shown by A. Castro et al. (arXiv 2507.11138: 116 people, up to 98 %, with
classifiers that learn), and of landmarks by L. Pedrouzo-Rodriguez et al. (arXiv 2508.00748).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.judges.expression import MIN_MOTION
from streamanon.types import F32

WINDOW_S = 2.5
"""Length of a window in seconds."""

MIN_SEEN = 0.8
"""Share of its frames in which the face must be seen."""

FEATURES = {
    "all": ("means", "deviations", "correlations"),
    "changes": ("deviations", "correlations"),
}
"""What is compared. Means hold the face at rest: its shape, its pose and the camera's place."""

LEAST_SPREAD = 1e-3
"""Deviation over windows below which a feature counts less: hardly anything of it is seen."""

Description = dict[str, "NDArray[np.float64]"]
"""Means, deviations and correlations of a window."""


def windows(curves: F32, rate: float) -> list[F32 | None]:
    """Return the frames of each whole window in which the face is seen; None for too few.

    Args:
        curves: (n, 52) float32 blendshapes, NaN where the face is not seen.
        rate: frames a second.
    """
    length = round(WINDOW_S * rate)
    parts = [curves[at : at + length] for at in range(0, len(curves) - length + 1, length)]
    seen = [part[np.isfinite(part[:, 0])] for part in parts]
    return [part if len(part) >= MIN_SEEN * length else None for part in seen]


def describe(window: F32) -> Description:
    """Return what is known of a window.

    Correlations of what hardly moves are drawn to 0, where they would be those of noise.

    Args:
        window: (k, 52) blendshapes.
    """
    curves = window.astype(np.float64)
    deviations = curves.std(axis=0)
    apart = (curves - curves.mean(axis=0)) / np.sqrt(deviations**2 + MIN_MOTION**2)
    shared = apart.T @ apart / len(apart)
    pairs = shared[np.triu_indices(len(shared), k=1)]
    return {"means": curves.mean(axis=0), "deviations": deviations, "correlations": pairs}


def vectors(described: Sequence[Description], features: str) -> NDArray[np.float64]:
    """Return (n, d) unit vectors of windows, to be compared by their cosine.

    Each feature is taken by its place among those of all these windows, so that what a method does
    to everybody tells nothing and hides nothing; each kind of feature weighs the same.

    Args:
        described: the windows of one method, of everybody.
        features: one of :data:`FEATURES`.
    """
    blocks = []
    for kind in FEATURES[features]:
        rows = np.array([one[kind] for one in described])
        spread = np.sqrt(rows.var(axis=0) + LEAST_SPREAD**2)
        blocks.append((rows - rows.mean(axis=0)) / spread / np.sqrt(rows.shape[1]))
    whole = np.concatenate(blocks, axis=1)
    lengths = np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(whole / np.maximum(lengths, 1e-12), np.float64)


def nearest(
    probes: NDArray[np.float64],
    gallery: NDArray[np.float64],
    moments: Sequence[int],
    *,
    same_moment: bool,
) -> NDArray[np.intp]:
    """Return (m,) the row of the gallery that is most like each probe.

    Args:
        probes: (m, d) unit vectors.
        gallery: (n, d) unit vectors of the originals.
        moments: row of the gallery that each probe is of.
        same_moment: let a probe find that very row; else it is left out.
    """
    scores = probes @ gallery.T
    if not same_moment:
        scores[np.arange(len(probes)), list(moments)] = -np.inf
    return np.asarray(scores.argmax(axis=1))
