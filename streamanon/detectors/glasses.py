"""Says whether somebody wears glasses: a linear function of the edges around the eyes.

Edges are histograms of oriented gradients (Dalal and Triggs, CVPR 2005), of both polarities, in
cells of 6 px. Fitted by ``python -m training glasses``.
"""

import cv2
import numpy as np

from streamanon.face import landmarks as lm
from streamanon.imaging.picture import clip_box, read_bgr
from streamanon.types import F32, U8, Picture

SIZE, CELL = (96, 54), 6
"""Width and height of what is looked at around the eyes, and side of a cell, in px."""

EYES_PX, EYES_ROW = 72.0, 23.0
"""Distance between the outer corners of the eyes in that, and the row they lie on."""

DIRECTIONS = 8

CONTRAST, MOST = 0.15, 0.5
"""Edges weaker than this count little (in square roots of levels); the most that one counts."""

BRIDGE, BELOW = np.s_[14:27, 43:53], (np.s_[33:52, 14:36], np.s_[33:52, 60:82])
"""Where the line across the nose, and the lower rims, of glasses lie in that."""

LINE_PX = 9
"""Width in px from which on something dark is no line."""

DARKNESS = (0.2, 0.7)
"""Range of the share of light that lines of glasses take."""

DRAWN_AT, DRAWN = 0.12, 1.05
"""That share where no line is seen, and what it grows by with what is seen. Of people with glasses
half have 0.16, rims as thin as wires; 0.5 is thick and black. Without glasses it is below 0.1."""


def around_eyes(picture: Picture, points: F32) -> U8:
    """Return (54, 96) uint8 grey, upright: the eyes of a (478, 3) mesh in frame px."""
    right, left = points[lm.RIGHT_EYE_OUTER, :2], points[lm.LEFT_EYE_OUTER, :2]
    scale = EYES_PX / max(float(np.hypot(*(left - right))), 1.0)
    cosine, sine = (left - right) * scale / EYES_PX
    centre, reach = (left + right) / 2, np.float32(np.hypot(*SIZE) / scale)
    box = clip_box(picture, np.concatenate([centre - reach, centre + reach]))
    if min(box[2] - box[0], box[3] - box[1]) < 1:
        return np.zeros(SIZE[::-1], np.uint8)
    grey = np.asarray(cv2.cvtColor(read_bgr(picture, box), cv2.COLOR_BGR2GRAY), np.uint8)
    if scale < 1:
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 0.4 / scale), np.uint8)
    turn = scale * np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array([SIZE[0] / 2, EYES_ROW]) - turn @ (centre - box[:2])
    upright = np.column_stack([turn, shift]).astype(np.float32)
    return np.asarray(
        cv2.warpAffine(grey, upright, SIZE, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def edges(grey: U8) -> F32:
    """Return (1152,) float32: the edges of each direction in each cell of (54, 96) uint8 grey."""
    level = np.sqrt(grey.astype(np.float32))
    across, down = (cv2.Sobel(level, cv2.CV_32F, x, 1 - x, ksize=1) for x in (1, 0))
    strength = np.sqrt(across * across + down * down) + np.float32(1e-6)
    # Doubled angles: an edge from dark to bright is one from bright to dark.
    double = ((across * across - down * down) / strength, 2 * across * down / strength)
    angles = np.arange(DIRECTIONS) * (2 * np.pi / DIRECTIONS)
    along = [np.maximum(double[0] * np.cos(a) + double[1] * np.sin(a), 0) for a in angles]
    cells = (SIZE[0] // CELL, SIZE[1] // CELL)
    mean = cv2.resize(np.dstack(along).astype(np.float32), cells, interpolation=cv2.INTER_AREA)
    nearby = cv2.blur(mean.sum(axis=2), (3, 3))[:, :, None]
    return np.asarray(np.minimum(mean / (nearby + CONTRAST), MOST), np.float32).ravel()


class GlassesProbe:
    """Implements :class:`streamanon.protocols.GlassesFinder`."""

    def __init__(self, weights: F32) -> None:
        """Take the (1153,) float32 weights of edges, the last of which is a bias."""
        self._weights = weights

    def look(self, picture: Picture, points: F32) -> tuple[float, float]:
        """Look for glasses; see :meth:`streamanon.protocols.GlassesFinder.look`."""
        eyes = around_eyes(picture, points)
        return float(edges(eyes) @ self._weights[:-1] + self._weights[-1]), _darkness(eyes)


def _darkness(eyes: U8) -> float:
    """Return the share of light that lines of glasses take in (54, 96) uint8 grey.

    Lines are what a closing fills, on the nose and below the eyes.
    """
    closed = cv2.morphologyEx(eyes, cv2.MORPH_CLOSE, np.ones((LINE_PX, LINE_PX), np.uint8))
    lines = cv2.subtract(closed, eyes).astype(np.float32) / max(float(np.median(eyes)), 8.0)
    across = float(lines[BRIDGE].mean(axis=1).max())
    below = float(np.median(np.concatenate([lines[rim].max(axis=0) for rim in BELOW])))
    return float(np.clip(DRAWN_AT + DRAWN * np.sqrt(across * below), *DARKNESS))
