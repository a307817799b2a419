"""Make a portrait of a young adult look like a child: shape, skin, brows and lips.

There is no portrait of a child among those that may be used. The shape is that by which children
differ from young adults (:mod:`training.childhood`), and larger eyes; skin loses its lines and most
of its relief, brows and lips most of what sets them off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from streamanon.face import landmarks as lm
from streamanon.face.shape import Pose
from streamanon.face.warp import SKIN_POINTS
from training.portrait import Portrait, blurred, hull, soft_mask

if TYPE_CHECKING:
    from streamanon.face.shape import ShapeModel
    from streamanon.types import F32, U8

EXAGGERATED = 2.0
"""Factor on the shape: meshes of children lie nearer to those of adults than their faces do."""

YOUNGEST, OLDEST = 5.0, 18.0
"""Ages from which on skin is all a child's, and an adult's."""

EYES = 0.18
"""Share by which eyes are larger."""

LINES_PX, SHADE_PX = 7.0, 26.0
"""Standard deviations of the blurs that take lines, and the shade of cheeks and chin, away."""

CALM, FLAT = 0.75, 0.5
"""Shares of lines, and of the shade of cheeks and chin, that go."""

PALE_BROWS, PALE_LIPS = 0.6, 0.5
"""Shares of what sets off brows and lips from the skin that go."""


def childlike(image: U8, points: F32, years: float, model: ShapeModel) -> U8:
    """Return a portrait, (SIDE_PX, SIDE_PX, 3) uint8 BGR, at another age.

    Args:
        image: (SIDE_PX, SIDE_PX, 3) uint8 BGR portrait of a young adult.
        points: (478, 3) float32 px, its mesh.
        years: age to make it look, a child's.
        model: knows what children differ by.
    """
    share = float(np.clip((OLDEST - years) / (OLDEST - YOUNGEST), 0, 1))
    grown = EXAGGERATED * Pose.of(points).placed(model.growth(years))
    moved = points + grown
    for outline in (lm.RIGHT_EYE, lm.LEFT_EYE):
        eye = list(outline)
        moved[eye] += share * EYES * (moved[eye] - moved[eye].mean(axis=0))
    shaped = Portrait(image.astype(np.float32), points[:SKIN_POINTS, :2]).moved_to(
        np.ascontiguousarray(moved[:SKIN_POINTS, :2])
    )
    given, features = shaped.image, shaped.features
    weight = np.clip(shaped.inside(0, 3) * (1 - 0.95 * features), 1e-3, 1)
    plain, even = (blurred(given, weight, px) for px in (LINES_PX, SHADE_PX))
    skin = share * shaped.inside(-0.02, 8) * (1 - features)
    smooth = given - skin * (CALM * (given - plain) + FLAT * (plain - even))
    brows, lips = (
        share * soft_mask([hull(moved, part) for part in parts], soft_px, grown_px)
        for parts, soft_px, grown_px in (
            ((lm.RIGHT_BROW, lm.LEFT_BROW), 3, 5),
            ((lm.OUTER_LIPS,), 4, 2),
        )
    )
    smooth += PALE_BROWS * brows * (plain - smooth)
    smooth += PALE_LIPS * lips * (even - smooth)
    return np.asarray(np.clip(smooth, 0, 255), np.uint8)
