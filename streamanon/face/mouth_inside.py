"""What somebody shows between their lips, so that their new mouth shows as much.

All that is read off a mouth are four numbers and one colour. Teeth are what is bright in the light
of the skin around the mouth, and less red than lips; without colour, what is as bright as skin. A
row counts as far as it reaches from its lip without a break. The rest is tongue as far as it is not
dark.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from streamanon.face.mouth import EVEN_LIGHT, OPEN_FROM, Lips
from streamanon.face.warp import sample_at
from streamanon.imaging.boxes import bounds
from streamanon.imaging.picture import clip_box, read_bgr
from streamanon.types import F32, U8, MouthInside, Picture

MIN_WIDTH_PX = 14.0
"""Width of a mouth below which its teeth cannot be made out."""

ACROSS, COLUMNS, ROWS = (0.25, 0.75), 24, 24
"""Part of a mouth that is looked at, in its widths, and the samples along and down."""

PATCH = 0.08
"""Side of the patches in which the colours of skin and lips are averaged, in mouth widths."""

PALE, LEAST_PALE, PALE_RAMP = 0.5, 0.87, 0.06
"""How far from lips to skin, by green over red, teeth begin; least green over red of theirs, in
that of skin; and the ramp over which it counts."""

COLOURED = 0.1
"""How much less green than red, as a share, skin has from which on only its colours count."""

BRIGHT, BRIGHT_GREY, BRIGHT_RAMP = 0.45, 0.75, 0.15
"""Light of teeth, in that of skin, from which on they are seen, in colour and without; the ramp."""

ENOUGH = 0.4
"""Share of the samples of a row in a mouth that are teeth where it belongs to them."""

BEGINS = 1 / 3
"""Where a row of teeth begins at the latest, seen from its lip, in the gap between the lips."""

CLENCHED = 0.75
"""Share of the gap between the lips from which on it holds no more than the upper teeth."""

MOST_COLOURED = 0.75
"""Most by which a channel of the colour of teeth may differ from their grey, as a share of it: more
is no light on teeth, but paint or something between them, and would be shown as it is."""

TONGUE, TONGUE_RAMP = 0.2, 0.3
"""Light of a tongue, in that of skin, from which on it is seen; the ramp."""

DARKER = 35
"""Percentile of light that counts: at its edges a mesh takes lips for what is between them."""

_LUMA = np.array([0.114, 0.587, 0.299], np.float32)
_SKIN = (18, 200, 57, 287, 212, 432, 205, 425)
_LIPS = (85, 16, 315, 72, 11, 302)


def mouth_inside(picture: Picture, points: F32) -> MouthInside | None:
    """Return what somebody shows between their lips; None where these are shut or too small.

    Args:
        picture: frame.
        points: (478, 2) float32 mesh in frame px.
    """
    lips = Lips.of(points)
    if lips.width_px < MIN_WIDTH_PX or lips.opening < OPEN_FROM:
        return None
    skin, margin = points[list(_SKIN)], PATCH * lips.width_px
    low, high = bounds(skin)
    box = clip_box(picture, np.concatenate([low - margin, high + margin]))
    if min(box[2] - box[0], box[3] - box[1]) < MIN_WIDTH_PX / 2:
        return None
    origin = np.array(box[:2], np.float32)
    lips = replace(lips, corner=lips.corner - origin)
    teeth, light, inside = _teeth_and_light(read_bgr(picture, box), points - origin, lips)
    is_row = teeth.mean(axis=1) > ENOUGH
    upper, lower = (_reached(rows) * lips.opening for rows in (is_row, is_row[::-1]))
    shown = MouthInside(upper, lower, 0.0, EVEN_LIGHT)
    if is_row.any():
        seen = teeth > ENOUGH
        usual = float(np.median(light[seen]))
        colour = np.median(inside[seen & (light >= usual)], axis=0)  # at their edges is lip
        shown = replace(shown, light=usual, teeth_bgr=less_coloured(colour))
    if upper >= CLENCHED * lips.opening:
        return replace(shown, lower=0.0)
    tongue = (float(np.percentile(light[~is_row], DARKER)) - TONGUE) / TONGUE_RAMP
    return replace(shown, tongue=min(max(tongue, 0.0), 1.0))


def less_coloured(colour: F32) -> F32:
    """Return a (3,) colour with no more than MOST_COLOURED of its own."""
    grey = max(float(colour.mean()), 1.0)
    share = min(1.0, MOST_COLOURED * grey / max(float(np.abs(colour - grey).max()), 1e-6))
    return np.asarray(grey + share * (colour - grey), np.float32)


def _teeth_and_light(image: U8, points: F32, lips: Lips) -> tuple[F32, F32, F32]:
    """Return what is teeth, how light all is, and its colours, from one lip to the other.

    Args:
        image: (h, w, 3) uint8 BGR around the mouth.
        points: (478, 2) float32 mesh in px of it.
        lips: the lips of that mesh.

    Returns:
        (ROWS, COLUMNS) float32 in 0..1, light in that of skin, and (ROWS, COLUMNS, 3) float32 BGR.
    """
    along = np.linspace(*ACROSS, COLUMNS, dtype=np.float32)
    top, share = lips.top(along), (np.arange(ROWS, dtype=np.float32)[:, None] + 0.5) / ROWS
    down = top + share * np.maximum(lips.bottom(along) - top, 0)
    inside = lips.sampled(image, np.broadcast_to(along, down.shape), down).astype(np.float32)
    side = max(int(PATCH * lips.width_px), 1)
    around = cv2.blur(image, (side, side))
    skin, lip = (
        _median_at(np.asarray(around, np.uint8), points[list(of)]) for of in (_SKIN, _LIPS)
    )
    hue = max(float(skin[1] / max(skin[2], 1)), 1e-3)
    of_lips = min(float(lip[1] / max(lip[2], 1)) / hue, 1.0)
    least = max(of_lips + PALE * (1 - of_lips), LEAST_PALE)
    green_over_red = inside[:, :, 1] / np.maximum(inside[:, :, 2], 1) / hue
    coloured = min(max((1 - hue) / COLOURED, 0.0), 1.0)
    pale = 1 - coloured * (1 - np.clip((green_over_red - least) / PALE_RAMP, 0, 1))
    light = inside @ _LUMA / max(float(skin @ _LUMA), 1.0)
    bright = BRIGHT_GREY + coloured * (BRIGHT - BRIGHT_GREY)
    teeth = pale * np.clip((light - bright) / BRIGHT_RAMP, 0, 1)
    return teeth.astype(np.float32), light.astype(np.float32), inside


def _median_at(image: U8, points: F32) -> F32:
    """Return the (3,) float32 median colour at (n, 2) points."""
    x, y = points[:, None].astype(np.float32).transpose(2, 0, 1)
    return np.asarray(np.median(sample_at(image, x, y), axis=(0, 1)), np.float32)


def _reached(is_row: NDArray[np.bool_]) -> float:
    """Return how far, 0..1, a row of teeth that begins near the first of the rows reaches."""
    first = int(is_row.argmax())
    if not is_row[first] or first >= BEGINS * len(is_row):
        return 0.0
    ends = np.flatnonzero(~is_row[first:])
    return float(first + ends[0]) / len(is_row) if len(ends) else 1.0
