"""Pairs of frames of a file and its anonymised version."""

from collections.abc import Iterator
from itertools import zip_longest

from streamanon.errors import MediaError, UsageError
from streamanon.protocols import Source
from streamanon.types import Frame


def check_sizes(original: Source, anonymised: Source) -> None:
    """Check that the frames of two streams have the same size.

    Raises:
        UsageError: The sizes differ.
    """
    sizes = [f"{source.info.width}x{source.info.height}" for source in (original, anonymised)]
    if sizes[0] != sizes[1]:
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
        yield before, after


def _uneven(shorter: str, frames: int) -> UsageError:
    return UsageError(
        f"{shorter} ends after {frames} frames and the other file goes on: wanted the same frames, "
        "give the file that was anonymised, whole"
    )
