"""Recognition by the shape of the face alone: an attacker who looks at no pixel.

The mesh is brought to the canonical pose and size by weighted Procrustes; what tells people apart
is how its 468 points lie, seen from the front, beside those of others with the same expression.
"""

from collections.abc import Sequence

import numpy as np

from streamanon.face.shape import Pose
from streamanon.types import F32

SKIN_POINTS = 468


def descriptors(meshes: Sequence[F32]) -> F32:
    """Return (n, 936) float32 unit vectors of the shapes of faces with one expression.

    Each is the difference from their mean, which takes out the expression and whatever else they
    share: an attacker has it from the very set that is attacked.

    Args:
        meshes: (478, 3) px each.
    """
    shapes = [Pose.of(points).canonical(points)[:SKIN_POINTS, :2].ravel() for points in meshes]
    apart = np.array(shapes, np.float64) - np.mean(shapes, axis=0)
    lengths = np.linalg.norm(apart, axis=1, keepdims=True)
    return np.asarray(apart / np.maximum(lengths, 1e-12), np.float32)
