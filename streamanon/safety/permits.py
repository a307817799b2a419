"""What the user says may be seen as it is: times, regions, people who agreed.

Only this module makes a :class:`~streamanon.types.Permit`, and compose leaves nothing as it is
without one. In doubt there is none: a frame that is partly inside a span is hidden, a face that
reaches out of a region is, and a person of whom one recogniser is not sure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import NamedTuple

import numpy as np

from streamanon.errors import UsageError
from streamanon.types import F32, Permit

SURE = (0.55, 0.93)
"""Least cosines, of MobileFaceNet and dlib's ResNet, of a photograph and the mean of a track.

Of 1.6 million pairs of pictures of two people (LFW, turned by less than 35 degrees) none passes
both, of pairs of one person 81 % with a single picture.
"""

ALIKE = (0.40, 0.91)
"""The same of the photograph and the very frame that is to be seen: 70 pairs of two people
in a million pass, 97 % of pairs of one."""

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(%?)")
_KINDS = ("cover", "leave")


class Region(NamedTuple):
    """A rectangle that is always covered, or left as it is.

    Attributes:
        covered: whether it is always covered.
        edges: left, top, width and height.
        relative: whether each is a share of the frame, and not in px.
    """

    covered: bool
    edges: tuple[float, ...]
    relative: tuple[bool, ...]

    def box(self, width: int, height: int) -> F32:
        """Return its (4,) float32 box in a frame of a size, clipped to it.

        Raises:
            UsageError: it lies outside the frame.
        """
        sizes = (width, height, width, height)
        x, y, w, h = (
            edge * size if relative else edge
            for edge, relative, size in zip(self.edges, self.relative, sizes, strict=True)
        )
        box = np.array([x, y, min(x + w, width), min(y + h, height)], np.float32)
        if x >= width or y >= height or not w or not h:
            raise UsageError(f"region {box.tolist()} lies outside a frame of {width}x{height} px")
        return box


def parse_region(text: str) -> Region:
    """Read "cover:X,Y,WIDTH,HEIGHT" or "leave:..."; lengths in px or in %.

    Raises:
        UsageError: it is something else.
    """
    kind, _, rest = text.partition(":")
    lengths = [_LENGTH.fullmatch(part.strip()) for part in rest.split(",")]
    if kind not in _KINDS or len(lengths) != 4 or not all(lengths):
        raise UsageError(
            f"region is {text!r}: wanted cover:X,Y,WIDTH,HEIGHT or leave:X,Y,WIDTH,HEIGHT, in "
            "pixels or with %"
        )
    found = [(float(one[1]), bool(one[2])) for one in lengths if one]
    edges = tuple(value / 100 if relative else value for value, relative in found)
    return Region(kind == "cover", edges, tuple(relative for _, relative in found))


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may be seen of one run; by default nothing.

    Attributes:
        start_s: time before which nothing is touched; None for the beginning.
        end_s: time from which on nothing is touched; None for the end.
        regions: rectangles that are always covered, or left as they are.
        photos: number of photographs of people who stay as they are.
    """

    start_s: Fraction | None = None
    end_s: Fraction | None = None
    regions: tuple[Region, ...] = ()
    photos: int = 0

    @property
    def stated(self) -> list[str]:
        """What is left as it is or always covered, a line for each."""
        covered = sum(region.covered for region in self.regions)
        left, spanned = (
            len(self.regions) - covered,
            self.start_s is not None or self.end_s is not None,
        )
        lines = (
            (spanned, "frames outside --from and --to stay as they are"),
            (left, f"faces within a --region to leave stay as they are ({left})"),
            (covered, f"a --region is always covered ({covered})"),
            (
                self.photos,
                f"people on a photograph of --keep-face stay as they are ({self.photos})",
            ),
        )
        return [line for holds, line in lines if holds]

    def frame(self, shown_s: Fraction, until_s: Fraction | None) -> Permit | None:
        """Return the permit of a frame that is on screen outside the span only.

        Args:
            shown_s: time at which the frame appears.
            until_s: time at which the next frame appears; None for the last one.
        """
        early = self.start_s is not None and (inf if until_s is None else until_s) <= self.start_s
        late = self.end_s is not None and shown_s >= self.end_s
        return Permit("outside --from and --to") if early or late else None

    def subject(self, cover: F32, size: tuple[int, int]) -> Permit | None:
        """Return the permit of a face whose whole cover lies in a region that is left as it is.

        Args:
            cover: (4,) float32 box that certainly hides the face.
            size: width and height of the frame in px.
        """
        width, height = size
        x0, y0, x1, y1 = np.clip(cover, 0, (width, height, width, height))
        for region in self.regions:
            left, top, right, bottom = region.box(width, height)
            inside = left <= x0 and top <= y0 and x1 <= right and y1 <= bottom
            if inside and not region.covered:
                return Permit("inside a --region to leave")
        return None

    def covers(self, width: int, height: int) -> tuple[F32, ...]:
        """Return the boxes that are always covered in a frame of a size."""
        return tuple(region.box(width, height) for region in self.regions if region.covered)


def kept_person(
    track: Sequence[F32], here: Sequence[F32], photos: Sequence[Sequence[F32]]
) -> Permit | None:
    """Return the permit of a person whom two recognisers both know from one photograph.

    Args:
        track: unit vectors of each recogniser, the mean over the track.
        here: the same of the frame that is to be seen.
        photos: the same of each photograph of the person who agreed.
    """
    for number, photo in enumerate(photos, start=1):
        cosines = zip(track, here, photo, SURE, ALIKE, strict=True)
        if all(mean @ known >= sure and now @ known >= alike
               for mean, now, known, sure, alike in cosines):  # fmt: skip
            return Permit(f"kept: photograph {number}")
    return None
