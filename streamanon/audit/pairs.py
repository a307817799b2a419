"""Pairs of frames of a file and its anonymised version."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from streamanon.errors import MediaError, UsageError
from streamanon.protocols import Source
from streamanon.types import Frame, Picture


def check_sizes(original: Source, anonymised: Source) -> None:
    """Refuse streams whose frames differ in size, unless one was made even."""
    before, after = ((one.info.width, one.info.height) for one in (original, anonymised))
    if any(new not in (old, old + old % 2) for old, new in zip(before, after, strict=True)):
        sizes = ["x".join(map(str, size)) for size in (before, after)]
        raise UsageError(
            f"ORIGINAL is {sizes[0]} px and ANONYMISED {sizes[1]}: wanted the same pictures, give "
            "the file that was anonymised"
        )


def pairs(original: Source, anonymised: Source) -> Iterator[tuple[Frame, Frame]]:
    """Yield pairs of frames with the same number.

    Raises:
        UsageError: The streams differ in size or length.
        MediaError: A frame of the anonymised stream is damaged and cannot be compared.
    """
    check_sizes(original, anonymised)
    for before, after in zip_longest(original, anonymised):
        if before is None:
            raise _uneven("ORIGINAL", after.index)
        if after is None:
            raise _uneven("ANONYMISED", before.index)
        if after.damaged:
            raise MediaError(
                f"frame {after.index} of ANONYMISED cannot be decoded: nothing can be said of it"
            )
        same = _cropped(after.picture, before.picture)
        yield before, Frame(after.index, same, after.pts, after.time_base)


def _cropped(picture: Picture, other: Picture) -> Picture:
    """Return a picture without the row and column that were added to make another one even."""
    right, bottom = picture.colour.chroma_shift
    width, height = other.width, other.height
    chroma = slice(-(-height >> bottom)), slice(-(-width >> right))
    luma, *colours = picture.planes
    planes = (luma[:height, :width], *(plane[chroma] for plane in colours))
    return replace(picture, planes=planes)


def _uneven(shorter: str, frames: int) -> UsageError:
    return UsageError(
        f"{shorter} ends after {frames} frames and the other file goes on: wanted the same frames, "
        "give the file that was anonymised, whole"
    )
